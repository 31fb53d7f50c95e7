"""Brings the catalogue's files in step with those on disk, without opening them."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from sqlalchemy import exists, select

from core.catalogue.catalogue import Catalogue
from core.catalogue.failure import shown
from core.catalogue.inventory import Inventory
from core.catalogue.kept import list_kept, refresh_kept
from core.catalogue.models import File, FileState, RootState
from core.catalogue.root import RootFolder, list_roots, set_root_state
from core.ingest.walk import FolderWalk
from core.jobs import CancelToken, Event, Notice, Progress, Skipped
from core.jobs.clock import StageClock

_BATCH_FILES = 2_000

_log = logging.getLogger(__name__)


def scan(
    catalogue: Catalogue,
    *,
    cancel: CancelToken,
    roots: Sequence[RootFolder] | None = None,
    clock: StageClock | None = None,
) -> Iterator[Event]:
    """A job: find new, changed and vanished files below some roots.

    Files are told apart by path, size and time of change. Names and folders can be searched as soon as they are met.
    A root that cannot be reached is marked offline, and its files stay as they are.

    Args:
        catalogue: Open for writing.
        cancel: Checked between parts; what was found so far is kept, and nothing is taken for missing.
        roots: Which; None: all, and the files kept outside them.
        clock: Counts the stage "scan".

    Raises:
        CancelledError: The token was set.
        LibraryBusyError: Another process is indexing.
        LibraryError: The library cannot be written.
    """
    with catalogue.writer():
        with catalogue.session() as session:
            everything = list_roots(session)
        seen = 0
        for root in everything if roots is None else roots:
            apart = [other.path for other in everything if other.id != root.id]
            if _is_unreachable(catalogue, root):
                with catalogue.write() as session:
                    set_root_state(session, root.id, RootState.OFFLINE)
                yield Notice(f"{shown(root.path)} cannot be reached; its files stay in the library, marked offline.")
                continue
            for event in _scan_root(catalogue, root, apart, cancel=cancel, clock=clock, seen=seen):
                if isinstance(event, Progress):
                    seen = event.done
                yield event
        if roots is None:
            _look_at_kept(catalogue, cancel=cancel)
        yield Progress("scan", seen, seen)


def _look_at_kept(catalogue: Catalogue, *, cancel: CancelToken) -> None:
    """Follow the files that are kept although they lie outside all folders."""
    with catalogue.session() as session:
        kept = list_kept(session)
    changed: list[tuple[int, os.stat_result | None]] = []
    for file in kept:
        cancel.check()
        try:
            status = os.stat(file.path)  # noqa: PTH116 - a path of any bytes
        except OSError:
            if file.state is not FileState.MISSING:
                changed.append((file.id, None))
            continue
        if file.state is FileState.MISSING or (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
            changed.append((file.id, status))
    if changed:
        with catalogue.write() as session:
            refresh_kept(session, changed)


def _scan_root(
    catalogue: Catalogue,
    root: RootFolder,
    apart: Sequence[Path],
    *,
    cancel: CancelToken,
    clock: StageClock | None,
    seen: int,
) -> Iterator[Event]:
    walk = FolderWalk(root.path, apart=apart)
    files = walk.files()
    with catalogue.writing_connection() as connection:
        inventory = Inventory(connection, root.id)
        while True:
            cancel.check()
            with clock.stage("scan") if clock else nullcontext():
                batch = list(itertools.islice(files, _BATCH_FILES))
                problems = inventory.take(batch)
            if not batch:
                break
            for file in problems:
                yield Skipped(str(root.path / file.relative_path), file.problem)
            yield Progress("scan", seen + inventory.tally.seen, item=str(root.path / batch[-1].relative_path))
        with clock.stage("scan") if clock else nullcontext():
            inventory.conclude(walk.unreadable)
    for folder, reason in walk.unreadable:
        yield Skipped(str(root.path / folder), reason)
    _log.info("scanned %s: %s", root.path, inventory.tally)


def _is_unreachable(catalogue: Catalogue, root: RootFolder) -> bool:
    """Whether a root is gone, or is the empty folder that an unmounted volume leaves behind."""
    try:
        with os.scandir(root.path) as entries:
            is_empty = next(entries, None) is None
    except OSError:
        return True
    if not is_empty:
        return False
    with catalogue.session() as session:
        return bool(session.scalar(select(exists().where(File.root_id == root.id, File.state != FileState.MISSING))))
