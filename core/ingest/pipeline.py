"""Indexes what a scan found: workers decode and embed, the caller's thread stores.

Each file is hashed first; one whose bytes the catalogue knows is not decoded again, whether it was touched, copied,
moved or renamed. Outcomes are stored in batches, each in one transaction: death at any moment loses at most the batch
in flight, whose files still count as waiting.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext

import numpy as np

from core.catalogue.catalogue import Catalogue
from core.catalogue.failure import shown
from core.catalogue.intake import Intake
from core.catalogue.record import FailedFile, IndexedFile, Outcome, PendingFile
from core.encoders.protocol import DualEncoder
from core.ingest.embedding import Embedder, OwnThreadEmbedder, SharedEmbedder
from core.ingest.worker import FrameGrid, Worker
from core.jobs import CancelToken, Event, Notice, PauseToken, Progress, Skipped
from core.jobs.clock import StageClock
from core.jobs.rate import RateMeter
from core.types import IntArray

BATCH_FILES = 64
BATCH_S = 2.0
_LOOK_UP_FILES = 512
_POLL_S = 0.25

_log = logging.getLogger(__name__)


def ingest(
    catalogue: Catalogue,
    encoder: DualEncoder,
    *,
    cancel: CancelToken,
    jobs: int | None = None,
    pause: PauseToken | None = None,
    share_encoder: bool = False,
    clock: StageClock | None = None,
) -> Iterator[Event]:
    """A job: index every file that waits for it, and every file that lacks embeddings by this encoder.

    Files that a scan finds meanwhile are taken in as well.

    Args:
        catalogue: Open for writing, and scanned.
        encoder: Makes the embeddings; its card's id is stored beside them.
        cancel: Checked between pieces of files; what was finished is kept.
        jobs: Worker threads; None: one per core.
        pause: Holds the job, between pieces of files as well; what was finished is stored first.
        share_encoder: Gather the windows of all workers into large batches, as a GPU needs them, instead of having
            each worker embed its own.
        clock: Counts the time of each stage.

    Raises:
        CancelledError: The token was set.
        LibraryBusyError: Another process is indexing.
        LibraryError: The library cannot be written, for example because the disk is full.
        KnownError: The encoder cannot go on.
    """
    workers = jobs or _usable_cores()
    stop = CancelToken()
    embedder: Embedder = SharedEmbedder(encoder, clock=clock) if share_encoder else OwnThreadEmbedder(encoder, clock)
    with catalogue.writer():
        intake = Intake(model_id=encoder.card.id, dimension=encoder.card.dimension)
        with catalogue.write() as session:
            intake.register_model(session)

        def check() -> None:
            cancel.check()
            stop.check()
            if pause is not None:
                pause.wait(stop)

        met: set[int] = set()
        with embedder:
            pool: ThreadPoolExecutor | None = None
            run: _Run | None = None
            try:
                while True:
                    with catalogue.session() as session:
                        pending = intake.pending_ids(session)
                        ids = np.asarray([one for one in pending.tolist() if one not in met], dtype=np.int64)
                        twins = intake.twins(session) if len(ids) else {}
                    met.update(ids.tolist())
                    if not len(ids):
                        break
                    pool = pool or ThreadPoolExecutor(workers, "ingest", initializer=encoder.prepare_worker_thread)
                    grid = FrameGrid.of(encoder)
                    worker = Worker(encoder, embedder, grid=grid, twins=twins, check=check, clock=clock)
                    run = _Run(catalogue, intake, worker, pool, ids, most_running=4 * workers, clock=clock, before=run)
                    yield from run.events(cancel, pause)
                if run is None:
                    yield Progress("index", 0, 0)
            finally:
                stop.cancel()
                if pool is not None:
                    pool.shutdown(cancel_futures=True)
                if run is not None:
                    run.store_rest()
                _log.info("indexed with %d workers, stage seconds %s", workers, clock.seconds if clock else "unknown")


class _Run:
    """The state of one run, in the thread that drives the generator."""

    def __init__(
        self,
        catalogue: Catalogue,
        intake: Intake,
        worker: Worker,
        pool: ThreadPoolExecutor,
        ids: IntArray,
        *,
        most_running: int,
        clock: StageClock | None,
        before: _Run | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._intake = intake
        self._worker = worker
        self._pool = pool
        self._ids = ids
        self._most_running = most_running
        self._clock = clock
        self._looked_up = 0
        self._waiting: deque[tuple[PendingFile, bool]] = deque()
        self._running: dict[Future[Outcome | None], PendingFile] = {}
        self._batch: list[Outcome] = []
        self._files: dict[int, PendingFile] = {}
        self._stored_at = time.monotonic()
        self._done: int = before._done if before else 0
        self._total = self._done + len(ids)
        self._audio_s: float = before._audio_s if before else 0.0
        self._rate: RateMeter = before._rate if before else RateMeter()
        self._unreachable: set[str] = before._unreachable if before else set()

    def events(self, cancel: CancelToken, pause: PauseToken | None) -> Iterator[Event]:
        """Work until nothing waits."""
        yield self._progress()
        while self._feed() or self._batch:
            cancel.check()
            if pause is not None and pause.paused:
                yield from self._hold(cancel, pause)
            finished, _ = wait(self._running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            for future in finished:
                yield from self._take(self._running.pop(future), future.result())
            is_due = len(self._batch) >= BATCH_FILES or time.monotonic() - self._stored_at >= BATCH_S
            if self._batch and (is_due or not self._running):
                yield self._progress(files=self._store())

    def _hold(self, cancel: CancelToken, pause: PauseToken) -> Iterator[Event]:
        """Keep what is finished, and wait until the job may go on; workers wait in the midst of their files."""
        for future in [future for future in self._running if future.done()]:
            yield from self._take(self._running.pop(future), future.result())
        yield self._progress(files=self._store() if self._batch else ())
        pause.wait(cancel)
        self._rate.skip()

    def store_rest(self) -> None:
        """Keep what was finished when the run was broken off; the workers have ended."""
        for future in self._running:
            if not future.cancelled() and future.exception() is None and (outcome := future.result()):
                self._batch.append(outcome)
        self._running.clear()
        if self._batch:
            self._store()

    def _feed(self) -> bool:
        """Keep the workers busy; whether any file is under way."""
        while len(self._running) < self._most_running:
            if not self._waiting and not self._look_up():
                break
            file, may_reuse = self._waiting.popleft()
            self._running[self._pool.submit(self._worker.process, file, may_reuse=may_reuse)] = file
        return bool(self._running)

    def _look_up(self) -> bool:
        """Fetch what is known of the next files; False when there are none."""
        while not self._waiting and self._looked_up < len(self._ids):
            ids = self._ids[self._looked_up : self._looked_up + _LOOK_UP_FILES]
            self._looked_up += len(ids)
            with self._catalogue.session() as session:
                self._waiting.extend((file, True) for file in self._intake.pending_files(session, ids))
        return bool(self._waiting)

    def _take(self, file: PendingFile, outcome: Outcome | None) -> Iterator[Event]:
        self._done += 1
        match outcome:
            case None:
                if file.root_path not in self._unreachable:
                    self._unreachable.add(file.root_path)
                    yield Notice(f"{shown(file.root_path)} cannot be reached any more; its files wait.")
            case FailedFile():
                yield Skipped(file.path, outcome.reason)
            case IndexedFile():
                self._audio_s += outcome.content.info.duration_s
        if outcome is not None:
            self._batch.append(outcome)
            self._files[file.id] = file
        self._rate.mark(self._done, self._audio_s)
        yield self._progress(file.path)

    def _progress(self, item: str = "", files: tuple[int, ...] = ()) -> Progress:
        return Progress(
            "index",
            self._done,
            self._total,
            item,
            self._audio_s,
            rate_per_s=self._rate.per_second,
            audio_rate=self._rate.times_real_time,
            left_s=self._rate.left_s(self._total - self._done),
            files=files,
        )

    def _store(self) -> tuple[int, ...]:
        """Write what is finished; gives the files, of which those that were moved may have gone on under older ids."""
        # Taken out first: a batch that the disk refuses must not be tried again on the way out.
        batch, self._batch = self._batch, []
        files, self._files = self._files, {}
        with (
            self._clock.stage("store") if self._clock else nullcontext(),
            self._catalogue.write() as session,
        ):
            stale = self._intake.store(session, batch)
        for file_id in stale:
            self._waiting.append((files[file_id], False))
            self._done -= 1
        self._stored_at = time.monotonic()
        return tuple(outcome.file_id for outcome in batch)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
