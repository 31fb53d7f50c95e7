"""What searching and showing ask of the catalogue."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, select
from sqlalchemy.sql import visitors

from core.catalogue.bulk import as_json, id_array, unpack_vectors
from core.catalogue.catalogue import Catalogue
from core.catalogue.models import File, FileState, RootState
from core.errors import QueryError
from core.types import FloatArray, IntArray

TEXT_COLUMNS = ("name", "folder", "metadata", "captions")
"""Columns of the full-text table, in their order."""

# A word in the name says more about a sound than one in a long description or in the folders above it.
_COLUMN_WEIGHTS = "bm25(4.0, 1.5, 2.0, 2.0)"


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file as lists show it. What is unknown as yet is None."""

    id: int
    path: Path
    state: FileState
    is_offline: bool
    size: int
    mtime_ns: int
    container: str | None
    encoding: str | None
    sample_rate_hz: int | None
    channels: int | None
    bit_depth: int | None
    duration_s: float | None
    peak_db: float | None
    loudness_lufs: float | None
    ucs_cat_id: str | None


_FILE_ROW = """
SELECT f.id, r.path, f.relative_path, f.state, r.state, f.size, f.mtime_ns, f.container, f.encoding, f.sample_rate_hz,
       f.channels, f.bit_depth, f.duration_s, f.peak_db, f.loudness_lufs, f.ucs_cat_id
FROM files f JOIN roots r ON r.id = f.root_id
"""


@dataclass(frozen=True, slots=True)
class WindowTable:
    """Where windows lie, by ascending label.

    Attributes:
        labels: (m,) ids of their embeddings.
        files: (m,) the file of each.
        starts_s: (m,) where it begins in its file.
        ends_s: (m,) where it ends.
    """

    labels: IntArray
    files: IntArray
    starts_s: FloatArray
    ends_s: FloatArray

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, rows: IntArray | npt.NDArray[np.bool_]) -> WindowTable:
        """Some of the rows: their numbers, or a mask (m,)."""
        return WindowTable(self.labels[rows], self.files[rows], self.starts_s[rows], self.ends_s[rows])

    def joined(self, other: WindowTable) -> WindowTable:
        """Both together; they have no window in common."""
        both = WindowTable(
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.files, other.files]),
            np.concatenate([self.starts_s, other.starts_s]),
            np.concatenate([self.ends_s, other.ends_s]),
        )
        return both.taken(np.argsort(both.labels))


@dataclass(frozen=True, slots=True)
class _Presence:
    """How many files there are and which are missing, as of a data version."""

    data_version: int
    available: int
    missing_ids: IntArray


