"""What a worker does with one file: from its path to its embeddings, or to the reason why there are none."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.audio.decode import open_audio
from core.audio.level import LevelMeter
from core.audio.metadata import read_metadata
from core.audio.mono import mono_blocks
from core.audio.peaks import PeakMeter
from core.catalogue.record import (
    FailedFile,
    FileStamp,
    IndexedFile,
    KnownFile,
    Outcome,
    PendingFile,
    SoundContent,
    Twin,
    VanishedFile,
)
from core.encoders.protocol import DualEncoder
from core.encoders.windows import WindowCutter, pool_windows
from core.errors import CancelledError, KnownError, UnusableFileError
from core.ingest.digest import content_hash
from core.ingest.embedding import Embedder
from core.jobs.clock import StageClock
from core.types import FloatArray

_BLOCK_S = 10.0
# Windows embedded together: enough to fill the encoder, few enough for constant memory.
_GROUP_WINDOWS = 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FrameGrid:
    """How the encoder's feature frames and windows lie in time.

    Attributes:
        frames_per_s: Frames in a second.
        window_frames: Frames of a window.
        hop_frames: Frames from one window to the next.
        window_s: Length of a window in seconds.
    """

    frames_per_s: float
    window_frames: int
    hop_frames: int
    window_s: float

    @classmethod
    def of(cls, encoder: DualEncoder) -> FrameGrid:
        """Measure the grid of an encoder; what its frames do at a sound's edges cancels out."""
        card = encoder.card
        second = np.zeros(card.sample_rate_hz, dtype=np.float32)
        frames_per_s = float(len(encoder.features(np.tile(second, 3))) - len(encoder.features(np.tile(second, 2))))
        return cls(
            frames_per_s,
            round(card.window_s * frames_per_s),
            max(1, round(card.hop_s * frames_per_s)),
            card.window_s,
        )


class Worker:
    """Processes files, several at once in as many threads.

    Args:
        encoder: For features.
        embedder: For embeddings.
        grid: Of the encoder.
        twins: Embedded rows by content hash, of which a file may be a copy.
        check: Called often; raises CancelledError to break off.
        clock: Counts the stages "hash", "metadata", "mel" and those of `mono_blocks`.
    """

    def __init__(
        self,
        encoder: DualEncoder,
        embedder: Embedder,
        *,
        grid: FrameGrid,
        twins: Mapping[bytes, Twin],
        check: Callable[[], None],
        clock: StageClock | None = None,
    ) -> None:
        self._encoder = encoder
        self._embedder = embedder
        self._grid = grid
        self._twins = twins
        self._check = check
        self._clock = clock

    def process(self, file: PendingFile, *, may_reuse: bool = True) -> Outcome | None:
        """Index a file.

        Args:
            file: The file.
            may_reuse: Whether embeddings of equal bytes may be taken over.

        Returns:
            The outcome, or None where nothing can be said because the whole root has become unreachable.

        Raises:
            CancelledError: `check` did.
            KnownError: Something is wrong that is not the file's fault.
        """
        stamp = FileStamp(0, 0)
        try:
            self._check()
            stamp = _stamp(file)
            outcome = self._index(file, stamp, may_reuse=may_reuse)
            if _stamp(file) != stamp:
                return _changed(file, stamp)
        except CancelledError:
            raise
        except FileNotFoundError:
            return _vanished(file)
        except UnusableFileError as error:
            return _unusable(file, stamp, error)
        except OSError as error:
            reason = f"The file cannot be read: {error.strerror or error}."
            return FailedFile(file.id, stamp, reason, is_passing=True)
        except KnownError:
            raise
        except Exception as error:  # noqa: BLE001 - the job's edge: one file must not stop the others
            _log.exception("indexing %r failed", file.path)
            return FailedFile(file.id, stamp, f"The file could not be indexed: {type(error).__name__}: {error}")
        return outcome

    def _index(self, file: PendingFile, stamp: FileStamp, *, may_reuse: bool) -> Outcome:
        path = Path(file.path)
        with self._stage("hash"):
            digest = content_hash(path, check=self._check)
        if may_reuse:
            if file.is_embedded and digest == file.content_hash:
                return KnownFile(file.id, stamp, digest, twin_id=file.id, is_moved=False)
            twin = self._twins.get(digest)
            if twin is not None and twin.id != file.id:
                return KnownFile(file.id, stamp, digest, twin_id=twin.id, is_moved=_is_gone(twin))
        return IndexedFile(file.id, stamp, digest, self._read(path))

    def _read(self, path: Path) -> SoundContent:
        with self._stage("metadata"):
            metadata = read_metadata(path)
        with self._stage("decode"):
            sound = open_audio(path)
        with sound:
            rate_hz, channels = sound.info.sample_rate_hz, sound.info.channels
            meter, outline = LevelMeter(rate_hz, channels), PeakMeter(rate_hz, channels)
            samples = 0

            def observe(block: FloatArray) -> None:
                nonlocal samples
                samples += len(block)
                meter.add(block)
                outline.add(block)

            assembly = _Assembly(self._embedder, self._grid)
            stream = self._encoder.feature_stream()
            for mono in mono_blocks(
                sound,
                sample_rate_hz=self._encoder.card.sample_rate_hz,
                block_s=_BLOCK_S,
                observer=observe,
                clock=self._clock,
            ):
                self._check()
                with self._stage("mel"):
                    frames = stream.push(mono)
                assembly.push(frames)
            with self._stage("mel"):
                frames = stream.finish()
            assembly.push(frames)
        duration_s = samples / rate_hz
        starts_s, ends_s, vectors = assembly.finish(duration_s)
        level = meter.result()
        return SoundContent(
            info=replace(sound.info, duration_s=duration_s),
            peak_db=level.peak_db,
            loudness_lufs=level.loudness_lufs,
            metadata=metadata,
            peaks=outline.result(),
            starts_s=starts_s,
            ends_s=ends_s,
            vectors=vectors,
            file_vector=pool_windows(vectors, ends_s - starts_s),
        )

    def _stage(self, name: str) -> AbstractContextManager[None]:
        return nullcontext() if self._clock is None else self._clock.stage(name)


