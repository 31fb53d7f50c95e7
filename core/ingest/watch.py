"""Tells when something in the library's folders changes on disk."""

from __future__ import annotations

import logging
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from core.audio.decode import is_audio_candidate

# Copying a folder takes a while, and a scan in its midst would find half-written files.
QUIET_S = 2.0
# Even where something is written all the time, such as a recording, the rest is to be found.
LONGEST_WAIT_S = 30.0
# How often a folder that may be unmounted or come back is looked at.
LOOK_S = 5.0
_LEAST_WAIT_S = 0.05

# Not "opened" and "closed without writing": indexing itself opens every file.
_OF_FILES = frozenset({"created", "deleted", "modified", "moved", "closed"})
_OF_FOLDERS = frozenset({"created", "deleted", "moved"})

_log = logging.getLogger(__name__)


class Debounce:
    """Decides when a folder in which things change is to be looked at; not safe for threads by itself.

    Args:
        now: A clock in seconds that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._waiting: dict[Path, tuple[float, float]] = {}

    def touch(self, root: Path) -> None:
        """Note a change."""
        moment = self._now()
        first, _ = self._waiting.get(root, (moment, moment))
        self._waiting[root] = (first, moment)

    def take_due(self) -> list[Path]:
        """Folders that have been quiet for a moment, or restless for long; each is given once."""
        moment = self._now()
        due = [
            root
            for root, (first, last) in self._waiting.items()
            if moment - last >= QUIET_S or moment - first >= LONGEST_WAIT_S
        ]
        for root in due:
            del self._waiting[root]
        return due

    def wait_s(self) -> float:
        """Seconds until the next folder can be due."""
        moment = self._now()
        return min((max(0.0, QUIET_S - (moment - last)) for _, last in self._waiting.values()), default=LOOK_S)


class Watcher:
    """Watches folders until it is closed.

    Args:
        on_change: Called from the watcher's thread with a folder in which something changed.
        observer: Gives the events of the file system; the platform's own if None.
    """

    def __init__(self, on_change: Callable[[Path], None], *, observer: BaseObserver | None = None) -> None:
        self._on_change = on_change
        self._observer = observer or Observer()
        self._watches: dict[Path, ObservedWatch] = {}
        # What stands at a folder's path: a mount point stays a folder when its volume goes.
        self._standing: dict[Path, tuple[int, int] | None] = {}
        self._following = threading.Lock()
        # The observer holds a lock of its own while it tells of events; a queue asks for none of ours.
        self._touched: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._closed = False
        self._observer.start()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        """Whether it watches no more."""
        return self._closed

    def follow(self, roots: Iterable[Path]) -> None:
        """Watch these folders, and no others from now on."""
        wanted = set(roots)
        with self._following:
            if self._closed:
                return
            for root in set(self._standing) - wanted:
                self._leave(root)
                del self._standing[root]
            for root in wanted - set(self._standing):
                self._standing[root] = _identity(root)
                self._enter(root)

    def note(self, root: Path, change: FileSystemEvent) -> None:
        """Take in an event of the file system below a folder."""
        if matters(root, change):
            self._touched.put(root)

    def close(self) -> None:
        """Stop; no call comes afterwards, except one that is under way."""
        with self._following:
            if self._closed:
                return
            self._closed = True
        self._touched.put(None)
        self._observer.stop()
        self._observer.join()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        debounce = Debounce()
        looked_at = time.monotonic()
        while not self._closed:
            try:
                root = self._touched.get(timeout=max(_LEAST_WAIT_S, min(debounce.wait_s(), LOOK_S)))
                if root is None:
                    return
                debounce.touch(root)
            except queue.Empty:
                pass
            if time.monotonic() - looked_at >= LOOK_S:
                looked_at = time.monotonic()
                for root in self._look():
                    debounce.touch(root)
            for root in debounce.take_due():
                if self._closed:
                    return
                try:
                    self._on_change(root)
                except Exception:  # noqa: BLE001 - the thread's edge: a listener's bug must not end the watching
                    _log.exception("a listener failed on a change in %s", root)

    def _look(self) -> list[Path]:
        """Folders that went, such as a volume that was unmounted, and those that came back."""
        changed = []
        with self._following:
            for root, stood in self._standing.items():
                stands = _identity(root)
                if stands != stood:
                    self._leave(root)
                    self._standing[root] = stands
                    if stands is not None:
                        self._enter(root)
                    changed.append(root)
        return changed

    def _enter(self, root: Path) -> None:
        try:
            self._watches[root] = self._observer.schedule(_Handler(self, root), str(root), recursive=True)
        except OSError as error:
            # Not there, or more folders than the system lets a program watch; a scan by hand still works.
            _log.warning("%s cannot be watched: %s", root, error)

    def _leave(self, root: Path) -> None:
        watch = self._watches.pop(root, None)
        if watch is not None:
            self._observer.unschedule(watch)


def _identity(root: Path) -> tuple[int, int] | None:
    """Tells what stands at a path from what stood there before; None where there is no folder."""
    try:
        status = os.stat(root)  # noqa: PTH116 - a path of any bytes
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


def matters(root: Path, change: FileSystemEvent) -> bool:
    """Whether an event may change what a scan of a folder finds."""
    kinds = _OF_FOLDERS if change.is_directory else _OF_FILES
    if change.event_type not in kinds:
        return False
    for place in (change.src_path, change.dest_path):
        path = Path(os.fsdecode(place)) if place else None
        if path is None or not path.is_relative_to(root):
            continue
        is_hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not is_hidden and (change.is_directory or is_audio_candidate(path)):
            return True
    return False


class _Handler(FileSystemEventHandler):
    def __init__(self, watcher: Watcher, root: Path) -> None:
        self._watcher = watcher
        self._root = root

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._watcher.note(self._root, event)
