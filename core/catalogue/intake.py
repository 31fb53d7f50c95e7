"""Stores what indexing finds, a batch in one transaction."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from core.catalogue.bulk import STORED_VECTOR, as_json, id_array, pack_vectors
from core.catalogue.caption import forget_model_captions, take_over_captions
from core.catalogue.models import EmbeddingModel
from core.catalogue.record import (
    FailedFile,
    IndexedFile,
    KnownFile,
    Outcome,
    PendingFile,
    Twin,
    VanishedFile,
)
from core.catalogue.text import describe_path, refresh_captions, refresh_metadata, rename_text
from core.errors import LibraryError
from core.types import IntArray

# Lacks only embeddings by the model in question: it is ready, with those of another.
_SETTLED = (
    "(f.state = 'ready' AND NOT EXISTS "
    "(SELECT 1 FROM file_embeddings e WHERE e.file_id = f.id AND e.model_id = :model))"
)
_PENDING = f"(f.state = 'scanned' OR {_SETTLED}) AND r.state = 'online'"

# Columns that come from the bytes alone, so that files of the same bytes share them.
_CONTENT_COLUMNS = (
    "content_hash, container, encoding, sample_rate_hz, channels, bit_depth, duration_s, peak_db, loudness_lufs"
)

# A time of change that no file has, so that the next scan finds the file changed.
_NEVER_NS = -(1 << 62)

_SET_CONTENT = """
UPDATE files SET size = ?, mtime_ns = ?, state = 'ready', skip_reason = NULL, indexed_at = ?, content_hash = ?,
    container = ?, encoding = ?, sample_rate_hz = ?, channels = ?, bit_depth = ?, duration_s = ?, peak_db = ?,
    loudness_lufs = ?
