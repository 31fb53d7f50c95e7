"""What lists and the inspector show of files, cheaply for those on screen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sqlalchemy import ColumnElement, and_, false, func, or_, select, text

from core.audio.metadata import MetadataField
from core.audio.ucs import ucs_table
from core.catalogue.bulk import as_json, id_array
from core.catalogue.caption import CaptionRow, captions_of
from core.catalogue.catalogue import Catalogue
from core.catalogue.failure import shown
from core.catalogue.models import Caption, File, FileState, Root, RootState
from core.catalogue.repository import speaks_of_state
from core.catalogue.root import list_roots
from core.catalogue.statistic import library_statistics
from core.types import IntArray

Order = Literal[
    "path", "name", "folder", "category", "format", "rate", "channels", "bits", "duration", "peak", "loudness", "size",
    "changed", "added", "rating", "caption",
]  # fmt: skip

# More are cheaper to sort with all others than to look up one by one.
_MOST_BY_NAME = 20_000

_ROWS = """
SELECT f.id, r.path, f.relative_path, f.name, r.display_path, f.folder, f.container, f.extension, f.ucs_cat_id,
       f.state, r.state, f.is_favourite, f.sample_rate_hz, f.channels, f.bit_depth, f.duration_s, f.skip_reason,
       f.rating, f.peak_db, f.loudness_lufs, f.size, f.mtime_ns
