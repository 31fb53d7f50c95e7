"""Sentences about files: what a model wrote, what a person made of it, and which files wait for one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from core.catalogue.bulk import as_json, id_array
from core.catalogue.catalogue import Catalogue
from core.catalogue.text import refresh_captions
from core.errors import LibraryError
from core.types import IntArray

MAX_CAPTION_LENGTH = 2_000

# A caption of the whole file; a file has one at most.
_WHOLE = "start_s IS NULL"
_COLUMNS = "text, confidence, origin, tags, alternatives, original, is_sure"


@dataclass(frozen=True, slots=True)
class CaptionRow:
    """What is said of a file in words.

    Attributes:
        text: The sentence; empty where the model gave tags only.
        confidence: Of the model in its sentence, 0 to 1, or None where it gave none.
        origin: Who wrote `text`.
        tags: Single words and short names that the model heard, likeliest first.
        alternatives: Other sentences of the model, likeliest first.
        original: The model's sentence where a person has changed it.
        is_sure: Whether the model stands by its sentence; a person always does.
    """

    text: str
    confidence: float | None
    origin: Literal["model", "user"]
    tags: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()
    original: str | None = None
    is_sure: bool = True

    @property
    def shown(self) -> str:
        """The sentence, or the tags where the model is unsure of it."""
        if self.is_sure or self.origin == "user" or not self.tags:
            return self.text
        return ", ".join(self.tags)


@dataclass(frozen=True, slots=True)
class ModelCaption:
    """What a captioning model says of a file, as it is stored."""

    file_id: int
    text: str
    confidence: float | None
    tags: tuple[str, ...]
    alternatives: tuple[str, ...]
    is_sure: bool
    content_hash: bytes | None = None
    """Of the bytes that were heard; a caption of other bytes is not stored. None: not checked."""


@dataclass(frozen=True, slots=True)
class FileToCaption:
    """A file that is to be described, as it was indexed."""

    id: int
    path: Path
    content_hash: bytes
    size: int
    mtime_ns: int


def file_to_caption(catalogue: Catalogue, file_id: int) -> FileToCaption | None:
    """A file that is indexed, or None where it is not, or not any more."""
    with catalogue.cursor() as cursor:
        row = cursor.execute(
            "SELECT f.id, r.path, f.relative_path, f.content_hash, f.size, f.mtime_ns FROM files f "
            "JOIN roots r ON r.id = f.root_id WHERE f.id = ? AND f.state = 'ready' AND f.content_hash IS NOT NULL",
            (file_id,),
        ).fetchone()
    if row is None:
        return None
    found_id, root_path, relative_path, content_hash, size, mtime_ns = row
    path = Path(os.fsdecode(os.path.join(root_path, relative_path)))  # noqa: PTH118 - bytes
    return FileToCaption(found_id, path, content_hash, size, mtime_ns)


def known_caption(catalogue: Catalogue, file: FileToCaption, *, model_id: str) -> ModelCaption | None:
    """What a model wrote of another file of the same bytes, for this one; or None."""
    with catalogue.cursor() as cursor:
        row = cursor.execute(
            "SELECT c.text, c.confidence, c.tags, c.alternatives, c.is_sure FROM captions c "
            "JOIN files f ON f.id = c.file_id WHERE f.content_hash = ? AND c.model_id = ? AND c.origin = 'model' "
            f"AND f.id <> ? AND c.{_WHOLE} LIMIT 1",
            (file.content_hash, model_id, file.id),
        ).fetchone()
    if row is None:
        return None
    text, confidence, tags, alternatives, is_sure = row
    return ModelCaption(
        file.id, text, confidence, tuple(json.loads(tags)), tuple(json.loads(alternatives)), bool(is_sure),
        file.content_hash,
    )  # fmt: skip


def captions_of(catalogue: Catalogue, file_ids: Sequence[int]) -> dict[int, tuple[CaptionRow, ...]]:
    """The captions of some files, those of the whole file first; files without one are absent."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            f"SELECT file_id, {_COLUMNS} FROM captions WHERE file_id IN (SELECT value FROM json_each(?)) "
            "ORDER BY file_id, start_s IS NOT NULL, start_s, id",
            (as_json(file_ids),),
        ).fetchall()
    found: dict[int, tuple[CaptionRow, ...]] = {}
    for file_id, *rest in rows:
        found[file_id] = (*found.get(file_id, ()), _caption_row(*rest))
    return found


def pending_caption_ids(
    catalogue: Catalogue, *, model_id: str | None, among: Sequence[int] | IntArray | None = None
) -> IntArray:
    """Files (m,), ascending, that are indexed and reachable and for which neither this model nor a person wrote.

    Args:
        catalogue: The library's database.
        model_id: Of the captioning model; None: files without any caption.
        among: Ids of the only files that count, or None for all.
    """
    author = "1" if model_id is None else "(origin = 'user' OR model_id = :model)"
    # All described files at once: faster than looking them up one by one, but not for the few rows on screen.
    described = f"SELECT file_id FROM captions WHERE {author}"
    if among is not None:
        described += " AND file_id IN (SELECT value FROM json_each(:among))"
    chosen = "" if among is None else "AND id IN (SELECT value FROM json_each(:among)) "
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            "SELECT id FROM files WHERE state = 'ready' AND root_id IN (SELECT id FROM roots WHERE state = 'online') "
            f"{chosen}AND id NOT IN ({described}) ORDER BY id",
            {"model": model_id, "among": None if among is None else as_json(among)},
        ).fetchall()
    return id_array(rows)