class _Assembly:
    """Cuts frames into windows and has them embedded group by group."""

    def __init__(self, embedder: Embedder, grid: FrameGrid) -> None:
        self._embedder = embedder
        self._grid = grid
        self._cutter = WindowCutter(grid.window_frames, grid.hop_frames)
        self._starts: list[int] = []
        self._group: list[FloatArray] = []
        self._waiting: deque[Future[FloatArray]] = deque()
        self._vectors = np.empty((0, 0), dtype=np.float32)
        self._filled = 0

    def push(self, frames: FloatArray) -> None:
        """Take the next frames (t, f)."""
        if len(frames):
            self._take(self._cutter.push(frames))

    def finish(self, duration_s: float) -> tuple[np.ndarray, np.ndarray, FloatArray]:
        """Starts and ends (w,) in seconds and vectors (w, d), for a sound of this length."""
        self._take(self._cutter.finish())
        self._flush()
        # A frame is centred on its time, so that the last window may seem to reach a frame beyond the end.
        starts_s = np.asarray(self._starts, dtype=np.float64) / self._grid.frames_per_s
        ends_s = np.minimum(starts_s + self._grid.window_s, duration_s)
        while self._waiting:
            self._keep(self._waiting.popleft().result())
        return starts_s, ends_s, self._vectors[: self._filled].copy()

    def _take(self, windows: list[tuple[int, FloatArray]]) -> None:
        for start, frames in windows:
            self._starts.append(start)
            self._group.append(frames)
            if len(self._group) == _GROUP_WINDOWS:
                self._flush()

    def _flush(self) -> None:
        if self._group:
            self._waiting.append(self._embedder.submit(self._group))
            self._group = []
        while self._waiting and self._waiting[0].done():
            self._keep(self._waiting.popleft().result())

    def _keep(self, vectors: FloatArray) -> None:
        """Put vectors (w, d) into one growing block: many small arrays would keep the encoder's memory in pieces."""
        if self._filled + len(vectors) > len(self._vectors) or not self._vectors.shape[1]:
            grown = np.empty((2 * (self._filled + len(vectors)), vectors.shape[1]), dtype=np.float32)
            grown[: self._filled] = self._vectors[: self._filled] if self._filled else 0
            self._vectors = grown
        self._vectors[self._filled : self._filled + len(vectors)] = vectors
        self._filled += len(vectors)


def _stamp(file: PendingFile) -> FileStamp:
    status = os.stat(file.path)  # noqa: PTH116
    return FileStamp(status.st_size, status.st_mtime_ns)


def _changed(file: PendingFile, stamp: FileStamp) -> FailedFile:
    reason = "The file changed while it was being read; it will be tried again."
    return FailedFile(file.id, stamp, reason, is_passing=True)


def _vanished(file: PendingFile) -> VanishedFile | None:
    return VanishedFile(file.id) if Path(file.root_path).is_dir() else None


def _unusable(file: PendingFile, stamp: FileStamp, error: UnusableFileError) -> Outcome | None:
    """The reason why a file cannot be used, unless it went or changed under the decoder's hands."""
    try:
        if _stamp(file) != stamp:
            return _changed(file, stamp)
    except OSError:
        return _vanished(file)
    return FailedFile(file.id, stamp, error.message, is_passing=isinstance(error.__cause__, OSError))


def _is_gone(twin: Twin) -> bool:
    """Whether a row's own file is no longer there, although its root is."""
    return twin.is_missing or (not os.path.lexists(twin.path) and Path(twin.root_path).is_dir())
