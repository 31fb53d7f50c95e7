"""Describes files in words in the background: those on screen first, one at a time, stored in small batches.

Broken off at any moment, it goes on next time where it stood: what waits is what has no caption yet.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence

from core.captioning.guess import CaptionGuess, FileCaptioner
from core.catalogue.caption import (
    FileToCaption,
    ModelCaption,
    file_to_caption,
    known_caption,
    pending_caption_ids,
    store_captions,
)
from core.catalogue.catalogue import Catalogue
from core.errors import CancelledError, KnownError, UnusableFileError
from core.jobs import CancelToken, Event, PauseToken, Progress, Skipped
from core.jobs.rate import RateMeter

BATCH_FILES = 16
BATCH_S = 1.0

_log = logging.getLogger(__name__)


def caption_files(
    catalogue: Catalogue,
    captioner: FileCaptioner,
    *,
    first: Callable[[], Sequence[int]],
    cancel: CancelToken,
    pause: PauseToken | None = None,
) -> Iterator[Event]:
    """A job: describe every indexed file that has no caption by this model or by a person.

    Args:
        catalogue: Open for writing.
        captioner: Describes one file at a time.
        first: Gives the ids that come before all others; asked before every file, from the job's thread.
        cancel: Checked between files; what was finished is kept.
        pause: Holds the job between files.

    Yields:
        Progress of the stage "caption"; `Progress.files` are those whose captions were stored just now.

    Raises:
        CancelledError: The token was set.
        LibraryBusyError: Another process is writing.
        KnownError: The model or the library cannot go on.
    """
    with catalogue.writer():
        run = _Run(catalogue, captioner, first=first)
        try:
            yield from run.events(cancel, pause)
        finally:
            run.store()


def caption_file(catalogue: Catalogue, captioner: FileCaptioner, file_id: int) -> None:
    """Describe one file anew, whatever stands there; a person's sentence stays.

    Raises:
        UnusableFileError: The file is gone or cannot be read.
    """
    file = file_to_caption(catalogue, file_id)
    if file is None:
        raise UnusableFileError("The file is no longer in the library.", "Look for it again.")
    made = _model_caption(file, captioner.caption(file.path))
    with catalogue.write() as session:
        store_captions(session, [made], model_id=captioner.card.id)


class _Run:
    """The state of one run, in the thread that drives the generator."""

    def __init__(self, catalogue: Catalogue, captioner: FileCaptioner, *, first: Callable[[], Sequence[int]]) -> None:
        self._catalogue = catalogue
        self._captioner = captioner
        self._model_id = captioner.card.id
        self._first = first
        # In order, and quick to take from anywhere.
        self._waiting: dict[int, None] = {}
        self._met: set[int] = set()
        self._batch: list[ModelCaption] = []
        self._stored_at = time.monotonic()
        self._rate = RateMeter()
        self._done = 0

    def events(self, cancel: CancelToken, pause: PauseToken | None) -> Iterator[Event]:
        """Work until nothing waits, also of what is indexed meanwhile."""
        while self._look():
            yield self._progress()
            while self._waiting:
                cancel.check()
                if pause is not None and pause.paused:
                    yield self._progress(files=self.store())
                    pause.wait(cancel)
                    self._rate.skip()
                yield from self._take(self._next())
            yield self._progress(files=self.store())

    def store(self) -> tuple[int, ...]:
        """Write what is finished; gives the files."""
        # Taken out first: a batch that the disk refuses must not be tried again on the way out.
        batch, self._batch = self._batch, []
        self._stored_at = time.monotonic()
        if batch:
            with self._catalogue.write() as session:
                store_captions(session, batch, model_id=self._model_id)
        return tuple(caption.file_id for caption in batch)

    def _look(self) -> bool:
        pending = pending_caption_ids(self._catalogue, model_id=self._model_id).tolist()
        self._waiting = dict.fromkeys(file_id for file_id in pending if file_id not in self._met)
        return bool(self._waiting)

    def _next(self) -> int:
        wanted = next((file_id for file_id in self._first() if file_id in self._waiting), None)
        file_id = next(iter(self._waiting)) if wanted is None else wanted
        del self._waiting[file_id]
        self._met.add(file_id)
        return file_id

    def _take(self, file_id: int) -> Iterator[Event]:
        file = file_to_caption(self._catalogue, file_id)
        self._done += 1
        self._rate.mark(self._done)
        if file is None or _has_changed(file):
            yield self._progress()  # It will be indexed, and described, anew.
            return
        try:
            caption = known_caption(self._catalogue, file, model_id=self._model_id)
            if caption is None:
                caption = _model_caption(file, self._captioner.caption(file.path))
        except UnusableFileError as error:
            yield Skipped(str(file.path), error.message)
            return
        except (KnownError, CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - the job's edge: one file must not stop the others
            _log.exception("describing %r failed", str(file.path))
            yield Skipped(str(file.path), f"It could not be described: {type(error).__name__}: {error}")
            return
        self._batch.append(caption)
        is_due = len(self._batch) >= BATCH_FILES or time.monotonic() - self._stored_at >= BATCH_S
        yield self._progress(item=str(file.path), files=self.store() if is_due else ())

    def _progress(self, *, item: str = "", files: tuple[int, ...] = ()) -> Progress:
        left = len(self._waiting)
        return Progress(
            "caption",
            self._done,
            self._done + left,
            item,
            rate_per_s=self._rate.per_second,
            left_s=self._rate.left_s(left),
            files=files,
        )


def _model_caption(file: FileToCaption, guess: CaptionGuess) -> ModelCaption:
    return ModelCaption(
        file_id=file.id,
        text=guess.text,
        confidence=guess.confidence,
        tags=guess.tags,
        alternatives=guess.alternatives,
        is_sure=guess.is_sure,
        content_hash=file.content_hash,
    )


def _has_changed(file: FileToCaption) -> bool:
    try:
        found = os.stat(file.path)  # noqa: PTH116 - a path of any bytes
    except OSError:
        return True
    return (found.st_size, found.st_mtime_ns) != (file.size, file.mtime_ns)