FROM files f JOIN roots r ON r.id = f.root_id WHERE f.id IN (SELECT value FROM json_each(?))
"""


@dataclass(frozen=True, slots=True)
class DeskRow:
    """A file as lists show it. What is unknown as yet is None or empty.

    Attributes:
        id: Its row.
        path: Where it lies, exact.
        name: Last part of the path, as text that can be shown.
        folder: The whole folder, as text that can be shown, with "/" between its parts.
        container: Of the sound, or the file's extension until it is indexed.
        category: UCS CatID, or an empty string.
        skip_reason: Why it cannot be used, where its state is "skipped".
        is_offline: Whether its folder cannot be reached at present.
        rating: 0 to 5.
        caption: Of the whole file.
    """

    id: int
    path: Path
    name: str
    folder: str
    container: str
    sample_rate_hz: int | None
    channels: int | None
    bit_depth: int | None
    duration_s: float | None
    category: str
    state: FileState
    skip_reason: str | None
    is_offline: bool
    rating: int
    is_favourite: bool
    tags: tuple[str, ...]
    caption: CaptionRow | None
    peak_db: float | None
    loudness_lufs: float | None
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class FileDetail:
    """All that is known of one file, for the inspector."""

    row: DeskRow
    metadata: tuple[MetadataField, ...]
    captions: tuple[CaptionRow, ...]
    collections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RootRow:
    """A folder of the library as the folder list shows it.

    Attributes:
        files_by_state: A number for every state.
        duration_s: Of the files that are ready.
        size_bytes: Of all files that are not missing.
    """

    id: int
    path: Path
    is_offline: bool
    files_by_state: dict[FileState, int]
    duration_s: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FolderCount:
    """A folder below a root that holds files itself, and how many that can be found."""

    root_id: int
    path: Path
    files: int


@dataclass(frozen=True, slots=True)
class UcsCount:
    """A category of the published list and how many files are named by it."""

    category: str
    subcategory: str
    cat_id: str
    files: int


def desk_rows(catalogue: Catalogue, file_ids: Sequence[int] | IntArray) -> dict[int, DeskRow]:
    """What lists show of some files: one statement a table. Ids that do not exist are absent."""
    chosen = as_json(file_ids)
    with catalogue.cursor() as cursor:
        rows = cursor.execute(_ROWS, (chosen,)).fetchall()
        tags: dict[int, list[str]] = {}
        for file_id, name in cursor.execute(
            "SELECT x.file_id, t.name FROM file_tags x JOIN tags t ON t.id = x.tag_id "
            "WHERE x.file_id IN (SELECT value FROM json_each(?)) ORDER BY t.name COLLATE NOCASE",
            (chosen,),
        ):
            tags.setdefault(file_id, []).append(name)
    captions = captions_of(catalogue, [row[0] for row in rows])
    return {
        row[0]: _desk_row(*row, tags=tuple(tags.get(row[0], ())), caption=captions.get(row[0], (None,))[0])
        for row in rows
    }


def _desk_row(
    file_id: int,
    root_path: bytes,
    relative_path: bytes,
    name: str,
    root_shown: str,
    folder: str,
    container: str | None,
    extension: str,
    category: str | None,
    state: str,
    root_state: str,
    is_favourite: int,
    *values: Any,
    tags: tuple[str, ...],
    caption: CaptionRow | None,
) -> DeskRow:
    rate_hz, channels, bits, duration_s, reason, rating, peak_db, loudness_lufs, size, mtime_ns = values
    return DeskRow(
        id=file_id,
        path=Path(os.fsdecode(os.path.join(root_path, relative_path))),  # noqa: PTH118 - bytes
        name=name,
        folder=f"{root_shown}/{folder}".rstrip("/") if root_shown else folder,
        container=container or extension,
        sample_rate_hz=rate_hz,
        channels=channels,
        bit_depth=bits,
        duration_s=duration_s,
        category=category or "",
        state=FileState(state),
        skip_reason=reason,
        is_offline=root_state == RootState.OFFLINE,
        rating=rating,
        is_favourite=bool(is_favourite),
        tags=tags,
        caption=caption,
        peak_db=peak_db,
        loudness_lufs=loudness_lufs,
        size_bytes=size,
        mtime_ns=mtime_ns,
    )


def file_detail(catalogue: Catalogue, file_id: int) -> FileDetail | None:
    """Everything about one file, or None where it is gone."""
    row = desk_rows(catalogue, [file_id]).get(file_id)
    if row is None:
        return None
    with catalogue.cursor() as cursor:
        fields = cursor.execute(
            "SELECT scheme, key, value FROM metadata_fields WHERE file_id = ? ORDER BY position", (file_id,)
        ).fetchall()
        collections = cursor.execute(
            "SELECT c.name FROM collections c JOIN collection_files x ON x.collection_id = c.id "
            "WHERE x.file_id = ? ORDER BY c.name COLLATE NOCASE",
            (file_id,),
        ).fetchall()
    return FileDetail(
        row,
        tuple(MetadataField(*field) for field in fields),
        captions_of(catalogue, [file_id]).get(file_id, ()),
        tuple(name for (name,) in collections),
    )


def ordered_ids(
    catalogue: Catalogue,
    *conditions: ColumnElement[bool],
    order: Order = "path",
    descending: bool = False,
    among: Sequence[int] | IntArray | None = None,
) -> IntArray:
    """Ids (m,) of files that meet all conditions, in an order; what lacks a value comes last.

    Args:
        catalogue: The library's database.
        conditions: Expressions over `File`. Missing files are left out unless one of these speaks of the state.
        order: What to sort by; equal ones by path.
        descending: Largest, or last in the alphabet, first.
        among: Ids of the only files that count.
    """
    by_path = [Root.display_path.collate("NOCASE"), File.display_path.collate("NOCASE"), File.id]
    columns = by_path if order == "path" else [_column(order), *by_path[1:]]
    first = columns[0].desc() if descending else columns[0].asc()
    rest = [column.desc() if descending and order == "path" else column for column in columns[1:]]
    # A walk through the ids, as the rows lie: SQLite would take an index and look up every row by itself.
    is_short = among is not None and len(among) <= _MOST_BY_NAME
    start = _is_among(among) if is_short and among is not None else File.id > 0
    statement = select(File.id).where(start, *conditions).order_by(first.nulls_last(), *rest)
    if order in ("path", "folder"):
        statement = statement.join(Root)
    if not any(speaks_of_state(condition) for condition in conditions):
        statement = statement.where(File.state != FileState.MISSING)
    with catalogue.session() as session:
        cursor = session.connection().execute(statement).cursor
        assert cursor is not None
        ids = id_array(cursor.fetchall())
    return ids if among is None or is_short else ids[np.isin(ids, np.asarray(among, dtype=np.int64))]


def _is_among(ids: Sequence[int] | IntArray) -> ColumnElement[bool]:
    """The condition that a file is one of a few, each looked up by its id."""
    return File.id.in_(text("SELECT value FROM json_each(:among)").bindparams(among=as_json(ids)))


def below_folder(catalogue: Catalogue, folder: Path) -> ColumnElement[bool]:
    """The condition that a file lies in a folder, or in one below it; the folder may be above roots, too."""
    with catalogue.session() as session:
        roots = list_roots(session)
    clauses: list[ColumnElement[bool]] = []
    for root in roots:
        if root.path == folder or folder in root.path.parents:
            clauses.append(File.root_id == root.id)
        elif root.path in folder.parents:
            inner = shown(folder.relative_to(root.path).as_posix())
            deeper = func.substr(File.folder, 1, len(inner) + 1) == f"{inner}/"
            clauses.append(and_(File.root_id == root.id, or_(File.folder == inner, deeper)))
    return or_(*clauses) if clauses else false()


def recent_ids(catalogue: Catalogue, limit: int) -> IntArray:
    """The files (m,) that can be used and came last into the library, the latest first."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            "SELECT id FROM files WHERE state IN ('scanned', 'ready') ORDER BY id DESC LIMIT ?", (limit,)
        ).fetchall()
    return id_array(rows)


