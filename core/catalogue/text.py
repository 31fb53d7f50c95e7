"""The full-text table: what stands in it for a file, and how it follows the file.

Its rowid is the file's id; a trigger removes rows with their files. Triggers do not fill it, because the text is
made here: names in camel case are taken apart, and UCS categories are written out.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection

from core.audio.ucs import parse_ucs_name, ucs_table
from core.catalogue.bulk import as_json

_TEXT_LIMIT = 20_000
# Between "Door" and "Slam", "DOOR" and "Wood", "Slam" and "01".
_SEAM = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z]{2})(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


@dataclass(frozen=True, slots=True)
class PathText:
    """What a relative path says, as text.

    Attributes:
        display_path: With "/" between folders, and replacement marks for bytes that are no UTF-8.
        folder: The same without the last part; empty at the top.
        name: The last part.
        extension: Lower-case, without its dot.
        ucs_cat_id: UCS category that the name begins with, or None.
    """

    display_path: str
    folder: str
    name: str
    extension: str
    ucs_cat_id: str | None


def describe_path(relative_path: str) -> PathText:
    """Take a path below a root apart."""
    display_path = relative_path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    display_path = display_path.replace(os.sep, "/")
    folder, _, name = display_path.rpartition("/")
    stem, extension = os.path.splitext(name)  # noqa: PTH122 - for 100,000 files
    ucs = parse_ucs_name(stem)
    return PathText(display_path, folder, name, extension.lower().removeprefix("."), ucs.cat_id if ucs else None)


def searchable(text: str) -> str:
    """A name as written and, where that differs, with its parts set apart: "DoorSlam01 Door Slam 01"."""
    apart = _SEAM.sub(" ", text)
    return text if apart == text else f"{text} {apart}"


# Most files share their folder with others.
_searchable_folder = lru_cache(maxsize=1_000)(searchable)


def insert_text(connection: Connection, files: Iterable[tuple[int, PathText]]) -> None:
    """Add rows for new files: their names and folders can be searched from now on."""
    rows = [
        (file_id, searchable(path.name), _searchable_folder(path.folder), _category_text(path.ucs_cat_id))
        for file_id, path in files
    ]
    if rows:
        connection.exec_driver_sql(
            "INSERT INTO file_text (rowid, name, folder, metadata, captions) VALUES (?, ?, ?, ?, '')", rows
        )


def rename_text(connection: Connection, file_id: int, path: PathText) -> None:
    """Follow a file to another path."""
    connection.exec_driver_sql(
        "UPDATE file_text SET name = ?, folder = ? WHERE rowid = ?",
        (searchable(path.name), searchable(path.folder), file_id),
    )
    refresh_metadata(connection, [file_id])


def refresh_metadata(connection: Connection, file_ids: Sequence[int]) -> None:
    """Make the text follow `metadata_fields`, the UCS category and the tags of some files."""
    chosen = (as_json(file_ids),)
    texts = {
        file_id: [_category_text(cat_id)] if cat_id else []
        for file_id, cat_id in connection.exec_driver_sql(
            "SELECT id, ucs_cat_id FROM files WHERE id IN (SELECT value FROM json_each(?))", chosen
        )
    }
    for file_id, value in connection.exec_driver_sql(
        "SELECT file_id, value FROM metadata_fields WHERE file_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY file_id, position",
        chosen,
    ):
        texts[file_id].append(value)
    for file_id, name in connection.exec_driver_sql(
        "SELECT x.file_id, t.name FROM file_tags x JOIN tags t ON t.id = x.tag_id "
        "WHERE x.file_id IN (SELECT value FROM json_each(?)) ORDER BY t.id",
        chosen,
    ):
        texts[file_id].append(name)
    _update_column(connection, "metadata", {key: "\n".join(parts) for key, parts in texts.items()})


def refresh_captions(connection: Connection, file_ids: Sequence[int]) -> None:
    """Make the text follow the captions of some files: sentences that somebody stands by, and what was heard."""
    texts: dict[int, list[str]] = {file_id: [] for file_id in file_ids}
    for file_id, text, tags, origin, is_sure in connection.exec_driver_sql(
        "SELECT file_id, text, tags, origin, is_sure FROM captions "
        "WHERE file_id IN (SELECT value FROM json_each(?)) ORDER BY file_id, id",
        (as_json(file_ids),),
    ):
        words = json.loads(tags)
        if origin == "user" or is_sure or not words:
            texts[file_id].append(text)
        texts[file_id].extend(words)
    _update_column(connection, "captions", {key: "\n".join(parts) for key, parts in texts.items()})


def _update_column(connection: Connection, column: str, texts: dict[int, str]) -> None:
    # Most files have no metadata, and rewriting a row of the full-text table costs more than reading it.
    present = connection.exec_driver_sql(
        f"SELECT rowid, {column} FROM file_text WHERE rowid IN (SELECT value FROM json_each(?))",
        (as_json(list(texts)),),
    )
    changed = [(texts[rowid][:_TEXT_LIMIT], rowid) for rowid, before in present if before != texts[rowid][:_TEXT_LIMIT]]
    if changed:
        connection.exec_driver_sql(f"UPDATE file_text SET {column} = ? WHERE rowid = ?", changed)


def _category_text(cat_id: str | None) -> str:
    category = ucs_table().get(cat_id) if cat_id else None
    return f"{category.category} {category.subcategory}" if category else ""
