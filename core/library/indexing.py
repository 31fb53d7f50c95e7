"""The part of the facade that brings a library in step with the disk."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.catalogue.catalogue import Catalogue
from core.catalogue.root import add_root, list_roots, remove_root
from core.encoders.load import InstalledModel
from core.errors import LibraryBusyError
from core.index import index_folder
from core.ingest.outline import measure_outlines
from core.ingest.pipeline import ingest
from core.ingest.scan import scan
from core.ingest.watch import Watcher
from core.jobs import CancelToken, Event, PauseToken
from core.jobs.clock import StageClock
from core.library.bench import ModelBench
from core.library.serving import Device


class Indexing(ModelBench):
    """Jobs that write: one process at a time; in one process, scans may run beside one `embed` and one `caption`."""

    def __init__(self, catalogue: Catalogue, folder: Path, wanted: InstalledModel, *, device: Device) -> None:
        super().__init__(catalogue, folder, wanted, device=device)
        self._scanning = threading.Lock()
        self._embedding = threading.Lock()
        self._watchers: list[Watcher] = []

    def index(
        self,
        folders: Sequence[Path] = (),
        *,
        jobs: int | None = None,
        cancel: CancelToken | None = None,
        pause: PauseToken | None = None,
        clock: StageClock | None = None,
    ) -> Iterator[Event]:
        """A job: add folders and index whatever is new or changed in the library. Run again, it goes on.

        It is `scan` and then `embed`.

        Args:
            folders: Folders to add, or to look at again; all of the library if empty.
            jobs: Worker threads; one per core if None.
            cancel: Stops the job; what was finished is kept.
            pause: Holds the job.
            clock: Counts the time of each stage.

        Raises:
            CancelledError: The token was set.
            LibraryBusyError: Another process, or another thread of this one, is indexing.
            LibraryError: The library cannot be written.
            ModelError: The model cannot be loaded.
        """
        with self._catalogue.writer():
            yield from self.scan(folders, cancel=cancel, clock=clock)
            yield from self.embed(jobs=jobs, cancel=cancel, pause=pause, clock=clock)

    def scan(
        self, folders: Sequence[Path] = (), *, cancel: CancelToken | None = None, clock: StageClock | None = None
    ) -> Iterator[Event]:
        """A job: add folders and find what is new, changed, moved or gone. Names can be searched as they are met.

        Args:
            folders: Folders to add, or to look at again; all of the library if empty.
            cancel: Stops the job; what was found is kept.
            clock: Counts the time of the stage.

        Raises:
            CancelledError: The token was set.
            LibraryBusyError: Another process, or another scan of this one, is at it.
            LibraryError: A folder does not exist, or the library cannot be written.
        """
        with self._catalogue.writer(), alone(self._scanning, "The folders are being scanned already."):
            with self._catalogue.write() as session:
                added = tuple({root.id: root for root in (add_root(session, folder) for folder in folders)}.values())
            self._follow_roots()
            yield from scan(self._catalogue, roots=added or None, cancel=cancel or CancelToken(), clock=clock)

    def embed(
        self,
        *,
        jobs: int | None = None,
        cancel: CancelToken | None = None,
        pause: PauseToken | None = None,
        clock: StageClock | None = None,
    ) -> Iterator[Event]:
        """A job: decode and embed whatever waits for it, also what a scan finds meanwhile; see `index`.

        Where the library is on its way to another model, that one answers as soon as the job is through.

        Raises:
            CancelledError: The token was set.
            LibraryBusyError: Another process, or another thread of this one, is indexing.
            LibraryError: The library cannot be written.
            ModelError: The model cannot be loaded.
        """
        token = cancel or CancelToken()
        target = self._target
        with self._catalogue.writer(), alone(self._embedding, "The library is being indexed already."):
            self._keep_model(token)
            encoder = target.encoder()
            for event in ingest(
                self._catalogue,
                encoder,
                jobs=jobs,
                cancel=token,
                pause=pause,
                share_encoder=encoder.device == "cuda",
                clock=clock,
            ):
                yield event
                yield from encoder.take_notices()
            yield from target.index.catch_up(token)
            self._finish_model_change()
            yield from measure_outlines(self._catalogue, cancel=token, pause=pause)

    def reindex(self, *, cancel: CancelToken | None = None) -> Iterator[Event]:
        """A job: build the search index anew from the database. Sounds are not decoded again.

        Raises:
            CancelledError: The token was set; searches then read the database.
            LibraryBusyError: Another process is indexing.
        """
        serving = self._serving
        with self._catalogue.writer(), alone(self._embedding, "The library is being indexed already."):
            shutil.rmtree(index_folder(self._folder, serving.card.id), ignore_errors=True)
            yield from serving.index.catch_up(cancel)

    def remove(self, folder: Path) -> int:
        """Take a folder out of the library; on disk nothing changes.

        Returns:
            How many files were forgotten.

        Raises:
            LibraryError: It is no folder of the library.
            LibraryBusyError: Another process, or another thread of this one, is indexing.
        """
        with self._catalogue.writer(), alone(self._embedding, "The library is being indexed already."):
            with self._catalogue.write() as session:
                count = remove_root(session, folder)
            self._follow_roots()
            for _ in self._serving.index.catch_up():
                pass
            return count

    def watch(self, on_change: Callable[[Path], None]) -> Watcher:
        """Watch the folders on disk until the watcher is closed; folders added later are watched as well.

        Args:
            on_change: Called from a thread of the watcher's with a folder of the library in which something changed,
                was unmounted or came back, once it has been quiet for a moment. `scan` it then.
        """
        watcher = Watcher(on_change)
        self._watchers.append(watcher)
        self._follow_roots()
        return watcher

    def close(self) -> None:
        """Let go of the library. The object cannot be used afterwards."""
        for watcher in self._watchers:
            watcher.close()
        self._catalogue.close()

    def _follow_roots(self) -> None:
        self._watchers = [watcher for watcher in self._watchers if not watcher.is_closed]
        if self._watchers:
            with self._catalogue.session() as session:
                paths = [root.path for root in list_roots(session)]
            for watcher in self._watchers:
                watcher.follow(paths)


@contextlib.contextmanager
def alone(lock: threading.Lock, message: str) -> Iterator[None]:
    """Refuse a second job of a kind; a job's generator may be resumed by another thread than the one that began it."""
    if not lock.acquire(blocking=False):
        raise LibraryBusyError(message, "Wait until that is done, or stop it.")
    try:
        yield
    finally:
        lock.release()