def store_captions(session: Session, captions: Iterable[ModelCaption], *, model_id: str) -> int:
    """Keep what a model wrote; a sentence by a person stays, with the model's beside it as the original.

    Returns:
        How many were stored; files that are gone or have changed since they were heard are left out.
    """
    connection = session.connection()
    stored = [caption.file_id for caption in captions if _store(connection, caption, model_id)]
    refresh_captions(connection, stored)
    return len(stored)


def edit_caption(session: Session, file_id: int, text: str) -> None:
    """Put a person's sentence in the place of the model's, which is kept as the original.

    Raises:
        LibraryError: The file is unknown, or the sentence is empty or too long.
    """
    text = " ".join(text.split())
    if not text:
        raise LibraryError("A caption needs some words.", "Write a sentence, or restore what the model wrote.")
    if len(text) > MAX_CAPTION_LENGTH:
        raise LibraryError(f"A caption has at most {MAX_CAPTION_LENGTH:,} characters.", "Shorten it.")
    connection = session.connection()
    changed = connection.exec_driver_sql(
        "UPDATE captions SET original = CASE origin WHEN 'model' THEN text ELSE original END, text = ?, "
        f"origin = 'user' WHERE file_id = ? AND {_WHOLE}",
        (text, file_id),
    ).rowcount
    if not changed:
        if connection.exec_driver_sql("SELECT 1 FROM files WHERE id = ?", (file_id,)).first() is None:
            raise LibraryError("The file is no longer in the library.", "Look for it again.")
        connection.exec_driver_sql(
            "INSERT INTO captions (file_id, text, origin, added_at) VALUES (?, ?, 'user', ?)",
            (file_id, text, time.time()),
        )
    refresh_captions(connection, [file_id])


def restore_caption(session: Session, file_id: int) -> None:
    """Take back what a person wrote; the model's sentence stands again, where there was one."""
    connection = session.connection()
    connection.exec_driver_sql(
        f"DELETE FROM captions WHERE file_id = ? AND {_WHOLE} AND origin = 'user' AND original IS NULL", (file_id,)
    )
    connection.exec_driver_sql(
        "UPDATE captions SET text = original, original = NULL, origin = 'model' "
        f"WHERE file_id = ? AND {_WHOLE} AND origin = 'user'",
        (file_id,),
    )
    refresh_captions(connection, [file_id])


def take_over_captions(connection: Connection, old_id: int, new_id: int) -> None:
    """Let a file that was moved, now known by its old row, have what was written of it under the new one.

    A file has one caption of the whole at most: a person's wins over a model's, and the old row's over the new one's.
    """
    origins = dict(
        tuple(row)
        for row in connection.exec_driver_sql(
            f"SELECT file_id, origin FROM captions WHERE file_id IN (?, ?) AND {_WHOLE}", (old_id, new_id)
        )
    )
    if old_id in origins and new_id in origins:
        is_better = origins[new_id] == "user" and origins[old_id] == "model"
        loser = old_id if is_better else new_id
        connection.exec_driver_sql(f"DELETE FROM captions WHERE file_id = ? AND {_WHOLE}", (loser,))
    connection.exec_driver_sql("UPDATE captions SET file_id = ? WHERE file_id = ?", (old_id, new_id))


def forget_model_captions(connection: Connection, file_ids: Sequence[int]) -> None:
    """Forget what a model wrote of files whose bytes are others now; what a person wrote stays."""
    chosen = (as_json(file_ids),)
    connection.exec_driver_sql(
        "DELETE FROM captions WHERE origin = 'model' AND file_id IN (SELECT value FROM json_each(?))", chosen
    )
    connection.exec_driver_sql(
        "UPDATE captions SET original = NULL, model_id = NULL, confidence = NULL, tags = '[]', alternatives = '[]' "
        "WHERE file_id IN (SELECT value FROM json_each(?))",
        chosen,
    )
    refresh_captions(connection, file_ids)


def _store(connection: Connection, caption: ModelCaption, model_id: str) -> bool:
    present = connection.exec_driver_sql(
        "SELECT content_hash FROM files WHERE id = ?", (caption.file_id,)
    ).one_or_none()
    if present is None or caption.content_hash not in (None, present.content_hash):
        return False
    made = (
        *(model_id, caption.confidence, json.dumps(caption.tags), json.dumps(caption.alternatives)),
        *(caption.is_sure, time.time()),
    )
    changed = connection.exec_driver_sql(
        "UPDATE captions SET original = CASE origin WHEN 'user' THEN ? ELSE NULL END, "
        "text = CASE origin WHEN 'user' THEN text ELSE ? END, "
        "model_id = ?, confidence = ?, tags = ?, alternatives = ?, is_sure = ?, added_at = ? "
        f"WHERE file_id = ? AND {_WHOLE}",
        (caption.text, caption.text, *made, caption.file_id),
    ).rowcount
    if not changed:
        connection.exec_driver_sql(
            "INSERT INTO captions (file_id, text, origin, model_id, confidence, tags, alternatives, is_sure, "
            "added_at) VALUES (?, ?, 'model', ?, ?, ?, ?, ?, ?)",
            (caption.file_id, caption.text, *made),
        )
    return True


def _caption_row(
    text: str,
    confidence: float | None,
    origin: Literal["model", "user"],
    tags: str,
    alternatives: str,
    original: str | None,
    is_sure: int,
) -> CaptionRow:
    return CaptionRow(
        text, confidence, origin, tuple(json.loads(tags)), tuple(json.loads(alternatives)), original, bool(is_sure)
    )