WHERE id = ?
"""


class Intake:
    """Writes the outcomes of indexing with one model.

    Args:
        model_id: The model.
        dimension: Of its embeddings.
    """

    def __init__(self, *, model_id: str, dimension: int) -> None:
        self._model_id = model_id
        self._dimension = dimension
        self._relinked: set[int] = set()

    def register_model(self, session: Session) -> None:
        """Make the model known to the catalogue.

        Raises:
            LibraryError: The library holds vectors of another length under this model's name.
        """
        known = session.get(EmbeddingModel, self._model_id)
        if known is None:
            session.add(EmbeddingModel(id=self._model_id, dimension=self._dimension, added_at=time.time()))
        elif known.dimension != self._dimension:
            raise LibraryError(
                f"The library holds embeddings of the model {self._model_id} with {known.dimension} numbers, "
                f"but the model gives {self._dimension}.",
                "Use the model that the library was indexed with, or give the new one another id.",
            )

    def pending_ids(self, session: Session) -> IntArray:
        """Files that wait: new or changed ones, then those that lack this model's embeddings.

        Those that may have been moved come first, since they take next to no time.
        """
        rows = session.connection().exec_driver_sql(
            f"SELECT f.id FROM files f JOIN roots r ON r.id = f.root_id WHERE {_PENDING} "
            "ORDER BY f.state <> 'scanned', "
            "NOT EXISTS (SELECT 1 FROM files m WHERE m.state = 'missing' AND m.size = f.size), f.id",
            {"model": self._model_id},
        )
        return id_array(rows.all())

    def pending_files(self, session: Session, ids: IntArray) -> list[PendingFile]:
        """What a worker must know of some files, in the order of `ids`; those that are gone are left out."""
        rows = session.connection().exec_driver_sql(
            "SELECT f.id, r.path AS root_path, f.relative_path, f.content_hash, EXISTS (SELECT 1 "
            "FROM file_embeddings e WHERE e.file_id = f.id AND e.model_id = :model) AS is_embedded "
            "FROM files f JOIN roots r ON r.id = f.root_id "
            "WHERE f.id IN (SELECT value FROM json_each(:ids))",
            {"model": self._model_id, "ids": as_json(ids)},
        )
        files = {
            row.id: PendingFile(
                id=row.id,
                path=os.fsdecode(os.path.join(row.root_path, row.relative_path)),  # noqa: PTH118 - bytes
                root_path=os.fsdecode(row.root_path),
                content_hash=row.content_hash,
                is_embedded=bool(row.is_embedded),
            )
            for row in rows
        }
        return [files[file_id] for file_id in ids.tolist() if file_id in files]

    def twins(self, session: Session) -> dict[bytes, Twin]:
        """By content hash, embedded rows that a waiting file may equal, because another of its size exists."""
        rows = session.connection().exec_driver_sql(
            "SELECT t.content_hash, t.id, t.relative_path, t.state, tr.path AS root_path FROM files t "
            "JOIN roots tr ON tr.id = t.root_id "
            "WHERE t.content_hash IS NOT NULL AND t.size IN (SELECT f.size FROM files f "
            f"JOIN roots r ON r.id = f.root_id WHERE {_PENDING}) "
            "AND EXISTS (SELECT 1 FROM file_embeddings e WHERE e.file_id = t.id AND e.model_id = :model) "
            # Of several, one that is missing comes last and wins: a move is likelier than a copy.
            "ORDER BY t.state = 'missing', t.id",
            {"model": self._model_id},
        )
        return {
            row.content_hash: Twin(
                id=row.id,
                path=os.fsdecode(os.path.join(row.root_path, row.relative_path)),  # noqa: PTH118 - bytes
                root_path=os.fsdecode(row.root_path),
                is_missing=row.state == "missing",
            )
            for row in rows
        }

    def store(self, session: Session, outcomes: Sequence[Outcome]) -> list[int]:
        """Write a batch.

        Returns:
            Ids of files that must be indexed after all, because what they were equal to has changed meanwhile.
        """
        connection = session.connection()
        self._store_indexed(connection, [file for file in outcomes if isinstance(file, IndexedFile)])
        stale = []
        for outcome in outcomes:
            match outcome:
                case KnownFile() if not self._store_known(connection, outcome):
                    stale.append(outcome.file_id)
                case FailedFile():
                    self._store_failed(connection, outcome)
                case VanishedFile():
                    connection.exec_driver_sql("UPDATE files SET state = 'missing' WHERE id = ?", (outcome.file_id,))
        return stale

    def _store_indexed(self, connection: Connection, files: Sequence[IndexedFile]) -> None:
        if not files:
            return
        # A missing file of the same bytes has no embeddings by this model, else the file would not have been
        # decoded; but it may have tags, captions and embeddings by another.
        moved = self._missing_of_same_bytes(connection, files)
        rows = [(self._adopt(connection, moved[file.file_id], file.file_id), file) for file in files]
        self._forget_other_content(connection, [(file_id, file.content_hash) for file_id, file in rows])
        now = time.time()
        connection.exec_driver_sql(
            _SET_CONTENT,
            [
                (
                    *(file.stamp.size, file.stamp.mtime_ns, now, file.content_hash),
                    *(file.content.info.container, file.content.info.encoding),
                    *(file.content.info.sample_rate_hz, file.content.info.channels),
                    *(file.content.info.bit_depth, file.content.info.duration_s),
                    *(file.content.peak_db, file.content.loudness_lufs, file_id),
                )
                for file_id, file in rows
            ],
        )
        self._write_metadata(connection, rows)
        connection.exec_driver_sql(
            "INSERT OR REPLACE INTO peaks (file_id, overview) VALUES (?, ?)",
            [(file_id, file.content.peaks.to_bytes()) for file_id, file in rows],
        )
        self._write_vectors(connection, rows)

    def _missing_of_same_bytes(self, connection: Connection, files: Sequence[IndexedFile]) -> dict[int, int]:
        """For each file the row it continues: that of a missing file if the file is new, else its own."""
        moved = {file.file_id: file.file_id for file in files}
        for file in files:
            row = connection.exec_driver_sql(
                "SELECT m.id FROM files m, files f WHERE f.id = ? AND f.content_hash IS NULL "
                "AND m.content_hash = ? AND m.state = 'missing' LIMIT 1",
                (file.file_id, file.content_hash),
            ).first()
            if row is not None and row.id not in self._relinked:
                moved[file.file_id] = row.id
                self._relinked.add(row.id)
        return moved

    def _write_metadata(self, connection: Connection, rows: Sequence[tuple[int, IndexedFile]]) -> None:
        ids = [file_id for file_id, _ in rows]
        connection.exec_driver_sql(
            "DELETE FROM metadata_fields WHERE file_id IN (SELECT value FROM json_each(?))", (as_json(ids),)
        )
        fields = [
            (file_id, position, field.scheme, field.key, field.value)
            for file_id, file in rows
            for position, field in enumerate(file.content.metadata)
        ]
        if fields:
            connection.exec_driver_sql("INSERT INTO metadata_fields VALUES (?, ?, ?, ?, ?)", fields)
        refresh_metadata(connection, ids)

    def _write_vectors(self, connection: Connection, rows: Sequence[tuple[int, IndexedFile]]) -> None:
        windows = [
            (file_id, float(start_s), float(end_s), blob)
            for file_id, file in rows
            for start_s, end_s, blob in zip(
                file.content.starts_s, file.content.ends_s, pack_vectors(file.content.vectors), strict=True
            )
        ]
        if windows:
            # Another model may have the same windows already.
            connection.exec_driver_sql(
                "INSERT OR IGNORE INTO windows (file_id, start_s, end_s) VALUES (?, ?, ?)",
                [window[:3] for window in windows],
            )
            connection.exec_driver_sql(
                "INSERT INTO embeddings (window_id, file_id, model_id, vector) "
                "SELECT id, file_id, ?, ? FROM windows WHERE file_id = ? AND start_s = ? AND end_s = ?",
                [(self._model_id, blob, *window) for *window, blob in windows],
            )
        connection.exec_driver_sql(
            "INSERT INTO file_embeddings (file_id, model_id, vector) VALUES (?, ?, ?)",
            [
                (file_id, self._model_id, file.content.file_vector.astype(STORED_VECTOR).tobytes())
                for file_id, file in rows
            ],
        )

    def _store_known(self, connection: Connection, file: KnownFile) -> bool:
        twin = connection.exec_driver_sql(
            "SELECT content_hash, EXISTS (SELECT 1 FROM file_embeddings e WHERE e.file_id = f.id "
            "AND e.model_id = :model) AS is_embedded FROM files f WHERE f.id = :id",
            {"id": file.twin_id, "model": self._model_id},
        ).first()
        if twin is None or twin.content_hash != file.content_hash or not twin.is_embedded:
            return False
        file_id = file.file_id
        if file.twin_id != file_id:
            own = connection.exec_driver_sql("SELECT content_hash FROM files WHERE id = ?", (file_id,)).scalar_one()
            # A row with a history of its own keeps its tags and only takes over the embeddings.
            if file.is_moved and own is None and file.twin_id not in self._relinked:
                self._relinked.add(file.twin_id)
                file_id = self._adopt(connection, file.twin_id, file_id)
            else:
                self._copy_content(connection, file.twin_id, file_id)
        connection.exec_driver_sql(
            "UPDATE files SET size = ?, mtime_ns = ?, state = 'ready', skip_reason = NULL, indexed_at = ? WHERE id = ?",
            (file.stamp.size, file.stamp.mtime_ns, time.time(), file_id),
        )
        return True

    def _adopt(self, connection: Connection, old_id: int, new_id: int) -> int:
        """Let the row of a file that was moved take the place of the one that the scan made; the old id stays."""
        if old_id == new_id:
            return old_id
        place: Any = connection.exec_driver_sql(
            "SELECT root_id, relative_path FROM files WHERE id = ?", (new_id,)
        ).one()
        for table in ("file_tags", "collection_files"):
            connection.exec_driver_sql(f"UPDATE OR IGNORE {table} SET file_id = ? WHERE file_id = ?", (old_id, new_id))
        take_over_captions(connection, old_id, new_id)
        connection.exec_driver_sql(
            "UPDATE files SET rating = max(rating, r), is_favourite = max(is_favourite, f) "
            "FROM (SELECT rating AS r, is_favourite AS f FROM files WHERE id = ?) WHERE id = ?",
            (new_id, old_id),
        )
        connection.exec_driver_sql("DELETE FROM files WHERE id = ?", (new_id,))
        text = describe_path(os.fsdecode(place.relative_path))
        connection.exec_driver_sql(
            "UPDATE files SET root_id = ?, relative_path = ?, display_path = ?, folder = ?, name = ?, "
            "extension = ?, ucs_cat_id = ? WHERE id = ?",
            (
                *(place.root_id, place.relative_path, text.display_path, text.folder, text.name),
                *(text.extension, text.ucs_cat_id, old_id),
            ),
        )
        rename_text(connection, old_id, text)
        refresh_captions(connection, [old_id])
        return old_id

    def _copy_content(self, connection: Connection, source_id: int, target_id: int) -> None:
        """Give a file the embeddings, format and metadata of another of the same bytes."""
        _forget_content(connection, [target_id])
        both = {"source": source_id, "target": target_id}
        for statement in (
            f"UPDATE files SET ({_CONTENT_COLUMNS}) = (SELECT {_CONTENT_COLUMNS} FROM files "
            "WHERE id = :source) WHERE id = :target",
            "INSERT INTO metadata_fields SELECT :target, position, scheme, key, value "
            "FROM metadata_fields WHERE file_id = :source",
            "INSERT INTO windows (file_id, start_s, end_s) SELECT :target, start_s, end_s "
            "FROM windows WHERE file_id = :source ORDER BY id",
            "INSERT INTO embeddings (window_id, file_id, model_id, vector) "
            "SELECT w.id, :target, e.model_id, e.vector FROM embeddings e JOIN windows v ON v.id = e.window_id "
            "JOIN windows w ON w.file_id = :target AND w.start_s = v.start_s AND w.end_s = v.end_s "
            "WHERE e.file_id = :source ORDER BY e.id",
            "INSERT INTO file_embeddings SELECT :target, model_id, vector FROM file_embeddings WHERE file_id = :source",
            "INSERT INTO peaks SELECT :target, overview FROM peaks WHERE file_id = :source",
        ):
            connection.exec_driver_sql(statement, both)
        refresh_metadata(connection, [target_id])

    def _store_failed(self, connection: Connection, file: FailedFile) -> None:
        mtime_ns = _NEVER_NS if file.is_passing else file.stamp.mtime_ns
        connection.exec_driver_sql(
            "UPDATE files SET size = ?, mtime_ns = ?, state = 'skipped', skip_reason = ?, indexed_at = NULL "
            "WHERE id = ?",
            (file.stamp.size, mtime_ns, file.reason, file.file_id),
        )
        if not file.is_passing:
            _forget_content(connection, [file.file_id])
            empty = ", ".join(f"{column.strip()} = NULL" for column in _CONTENT_COLUMNS.split(","))
            connection.exec_driver_sql(f"UPDATE files SET {empty} WHERE id = ?", (file.file_id,))
            refresh_metadata(connection, [file.file_id])

    def _forget_other_content(self, connection: Connection, files: Sequence[tuple[int, bytes]]) -> None:
        """Make room: whatever belongs to other bytes goes, and what this model made of the same bytes before."""
        hashes = dict(
            tuple(row)
            for row in connection.exec_driver_sql(
                "SELECT id, content_hash FROM files WHERE content_hash IS NOT NULL "
                "AND id IN (SELECT value FROM json_each(?))",
                (as_json([file_id for file_id, _ in files]),),
            )
        )
        changed = [file_id for file_id, content_hash in files if hashes.get(file_id, content_hash) != content_hash]
        if changed:
            _forget_content(connection, changed)
        for table in ("embeddings", "file_embeddings"):
            connection.exec_driver_sql(
                f"DELETE FROM {table} WHERE model_id = ? AND file_id IN (SELECT value FROM json_each(?))",
                (self._model_id, as_json(list(hashes))),
            )


def _forget_content(connection: Connection, file_ids: Sequence[int]) -> None:
    """Delete all that was derived from files' bytes; what the user wrote about them stays."""
    chosen = (as_json(file_ids),)
    for table in ("windows", "file_embeddings", "metadata_fields", "peaks"):
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE file_id IN (SELECT value FROM json_each(?))", chosen)
    forget_model_captions(connection, file_ids)