class Repository:
    """Reads one library, with the embeddings of one model. May be used from several threads.

    Each call sees what other processes have committed by then. Missing files stay out of everything except where
    they are asked for.

    Args:
        catalogue: The library's database.
        model_id: The model whose embeddings are meant.
        dimension: Of its embeddings.
    """

    def __init__(self, catalogue: Catalogue, *, model_id: str, dimension: int) -> None:
        self._catalogue = catalogue
        self._model_id = model_id
        self._dimension = dimension
        self._presence = _Presence(-1, 0, np.empty(0, dtype=np.int64))

    def available_count(self) -> int:
        """Files that are not missing."""
        return self._fresh_presence().available

    def missing_file_ids(self) -> IntArray:
        """Ascending ids (m,) of missing files."""
        return self._fresh_presence().missing_ids

    def _fresh_presence(self) -> _Presence:
        # Every search asks, and counting 200,000 files would take as long as searching them.
        version = self._catalogue.data_version()
        presence = self._presence
        if presence.data_version != version:
            with self._catalogue.cursor() as cursor:
                count = cursor.execute("SELECT count(*) FROM files").fetchone()[0]
                missing = cursor.execute("SELECT id FROM files WHERE state = 'missing' ORDER BY id").fetchall()
            presence = _Presence(version, count - len(missing), id_array(missing))
            self._presence = presence
        return presence

    def file_ids_where(self, *conditions: ColumnElement[bool]) -> IntArray:
        """Ascending ids (m,) of files that meet all conditions.

        Args:
            conditions: Expressions over `File`. Missing files are left out unless one of these speaks of the state.
        """
        statement = select(File.id).where(*conditions).order_by(File.id)
        if not any(speaks_of_state(condition) for condition in conditions):
            statement = statement.where(File.state != FileState.MISSING)
        with self._catalogue.session() as session:
            # The bare cursor below SQLAlchemy's rows: 200,000 ids in a tenth of a second instead of a half.
            cursor = session.connection().execute(statement).cursor
            assert cursor is not None
            return id_array(cursor.fetchall())

    def labels_of_files(self, file_ids: IntArray) -> IntArray:
        """Ascending labels (m,) of all windows of some files."""
        with self._catalogue.cursor() as cursor:
            rows = cursor.execute(
                "SELECT id FROM embeddings WHERE model_id = ? AND file_id IN (SELECT value FROM json_each(?))",
                (self._model_id, as_json(file_ids)),
            ).fetchall()
        return np.sort(id_array(rows))

    def windows_of_files(self, file_ids: IntArray) -> WindowTable:
        """All windows of some files."""
        # In this order both are read from indexes that hold all that is wanted: the vectors' pages are not touched.
        return self._windows(
            "SELECT e.id, w.file_id, w.start_s, w.end_s FROM windows w "
            "CROSS JOIN embeddings e ON e.window_id = w.id AND e.model_id = ? "
            "WHERE w.file_id IN (SELECT value FROM json_each(?)) ORDER BY e.id",
            (self._model_id, as_json(file_ids)),
        )

    def windows_of_labels(self, labels: IntArray) -> WindowTable:
        """Those windows of some labels, in any order, that still exist."""
        return self._windows(
            "SELECT e.id, e.file_id, w.start_s, w.end_s FROM embeddings e JOIN windows w ON w.id = e.window_id "
            "WHERE e.id IN (SELECT value FROM json_each(?)) ORDER BY e.id",
            (as_json(labels),),
        )

    def _windows(self, statement: str, parameters: tuple[object, ...]) -> WindowTable:
        with self._catalogue.cursor() as cursor:
            rows = cursor.execute(statement, parameters).fetchall()
        table = np.fromiter(chain.from_iterable(rows), dtype=np.float64, count=4 * len(rows)).reshape(-1, 4).T
        labels, files = table[:2].astype(np.int64)
        starts_s, ends_s = table[2:].astype(np.float32)
        return WindowTable(labels, files, starts_s, ends_s)

    def known_vectors(self, labels: IntArray) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Which of the labels (n,) still exist, and the vectors (m, d) of those, in their order.

        Between two looks at the catalogue a job may have removed some.
        """
        with self._catalogue.cursor() as cursor:
            found = dict(
                cursor.execute(
                    "SELECT id, vector FROM embeddings WHERE id IN (SELECT value FROM json_each(?))",
                    (as_json(labels),),
                ).fetchall()
            )
        wanted = labels.tolist()
        exists = np.fromiter((label in found for label in wanted), dtype=np.bool_, count=len(wanted))
        return exists, unpack_vectors([found[label] for label in wanted if label in found], self._dimension)

    def file_vector(self, file_id: int) -> FloatArray | None:
        """The vector (d,) of a whole file, or None while it has none."""
        with self._catalogue.cursor() as cursor:
            row = cursor.execute(
                "SELECT vector FROM file_embeddings WHERE file_id = ? AND model_id = ?", (file_id, self._model_id)
            ).fetchone()
        return None if row is None else unpack_vectors([row[0]], self._dimension)[0]

    def file_vectors(self, file_ids: IntArray) -> dict[int, FloatArray]:
        """The vectors (d,) of some whole files by id; files without one are absent."""
        with self._catalogue.cursor() as cursor:
            rows = cursor.execute(
                "SELECT file_id, vector FROM file_embeddings "
                "WHERE model_id = ? AND file_id IN (SELECT value FROM json_each(?))",
                (self._model_id, as_json(file_ids)),
            ).fetchall()
        vectors = unpack_vectors([vector for _, vector in rows], self._dimension)
        return {file_id: vector for (file_id, _), vector in zip(rows, vectors, strict=True)}

    def ids_of_same_bytes(self, file_id: int) -> list[int]:
        """Other files, not missing, whose bytes are those of a file."""
        with self._catalogue.cursor() as cursor:
            rows = cursor.execute(
                "SELECT o.id FROM files f JOIN files o ON o.content_hash = f.content_hash "
                "WHERE f.id = ? AND o.id <> f.id AND o.state <> 'missing' ORDER BY o.id",
                (file_id,),
            ).fetchall()
        return [row[0] for row in rows]

    def files_by_id(self, file_ids: Sequence[int]) -> dict[int, FileRow]:
        """What is known of some files, missing ones included; ids that do not exist are left out."""
        rows = self._file_rows("WHERE f.id IN (SELECT value FROM json_each(?))", as_json(file_ids))
        return {row.id: row for row in rows}

    def files_by_path(self, file_ids: IntArray, *, limit: int) -> list[FileRow]:
        """The first of some files in the order of their paths."""
        return self._file_rows(
            "WHERE f.id IN (SELECT value FROM json_each(?)) ORDER BY r.display_path, f.display_path, f.id LIMIT ?",
            as_json(file_ids),
            limit,
        )

    def file_at(self, path: Path) -> FileRow | None:
        """The file of a path below one of the roots, or None."""
        whole = os.path.realpath(path)
        # The last place is that of files kept outside all folders.
        places = [(str(parent), os.path.relpath(whole, parent)) for parent in Path(whole).parents] + [("", whole)]
        for parent, relative in places:
            found = self._file_rows(
                "WHERE r.path = ? AND f.relative_path = ?", os.fsencode(parent), os.fsencode(relative)
            )
            if found:
                return found[0]
        return None

    def full_text(
        self, expression: str, *, limit: int, among: IntArray | None = None
    ) -> list[tuple[int, tuple[str, str, str, str]]]:
        """Files whose text matches, best first by weighted BM25, with the text of each of `TEXT_COLUMNS`.

        Args:
            expression: In the language of SQLite's FTS5, quoted as it demands.
            limit: How many at most.
            among: Ids of the only files that count, or None for all.

        Raises:
            QueryError: The expression cannot be understood.
        """
        # The plus keeps SQLite from looking the expression up once for every id.
        chosen = "" if among is None else "AND +t.rowid IN (SELECT value FROM json_each(?)) "
        rows = self._match(
            "SELECT t.rowid, t.name, t.folder, t.metadata, t.captions FROM file_text t "
            "JOIN files f ON f.id = t.rowid WHERE t.file_text MATCH ? AND t.rank MATCH ? "
            f"AND f.state <> 'missing' {chosen}ORDER BY t.rank LIMIT ?",
            (expression, _COLUMN_WEIGHTS, *(() if among is None else (as_json(among),)), limit),
        )
        return [(int(file_id), (name, folder, fields, captions)) for file_id, name, folder, fields, captions in rows]

    def full_text_ids(self, expression: str) -> IntArray:
        """Ascending ids (m,) of all files whose text matches, missing ones included.

        Raises:
            QueryError: The expression cannot be understood.
        """
        return id_array(
            self._match("SELECT rowid FROM file_text WHERE file_text MATCH ? ORDER BY rowid", (expression,))
        )

    def _match(self, statement: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._catalogue.cursor() as cursor:
            try:
                return cursor.execute(statement, parameters).fetchall()
            except sqlite3.OperationalError as error:
                # The only errors of ours here: everything else has a code of its own.
                if error.sqlite_errorname != "SQLITE_ERROR":
                    raise
                raise QueryError("The words of the query cannot be looked up.", f"Quote them ({error}).") from error

    def _file_rows(self, where: str, *parameters: object) -> list[FileRow]:
        with self._catalogue.cursor() as cursor:
            rows = cursor.execute(_FILE_ROW + where, parameters).fetchall()
        return [
            FileRow(
                file_id,
                Path(os.fsdecode(root_path)) / os.fsdecode(relative_path),
                FileState(state),
                root_state == RootState.OFFLINE,
                *rest,
            )
            for file_id, root_path, relative_path, state, root_state, *rest in rows
        ]


def speaks_of_state(condition: ColumnElement[bool]) -> bool:
    """Whether a condition chooses files by their state."""
    return any(
        getattr(element, "table", None) is File.__table__ and getattr(element, "key", None) == "state"
        for element in visitors.iterate(condition)
    )
