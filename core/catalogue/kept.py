"""Files that the user keeps although they lie outside the library's folders, for example in a collection.

They belong to a root with an empty path and are stored by their whole paths.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from core.catalogue.bulk import as_json
from core.catalogue.models import FileState
from core.catalogue.text import describe_path, insert_text, rename_text

KEPT_ROOT = b""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A kept file as the catalogue knows it."""

    id: int
    path: str
    size: int
    mtime_ns: int
    state: FileState


def keep_file(session: Session, path: Path) -> int:
    """Make a file part of the library and give its id; one that is in it already keeps its own.

    Args:
        session: For writing.
        path: Exact and absolute, links resolved; the file exists.
    """
    connection = session.connection()
    whole = os.fsencode(path)
    known = _known_at(connection, path)
    status = os.stat(path)  # noqa: PTH116 - a path of any bytes
    if known is not None:
        file_id, is_kept, state = known
        if is_kept and state == FileState.MISSING:
            refresh_kept(session, [(file_id, status)])
        return file_id
    root_id = _kept_root(connection)
    text = describe_path(os.fsdecode(whole))
    made = connection.exec_driver_sql(
        "INSERT INTO files (root_id, relative_path, display_path, folder, name, extension, ucs_cat_id, size, "
        "mtime_ns, state, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'scanned', ?)",
        (
            *(root_id, whole, text.display_path, text.folder, text.name, text.extension, text.ucs_cat_id),
            *(status.st_size, status.st_mtime_ns, time.time()),
        ),
    ).lastrowid
    insert_text(connection, [(int(made), text)])
    return int(made)


def list_kept(session: Session) -> list[KeptFile]:
    """All kept files, missing ones included."""
    rows = session.connection().exec_driver_sql(
        "SELECT f.id, f.relative_path, f.size, f.mtime_ns, f.state FROM files f JOIN roots r ON r.id = f.root_id "
        "WHERE r.path = ? ORDER BY f.id",
        (KEPT_ROOT,),
    )
    return [
        KeptFile(file_id, os.fsdecode(path), size, mtime_ns, FileState(state))
        for file_id, path, size, mtime_ns, state in rows
    ]


def refresh_kept(session: Session, found: Iterable[tuple[int, os.stat_result | None]]) -> None:
    """Follow kept files on disk: those that are gone, those that came back, those that changed."""
    connection = session.connection()
    for file_id, status in found:
        if status is None:
            connection.exec_driver_sql("UPDATE files SET state = 'missing' WHERE id = ?", (file_id,))
            continue
        connection.exec_driver_sql(
            "UPDATE files SET state = CASE WHEN size <> :size OR mtime_ns <> :mtime THEN 'scanned' "
            "WHEN indexed_at IS NOT NULL THEN 'ready' WHEN skip_reason IS NOT NULL THEN 'skipped' ELSE 'scanned' END, "
            "indexed_at = CASE WHEN size <> :size OR mtime_ns <> :mtime THEN NULL ELSE indexed_at END, "
            "skip_reason = CASE WHEN size <> :size OR mtime_ns <> :mtime THEN NULL ELSE skip_reason END, "
            "size = :size, mtime_ns = :mtime WHERE id = :id",
            {"size": status.st_size, "mtime": status.st_mtime_ns, "id": file_id},
        )


def forget_unused(session: Session, file_ids: Sequence[int]) -> None:
    """Forget kept files that stand in no collection any more and carry no mark of the user."""
    session.connection().exec_driver_sql(
        "DELETE FROM files WHERE id IN (SELECT value FROM json_each(?)) "
        "AND root_id = (SELECT id FROM roots WHERE path = ?) AND rating = 0 AND NOT is_favourite "
        "AND NOT EXISTS (SELECT 1 FROM collection_files c WHERE c.file_id = files.id) "
        "AND NOT EXISTS (SELECT 1 FROM file_tags t WHERE t.file_id = files.id) "
        "AND NOT EXISTS (SELECT 1 FROM captions c WHERE c.file_id = files.id AND c.origin = 'user')",
        (as_json(file_ids), KEPT_ROOT),
    )


def move_below_root(session: Session, root_id: int, root_path: Path) -> None:
    """Let kept files that lie in a folder which has just been added belong to that folder, with all they carry."""
    connection = session.connection()
    prefix = os.fsencode(root_path).rstrip(os.fsencode(os.sep)) + os.fsencode(os.sep)
    for kept in list_kept(session):
        whole = os.fsencode(kept.path)
        if whole.startswith(prefix):
            relative = whole[len(prefix) :]
            text = describe_path(os.fsdecode(relative))
            connection.exec_driver_sql(
                "UPDATE files SET root_id = ?, relative_path = ?, display_path = ?, folder = ? WHERE id = ?",
                (root_id, relative, text.display_path, text.folder, kept.id),
            )
            rename_text(connection, kept.id, text)


def _known_at(connection: Connection, path: Path) -> tuple[int, bool, str] | None:
    """The id of a file that the library has at a path, whether it is a kept one, and its state."""
    places = [(os.fsencode(parent), os.fsencode(path.relative_to(parent))) for parent in path.parents]
    for root, relative in [*places, (KEPT_ROOT, os.fsencode(path))]:
        row = connection.exec_driver_sql(
            "SELECT f.id, f.state FROM files f JOIN roots r ON r.id = f.root_id "
            "WHERE r.path = ? AND f.relative_path = ?",
            (root, relative),
        ).one_or_none()
        if row is not None:
            return int(row.id), root == KEPT_ROOT, row.state
    return None


def _kept_root(connection: Connection) -> int:
    connection.exec_driver_sql(
        "INSERT OR IGNORE INTO roots (path, display_path, state, added_at) VALUES (?, '', 'online', ?)",
        (KEPT_ROOT, time.time()),
    )
    return int(connection.exec_driver_sql("SELECT id FROM roots WHERE path = ?", (KEPT_ROOT,)).scalar_one())
