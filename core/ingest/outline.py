"""Measures the waveforms of files that were indexed before waveforms were kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from core.audio.decode import open_audio
from core.audio.peaks import PeakMeter, Peaks
from core.catalogue.catalogue import Catalogue
from core.catalogue.peaks import files_without_peaks, store_peaks
from core.errors import UnusableFileError
from core.jobs import CancelToken, Event, PauseToken, Progress
from core.jobs.rate import RateMeter

_BATCH_FILES = 32
_BATCH_S = 2.0


def measure_outlines(catalogue: Catalogue, *, cancel: CancelToken, pause: PauseToken | None = None) -> Iterator[Event]:
    """A job: measure what is missing; a file that cannot be read now is left for the next time.

    Raises:
        CancelledError: The token was set; what was measured is kept.
        LibraryError: The library cannot be written.
    """
    files = files_without_peaks(catalogue)
    if not files:
        return
    rate = RateMeter()
    batch: dict[int, Peaks] = {}
    stored_at = time.monotonic()
    try:
        for done, (file_id, path) in enumerate(files, start=1):
            cancel.check()
            if pause is not None and pause.paused:
                pause.wait(cancel)
                rate.skip()
            peaks = _measure(path, cancel)
            if peaks is not None:
                batch[file_id] = peaks
            stored: tuple[int, ...] = ()
            if len(batch) >= _BATCH_FILES or time.monotonic() - stored_at >= _BATCH_S or done == len(files):
                stored, stored_at = _store(catalogue, batch), time.monotonic()
            rate.mark(done)
            yield Progress(
                "outline",
                done,
                len(files),
                str(path),
                rate_per_s=rate.per_second,
                left_s=rate.left_s(len(files) - done),
                files=stored,
            )
    finally:
        _store(catalogue, batch)


def _measure(path: Path, cancel: CancelToken) -> Peaks | None:
    try:
        with open_audio(path) as sound:
            meter = PeakMeter(sound.info.sample_rate_hz, sound.info.channels)
            for block in sound.blocks():
                cancel.check()
                meter.add(block)
            return meter.result()
    except (UnusableFileError, OSError):
        return None


def _store(catalogue: Catalogue, batch: dict[int, Peaks]) -> tuple[int, ...]:
    """Write a batch and empty it; gives the files."""
    if not batch:
        return ()
    with catalogue.write() as session:
        for file_id, peaks in batch.items():
            store_peaks(session, file_id, peaks)
    stored = tuple(batch)
    batch.clear()
    return stored
