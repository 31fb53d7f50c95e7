"""The outlines of waveforms, as they were measured while files were indexed."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.orm import Session

from core.audio.peaks import Peaks
from core.catalogue.bulk import as_json
from core.catalogue.catalogue import Catalogue
from core.types import IntArray

_log = logging.getLogger(__name__)


def peaks_of(catalogue: Catalogue, file_ids: Sequence[int] | IntArray) -> dict[int, Peaks]:
    """The peaks of some files; those that have none yet, or unreadable ones, are absent."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            "SELECT file_id, overview FROM peaks WHERE file_id IN (SELECT value FROM json_each(?))",
            (as_json(file_ids),),
        ).fetchall()
    found: dict[int, Peaks] = {}
    for file_id, blob in rows:
        try:
            found[file_id] = Peaks.from_bytes(blob)
        except ValueError as error:
            _log.info("the peaks of file %d cannot be read: %s", file_id, error)
    return found


def files_without_peaks(catalogue: Catalogue) -> list[tuple[int, Path]]:
    """Files that are indexed and reachable and whose outline is not known, as those of the first version."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            "SELECT f.id, r.path, f.relative_path FROM files f JOIN roots r ON r.id = f.root_id "
            "WHERE f.state = 'ready' AND r.state = 'online' "
            "AND NOT EXISTS (SELECT 1 FROM peaks p WHERE p.file_id = f.id) ORDER BY f.id"
        ).fetchall()
    return [
        (file_id, Path(os.fsdecode(os.path.join(root, relative))))  # noqa: PTH118 - bytes
        for file_id, root, relative in rows
    ]


def store_peaks(session: Session, file_id: int, peaks: Peaks) -> None:
    """Keep the peaks of a file that is still in the library."""
    session.connection().exec_driver_sql(
        "INSERT OR REPLACE INTO peaks (file_id, overview) SELECT id, ? FROM files WHERE id = ?",
        (peaks.to_bytes(), file_id),
    )
