"""What runs on the sound device's thread: copying samples out of a ring, fading between voices, gain.

The callback has a few milliseconds, in a program whose other threads hold the interpreter's lock. It takes no lock,
opens nothing, and works on arrays that exist already. Who plays and who stops is told to it by single assignments.
"""

from __future__ import annotations

import numpy as np

from core.types import FloatArray

_FADE_S = 0.004
_SCRATCH_FRAMES = 4096


class Ring:
    """Samples on their way from one thread that writes to one that reads.

    Attributes:
        written: Frames written so far.
        read: Frames read so far.
    """

    def __init__(self, frames: int, sides: int) -> None:
        self._data = np.zeros((frames, sides), dtype=np.float32)
        self.written = 0
        self.read = 0

    @property
    def filled(self) -> int:
        """Frames that wait to be read."""
        return self.written - self.read

    @property
    def capacity(self) -> int:
        """Frames that it can hold."""
        return len(self._data)

    def write(self, samples: FloatArray) -> int:
        """Take as many of (n, sides) as there is room for; returns how many."""
        size = len(self._data)
        count = min(len(samples), size - self.filled)
        at = self.written % size
        first = min(count, size - at)
        self._data[at : at + first] = samples[:first]
        self._data[: count - first] = samples[first:count]
        self.written += count  # the reader sees samples only after they are there
        return count

    def read_into(self, out: FloatArray) -> int:
        """Fill the beginning of (n, sides); returns how many frames there were."""
        size = len(self._data)
        count = min(len(out), self.filled)
        at = self.read % size
        first = min(count, size - at)
        out[:first] = self._data[at : at + first]
        out[first:count] = self._data[: count - first]
        self.read += count
        return count


class Voice:
    """One sound being played.

    Attributes:
        ring: Its samples.
        fades_in: Whether it begins in the middle of a sound, where a hard beginning would click.
        is_complete: Whether everything was written.
    """

    def __init__(self, ring: Ring, *, fades_in: bool) -> None:
        self.ring = ring
        self.fades_in = fades_in
        self.is_complete = False

    @property
    def is_finished(self) -> bool:
        """Whether its last sample was taken."""
        return self.is_complete and not self.ring.filled


class Mixer:
    """Fills a device's buffers.

    Args:
        sample_rate_hz: Of the device.
        channels: Of the device's buffers.
        first_channel: Where the left side goes.

    Attributes:
        sample_rate_hz: Of the device.
        sides: Channels of a voice: 2, or 1 where the device has no second one.
        voice: What is to be heard; may be replaced from any thread at any time, and is then faded to.
        is_paused: Whether to be silent and take nothing.
        gain: What everything is multiplied by.
        callbacks: Buffers filled so far.
        underruns: Buffers for which a voice was late.
        peak: Largest sample of the last buffer, before clipping.
    """

    def __init__(self, sample_rate_hz: int, channels: int, first_channel: int = 0) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._first_channel = first_channel
        self.sides = max(1, min(2, channels - first_channel))
        self.voice: Voice | None = None
        self.is_paused = False
        self.gain = 1.0
        self.callbacks = 0
        self.underruns = 0
        self.peak = 0.0
        self._heard: Voice | None = None
        self._gain = 1.0
        self._scratch = np.zeros((_SCRATCH_FRAMES, self.sides), dtype=np.float32)
        self._slope = np.zeros((_SCRATCH_FRAMES, 1), dtype=np.float32)
        self._count = np.arange(1, _SCRATCH_FRAMES + 1, dtype=np.float32)[:, None]
        self._fade_frames = max(2, min(_SCRATCH_FRAMES, round(_FADE_S * sample_rate_hz)))

    def fill(self, out: FloatArray) -> None:
        """Write all of (n, channels) float32."""
        self.callbacks += 1
        out.fill(0)
        peak = 0.0
        for start in range(0, len(out), _SCRATCH_FRAMES):
            part = out[start : start + _SCRATCH_FRAMES, self._first_channel : self._first_channel + self.sides]
            self._fill_part(part)
            peak = max(peak, float(part.max()), -float(part.min()))
            np.clip(part, -1.0, 1.0, out=part)
        self.peak = peak

    def _fill_part(self, out: FloatArray) -> None:
        before, now = self._heard, None if self.is_paused else self.voice
        if now is not None:
            count = now.ring.read_into(out)
            if count < len(out) and not now.is_complete:
                self.underruns += 1
            # A sound's own beginning is its attack, and stays as it is.
            if now is not before and (now.fades_in or now.ring.read > count):
                self._ramp(out[:count], rising=True)
        if before is not None and before is not now:
            frames = min(len(out), self._fade_frames)
            rest = self._scratch[: before.ring.read_into(self._scratch[:frames])]
            self._ramp(rest, rising=False)
            out[: len(rest)] += rest
        self._heard = now
        self._apply_gain(out)

    def _ramp(self, samples: FloatArray, *, rising: bool) -> None:
        """Fade the beginning of samples in, or all of them out."""
        frames = min(len(samples), self._fade_frames)
        if not frames:
            return
        slope = self._slope[:frames]
        np.divide(self._count[:frames], frames, out=slope)
        if not rising:
            np.subtract(1.0, slope, out=slope)
        samples[:frames] *= slope

    def _apply_gain(self, out: FloatArray) -> None:
        target, now = self.gain, self._gain
        if target == now:
            if now != 1.0:
                out *= now
            return
        slope = self._slope[: len(out)]
        np.multiply(self._count[: len(out)], (target - now) / len(out), out=slope)
        slope += now
        out *= slope
        self._gain = target
