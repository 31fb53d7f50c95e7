"""Figures and lists about a whole library."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.catalogue.catalogue import Catalogue
from core.catalogue.models import FileState, RootState


@dataclass(frozen=True, slots=True)
class RootStatistics:
    """What one folder holds.

    Attributes:
        id: Its row.
        path: The folder.
        is_offline: Whether it could not be reached at the last scan.
        files: Number of files by state.
        duration_s: Seconds of sound in files that are ready.
        size_bytes: Of all files that are not missing.
        is_kept: Whether it is no folder but stands for the files kept outside all folders.
    """

    id: int
    path: Path
    is_offline: bool
    files: dict[FileState, int]
    duration_s: float
    size_bytes: int
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class LibraryStatistics:
    """What a library holds.

    Attributes:
        roots: Folder by folder.
        windows: Number of embeddings by model.
        files_by_model: Number of embedded files by model.
        metadata_fields: Number of fields read from files.
        captions: Number of captions.
    """

    roots: tuple[RootStatistics, ...]
    windows: dict[str, int]
    files_by_model: dict[str, int]
    metadata_fields: int
    captions: int

    def files(self, state: FileState) -> int:
        """Number of files in a state."""
        return sum(root.files[state] for root in self.roots)

    @property
    def duration_s(self) -> float:
        """Seconds of sound in files that are ready."""
        return sum(root.duration_s for root in self.roots)


@dataclass(frozen=True, slots=True)
class SkippedItem:
    """A file or folder that could not be used, with the reason for a person."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class IntegrityReport:
    """What SQLite's own checks, and ours, find wrong in the database; empty where all is well.

    Attributes:
        damage: Complaints of SQLite about the file's structure.
        broken_references: Number of rows that refer to rows which do not exist.
        incomplete_files: Number of files that are ready and lack windows or embeddings.
    """

    damage: tuple[str, ...]
    broken_references: int
    incomplete_files: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.damage or self.broken_references or self.incomplete_files)


def library_statistics(catalogue: Catalogue) -> LibraryStatistics:
    """Count what a library holds."""
    with catalogue.cursor() as cursor:
        counts: dict[int, dict[FileState, int]] = {}
        durations: dict[int, float] = {}
        sizes: dict[int, int] = {}
        for root_id, state, count, duration_s, size in cursor.execute(
            "SELECT root_id, state, count(*), coalesce(sum(duration_s), 0), sum(size) FROM files "
            "GROUP BY root_id, state"
        ):
            counts.setdefault(root_id, dict.fromkeys(FileState, 0))[FileState(state)] = count
            if state == FileState.READY:
                durations[root_id] = duration_s
            if state != FileState.MISSING:
                sizes[root_id] = sizes.get(root_id, 0) + size
        roots = tuple(
            RootStatistics(
                root_id,
                Path(os.fsdecode(path)),
                state == RootState.OFFLINE,
                counts.get(root_id, dict.fromkeys(FileState, 0)),
                durations.get(root_id, 0.0),
                sizes.get(root_id, 0),
                is_kept=not path,
            )
            for root_id, path, state in cursor.execute("SELECT id, path, state FROM roots ORDER BY id").fetchall()
        )
        return LibraryStatistics(
            roots,
            dict(cursor.execute("SELECT model_id, count(*) FROM embeddings GROUP BY model_id").fetchall()),
            dict(cursor.execute("SELECT model_id, count(*) FROM file_embeddings GROUP BY model_id").fetchall()),
            cursor.execute("SELECT count(*) FROM metadata_fields").fetchone()[0],
            cursor.execute("SELECT count(*) FROM captions").fetchone()[0],
        )


def skipped_items(catalogue: Catalogue) -> list[SkippedItem]:
    """Files and folders that could not be used, by path."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            "SELECT r.path, f.relative_path, f.skip_reason, f.display_path FROM files f "
            "JOIN roots r ON r.id = f.root_id WHERE f.state = 'skipped' "
            "UNION ALL SELECT r.path, u.relative_path, u.reason, u.display_path FROM unreadable_folders u "
            "JOIN roots r ON r.id = u.root_id ORDER BY 1, 4"
        ).fetchall()
    return [SkippedItem(Path(os.fsdecode(root)) / os.fsdecode(relative), reason) for root, relative, reason, _ in rows]


def check_integrity(catalogue: Catalogue) -> IntegrityReport:
    """Have SQLite check the whole database, and compare files with their embeddings."""
    with catalogue.cursor() as cursor:
        damage = tuple(row[0] for row in cursor.execute("PRAGMA integrity_check") if row[0] != "ok")
        broken = len(cursor.execute("PRAGMA foreign_key_check").fetchall())
        incomplete = cursor.execute(
            "SELECT count(*) FROM files f WHERE state = 'ready' AND ("
            "content_hash IS NULL OR NOT EXISTS (SELECT 1 FROM file_embeddings v WHERE v.file_id = f.id) "
            "OR NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.file_id = f.id) "
            "OR EXISTS (SELECT 1 FROM windows w WHERE w.file_id = f.id "
            "AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.window_id = w.id)))"
        ).fetchone()[0]
    return IntegrityReport(damage, broken, incomplete)


def changed_files(catalogue: Catalogue) -> Iterator[Path]:
    """Files that are ready and are gone, or of another size or time, on disk; those of offline folders are left out."""
    with catalogue.cursor() as cursor:
        rows = cursor.execute(
            "SELECT r.path, f.relative_path, f.size, f.mtime_ns FROM files f JOIN roots r ON r.id = f.root_id "
            "WHERE f.state = 'ready' AND r.state = 'online' ORDER BY f.id"
        )
        for root, relative, size, mtime_ns in rows:
            path = os.path.join(os.fsdecode(root), os.fsdecode(relative))  # noqa: PTH118 - hundreds of thousands
            try:
                found = os.stat(path)  # noqa: PTH116
            except OSError:
                yield Path(path)
                continue
            if (found.st_size, found.st_mtime_ns) != (size, mtime_ns):
                yield Path(path)