def root_rows(catalogue: Catalogue) -> list[RootRow]:
    """The folders of the library in the order they were added."""
    return [
        RootRow(root.id, root.path, root.is_offline, root.files, root.duration_s, root.size_bytes)
        for root in library_statistics(catalogue).roots
        if not root.is_kept
    ]


def folder_counts(catalogue: Catalogue) -> list[FolderCount]:
    """The folders below the roots that hold files, by path; files that lie in a root itself are left out."""
    with catalogue.cursor() as cursor:
        # The stored folder is text to be shown; the path on disk, of any bytes, is cut from one of the files' own.
        # One walk through the rows as they lie; by an index on the state it would take four times as long.
        rows = cursor.execute(
            "SELECT g.root_id, r.path, f.relative_path, g.number FROM ("
            "SELECT root_id, min(id) AS first, count(*) AS number FROM files NOT INDEXED "
            "WHERE folder <> '' AND state IN ('scanned', 'ready') GROUP BY root_id, folder"
            ") g JOIN files f ON f.id = g.first JOIN roots r ON r.id = g.root_id"
        ).fetchall()
    found = [
        FolderCount(root_id, Path(os.fsdecode(root)) / Path(os.fsdecode(relative)).parent, files)
        for root_id, root, relative, files in rows
    ]
    return sorted(found, key=lambda folder: (folder.root_id, str(folder.path).casefold()))


def ucs_counts(catalogue: Catalogue) -> list[UcsCount]:
    """The categories that occur in file names, in the order of the published list."""
    with catalogue.cursor() as cursor:
        counts = dict(
            cursor.execute(
                "SELECT ucs_cat_id, count(*) FROM files WHERE ucs_cat_id IS NOT NULL AND state <> 'missing' "
                "GROUP BY ucs_cat_id"
            ).fetchall()
        )
    return [
        UcsCount(entry.category, entry.subcategory, entry.cat_id, counts[entry.cat_id])
        for entry in ucs_table().values()
        if entry.cat_id in counts
    ]


def _column(order: Order) -> ColumnElement[object]:
    columns: dict[str, object] = {
        "name": File.name.collate("NOCASE"),
        "folder": (Root.display_path + "/" + File.folder).collate("NOCASE"),
        "category": File.ucs_cat_id,
        "format": File.container,
        "rate": File.sample_rate_hz,
        "channels": File.channels,
        "bits": File.bit_depth,
        "duration": File.duration_s,
        "peak": File.peak_db,
        "loudness": File.loudness_lufs,
        "size": File.size,
        "changed": File.mtime_ns,
        "added": File.id,
        "rating": File.rating,
        "caption": select(Caption.text)
        .where(Caption.file_id == File.id, Caption.start_s.is_(None))
        .limit(1)
        .scalar_subquery(),
    }
    return columns[order]  # type: ignore[return-value]
