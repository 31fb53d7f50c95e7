"""Sound devices without sound: a test takes the place of the device's thread and pulls (or pushes) samples itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.audio.device import DeviceError, Ended, Fill, OutputChoice, Take
from core.types import FloatArray

_PATIENCE_S = 10.0


class FakeStream:
    """See core.audio.device.Stream."""

    def __init__(self, fill: Fill, ended: Ended, *, rate_hz: int, channels: int, device: str) -> None:
        self.sample_rate_hz = rate_hz
        self.channels = channels
        self.device = device
        self.latency_s = 0.0
        self.is_closed = False
        self.call = fill
        self.vanish = ended

    def close(self) -> None:
        self.is_closed = True


class FakeOutput:
    """An OpenOutput; devices in `missing` cannot be opened."""

    def __init__(self, *, rate_hz: int = 48_000, channels: int = 2) -> None:
        self.rate_hz = rate_hz
        self.channels = channels
        self.missing: set[str] = set()
        self.streams: list[FakeStream] = []
        self.choices: list[OutputChoice] = []

    def __call__(self, choice: OutputChoice, fill: Fill, ended: Ended) -> FakeStream:
        self.choices.append(choice)
        if choice.device in self.missing:
            raise DeviceError(f"The device “{choice.device}” is not there.", "Plug it in, or choose another.")
        channels = max(self.channels, choice.first_channel + 2)
        stream = FakeStream(
            fill, ended, rate_hz=self.rate_hz, channels=channels, device=choice.device or "the system's"
        )
        self.streams.append(stream)
        return stream

    @property
    def stream(self) -> FakeStream:
        """The stream that was opened last."""
        return self.streams[-1]

    def pull(self, frames: int = 480) -> FloatArray:
        """What the device would play next, (frames, channels)."""
        self._wait_for_decoder(frames)
        out = np.full((frames, self.stream.channels), np.nan, dtype=np.float32)
        self.stream.call(out)
        assert np.isfinite(out).all(), "a buffer was not filled"
        return out

    def pull_sound(self, frames: int, *, buffer: int = 480) -> FloatArray:
        """The next `frames` from the first sample that is not silent on, however long the decoder takes."""
        parts: list[FloatArray] = []
        have = 0
        deadline = time.monotonic() + _PATIENCE_S
        while have < frames:
            assert time.monotonic() < deadline, f"only {have} of {frames} frames came"
            part = self.pull(buffer)
            if not have:
                loud = np.flatnonzero(np.abs(part).max(axis=1))
                if not len(loud):
                    threading.Event().wait(0.001)
                    continue
                part = part[loud[0] :]
            parts.append(part)
            have += len(part)
        return np.concatenate(parts)[:frames]

    def _wait_for_decoder(self, frames: int) -> None:
        """A test pulls a thousand times faster than a device does, which the decoder need not keep up with."""
        mixer = self.stream.call.__self__.mixer
        voice = mixer.voice
        if voice is not None and not mixer.is_paused:
            wait_until(lambda: voice.is_complete or voice.ring.filled >= frames, "the decoder goes on")


class FakeInput:
    """An OpenInput that records what a test pushes."""

    def __init__(self, *, rate_hz: int = 48_000, channels: int = 1) -> None:
        self.rate_hz = rate_hz
        self.channels = channels
        self.is_missing = False
        self.stream: FakeStream | None = None

    def __call__(self, device: str, take: Take, ended: Ended) -> FakeStream:
        if self.is_missing:
            raise DeviceError("There is no device on this machine that can record sound.", "Plug one in.")
        self.stream = FakeStream(
            take, ended, rate_hz=self.rate_hz, channels=self.channels, device=device or "the system's"
        )
        return self.stream

    def push(self, samples: FloatArray) -> None:
        """What the microphone hears, (n, channels)."""
        assert self.stream is not None
        self.stream.call(samples)


def wait_until(condition: Callable[[], bool], what: str = "") -> None:
    """Wait for another thread, and fail after ten seconds."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"it never happened: {what}"
        threading.Event().wait(0.001)


def ramp_file(path: Path, *, seconds: float = 4.0, rate_hz: int = 48_000, channels: int = 2) -> FloatArray:
    """Write a sound in which every sample tells its own place, and return it, (n, channels)."""
    from sound import write_sound

    count = round(seconds * rate_hz)
    place = (np.arange(1, count + 1, dtype=np.float64) / count).astype(np.float32)
    samples = np.stack([place * (1 - 0.5 * channel / channels) for channel in range(channels)], axis=1)
    write_sound(path, samples, rate_hz, subtype="FLOAT")
    return samples
