"""Recording a clip from a microphone, as an example to search by."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from core.audio.cache import CacheFolder
from core.audio.device import DeviceError, OpenInput, Stream, open_input
from core.errors import KnownError
from core.types import FloatArray

MAX_S = 120.0
# Less than this is a slip of the hand.
SHORTEST_S = 0.1
_CLIPPED = 0.999


class RecordingError(KnownError):
    """There is nothing to keep."""


@dataclass(frozen=True, slots=True)
class RecordingStatus:
    """The recorder at one moment.

    Attributes:
        is_recording: Whether it records.
        duration_s: How much it has.
        peak: Largest sample since the last look, full scale at 1.
        has_clipped: Whether the microphone was too loud at any time.
    """

    is_recording: bool
    duration_s: float
    peak: float
    has_clipped: bool


class Recorder:
    """Records one clip at a time, two minutes at most.

    Args:
        cache: Where finished clips lie; also an attribute.
        open_stream: How to open a device; tests hand in their own.
    """

    def __init__(self, cache: CacheFolder, *, open_stream: OpenInput = open_input) -> None:
        self.cache = cache
        self._open_stream = open_stream
        self._stream: Stream | None = None
        self._blocks: deque[FloatArray] = deque()
        self._frames = 0
        self._peak = 0.0
        self._has_clipped = False
        self._has_ended = threading.Event()
        self._problem: DeviceError | None = None

    def start(self, device: str = "") -> None:
        """Open the microphone and record; may take as long as the system needs to open it.

        Args:
            device: `SoundDevice.key`, or "" for the system's choice.

        Raises:
            DeviceError: There is none, or it cannot be opened.
        """
        self.cancel()
        self._blocks, self._frames, self._peak, self._has_clipped = deque(), 0, 0.0, False
        self._problem = None
        self._has_ended = ended = threading.Event()
        self._stream = self._open_stream(device, self._take, ended.set)

    def status(self) -> RecordingStatus:
        """How it goes. A recording that is long enough, or whose device is gone, ends here; `stop` then keeps it."""
        stream = self._stream
        rate_hz = 1 if stream is None else stream.sample_rate_hz
        duration_s = self._frames / rate_hz if stream is not None else 0.0
        peak, self._peak = self._peak, 0.0
        is_over = self._has_ended.is_set() or duration_s >= MAX_S
        if stream is not None and is_over:
            if self._has_ended.is_set() and self._problem is None:
                self._problem = DeviceError(
                    f"The microphone “{stream.device}” is gone.", "What it heard until then was kept."
                )
            stream.close()
        return RecordingStatus(stream is not None and not is_over, duration_s, peak, self._has_clipped)

    def take_problem(self) -> DeviceError | None:
        """That the device went away, once."""
        problem, self._problem = self._problem, None
        return problem

    def stop(self) -> Path:
        """Finish the clip.

        Returns:
            A WAV file in the cache, held there (`CacheFolder.release` lets it go).

        Raises:
            RecordingError: Nothing was recorded.
            CacheError: It cannot be written.
        """
        stream, self._stream = self._stream, None
        if stream is None:
            raise RecordingError("Nothing is being recorded.")
        stream.close()
        blocks, self._blocks = self._blocks, deque()
        if self._frames < SHORTEST_S * stream.sample_rate_hz:
            raise RecordingError("The recording is too short to search by.", "Record at least a second of the sound.")
        samples = np.concatenate(blocks)
        path = self.cache.path(("recording", time.time_ns()), time.strftime("Recording %Y-%m-%d %H.%M.%S.wav"))

        def fill(part: Path) -> None:
            soundfile.write(part, samples, stream.sample_rate_hz, subtype="PCM_24", format="WAV")

        self.cache.write(path, fill)
        self.cache.hold(path)
        return path

    def cancel(self) -> None:
        """Forget the clip and let go of the microphone."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        self._blocks = deque()

    def _take(self, block: FloatArray) -> None:
        """On the device's thread."""
        if self._has_ended.is_set():
            return
        self._blocks.append(block.copy())
        self._frames += len(block)
        loudest = max(float(block.max()), -float(block.min()))
        self._peak = max(self._peak, loudest)
        if loudest >= _CLIPPED:
            self._has_clipped = True
