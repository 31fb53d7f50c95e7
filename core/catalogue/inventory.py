"""One scan of a root, compared with what the catalogue knows of it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from sqlalchemy import Connection

from core.catalogue.failure import shown
from core.catalogue.models import FileState, RootState
from core.catalogue.record import FoundFile
from core.catalogue.text import describe_path, insert_text

_INSERT = """
INSERT INTO files (id, root_id, relative_path, display_path, folder, name, extension, ucs_cat_id, size, mtime_ns,
                   state, skip_reason, added_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

# Values that no longer hold when the bytes changed; the embeddings stay until new ones come or the file is skipped.
_CHANGE = "UPDATE files SET size = ?, mtime_ns = ?, state = ?, skip_reason = ?, indexed_at = NULL WHERE id = ?"

_VANISH = """
UPDATE files SET state = 'missing'
WHERE root_id = ? AND state <> 'missing'
  AND relative_path NOT IN (SELECT relative_path FROM temp.walked)
  AND NOT EXISTS (SELECT 1 FROM temp.unread WHERE substr(relative_path, 1, length(prefix)) = prefix)
"""


@dataclass(slots=True)
class ScanTally:
    """How many files of each kind a scan met."""

    seen: int = 0
    new: int = 0
    changed: int = 0
    returned: int = 0
    vanished: int = 0


class Inventory:
    """Takes in what a scan finds below one root, part by part, and concludes what is gone.

    Each call is one transaction, so that names can be searched while a long scan goes on, and a scan that is broken
    off marks nothing as missing. Constant memory: the paths seen lie in a temporary table.

    Args:
        connection: For writing, outside a transaction; nothing else may use it meanwhile.
        root_id: The root.
    """

    def __init__(self, connection: Connection, root_id: int) -> None:
        self._connection = connection
        self._root_id = root_id
        self.tally = ScanTally()
        with connection.begin():
            for table in ("walked", "unread"):
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS temp.{table}")
            connection.exec_driver_sql("CREATE TEMP TABLE walked (relative_path BLOB PRIMARY KEY) WITHOUT ROWID")
            connection.exec_driver_sql("CREATE TEMP TABLE unread (prefix BLOB)")

    def take(self, files: Sequence[FoundFile]) -> list[FoundFile]:
        """Record some files that were found.

        Returns:
            Those with a problem that was not known before.
        """
        found = {os.fsencode(file.relative_path): file for file in files}
        if not found:
            return []
        news: list[tuple[bytes, FoundFile]] = []
        changes: list[tuple[object, ...]] = []
        problems: list[FoundFile] = []
        returns: list[tuple[int]] = []
        with self._connection.begin():
            self._connection.exec_driver_sql(
                "INSERT OR IGNORE INTO temp.walked VALUES (?)", [(path,) for path in found]
            )
            known = self._known(list(found))
            for path, file in found.items():
                row = known.get(path)
                if row is None:
                    news.append((path, file))
                elif (row.size, row.mtime_ns) != (file.size, file.mtime_ns) or _is_other_problem(row, file):
                    changes.append((file.size, file.mtime_ns, *_state_of(file), row.id))
                else:
                    if row.state == FileState.MISSING:
                        returns.append((row.id,))
                    continue
                if file.problem:
                    problems.append(file)
            self._insert(news)
            self._execute(_CHANGE, changes)
            self._execute(
                "UPDATE files SET state = CASE WHEN indexed_at IS NOT NULL THEN 'ready' "
                "WHEN skip_reason IS NOT NULL THEN 'skipped' ELSE 'scanned' END WHERE id = ?",
                returns,
            )
        self.tally.seen += len(found)
        self.tally.new += len(news)
        self.tally.changed += len(changes)
        self.tally.returned += len(returns)
        return problems

    def conclude(self, unreadable: Sequence[tuple[str, str]]) -> None:
        """Mark what was not found as missing; call when the whole root was walked.

        Args:
            unreadable: Folders that could not be looked into, relative to the root, each with the reason; of what
                they hold nothing is concluded.
        """
        with self._connection.begin():
            self._execute(
                "INSERT INTO temp.unread VALUES (?)",
                [(os.fsencode(folder + os.sep if folder else ""),) for folder, _ in unreadable],
            )
            gone = self._connection.exec_driver_sql(_VANISH, (self._root_id,))
            self.tally.vanished = gone.rowcount
            self._connection.exec_driver_sql("DELETE FROM unreadable_folders WHERE root_id = ?", (self._root_id,))
            self._execute(
                "INSERT OR IGNORE INTO unreadable_folders (root_id, relative_path, display_path, reason) "
                "VALUES (?, ?, ?, ?)",
                [
                    (self._root_id, os.fsencode(folder), PurePath(shown(folder)).as_posix(), reason)
                    for folder, reason in unreadable
                ],
            )
            self._connection.exec_driver_sql(
                "UPDATE roots SET state = ? WHERE id = ? AND state <> ?",
                (RootState.ONLINE, self._root_id, RootState.ONLINE),
            )
            self._connection.exec_driver_sql("DROP TABLE temp.walked")
            self._connection.exec_driver_sql("DROP TABLE temp.unread")

    def _known(self, paths: list[bytes]) -> dict[bytes, Any]:
        # A connection of SQLite takes 32,766 parameters, far above what a scan hands over at once.
        marks = ", ".join("?" * len(paths))
        rows = self._connection.exec_driver_sql(
            "SELECT relative_path, id, size, mtime_ns, state, skip_reason FROM files "
            f"WHERE root_id = ? AND relative_path IN ({marks})",
            (self._root_id, *paths),
        )
        return {row.relative_path: row for row in rows}

    def _insert(self, files: list[tuple[bytes, FoundFile]]) -> None:
        next_id = 1 + int(
            self._connection.exec_driver_sql(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'files'"
            ).scalar_one()
        )
        now = time.time()
        rows, texts = [], []
        for file_id, (path, file) in enumerate(files, start=next_id):
            text = describe_path(file.relative_path)
            texts.append((file_id, text))
            rows.append(
                (
                    *(file_id, self._root_id, path, text.display_path, text.folder, text.name, text.extension),
                    *(text.ucs_cat_id, file.size, file.mtime_ns, *_state_of(file), now),
                )
            )
        self._execute(_INSERT, rows)
        insert_text(self._connection, texts)

    def _execute(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            self._connection.exec_driver_sql(statement, list(rows))


def _state_of(file: FoundFile) -> tuple[str, str | None]:
    return (FileState.SKIPPED, file.problem) if file.problem else (FileState.SCANNED, None)


def _is_other_problem(row: Any, file: FoundFile) -> bool:
    return bool(file.problem) and row.skip_reason != file.problem
