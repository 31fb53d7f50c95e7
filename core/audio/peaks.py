"""Peaks of a sound for drawing its waveform: a small overview of every file, and any stretch in detail.

An overview is the lowest and the highest sample in each of 256 equal parts, over all channels, as 8-bit integers. It is
measured while a file is indexed and costs half a kilobyte. What the large view shows is read when it is asked for:
see `core.audio.waveform`.

Values are rounded outwards, so that a sound however quiet is never drawn as silence, and clipped at full scale.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.types import FloatArray

Int8Array = npt.NDArray[np.int8]

OVERVIEW_BINS = 256

_FULL_SCALE = 127
# Fine bins per overview bin are 16 to 32, so that an overview bin reaches at most 1/16 beyond its own edges.
_FINE_BINS = 32 * OVERVIEW_BINS
# Values that are reduced at once; two passes over them stay in the processor's cache.
_CACHED_VALUES = 1 << 16
_MAGIC = b"EPK1"
_HEADER = struct.Struct("<4sId")
_MOST_BINS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """The outline of a sound.

    Attributes:
        low: (n,) int8, lowest sample of each of n equal parts; -127 is full scale.
        high: (n,) int8, highest sample of each part.
        duration_s: Length of the sound in seconds.
    """

    low: Int8Array
    high: Int8Array
    duration_s: float

    def __len__(self) -> int:
        return len(self.low)

    def to_bytes(self) -> bytes:
        """A blob for a database: a header, the lows, the highs."""
        return _HEADER.pack(_MAGIC, len(self.low), self.duration_s) + self.low.tobytes() + self.high.tobytes()

    @classmethod
    def from_bytes(cls, blob: bytes) -> Peaks:
        """What `to_bytes` made.

        Raises:
            ValueError: The blob is something else, or damaged.
        """
        if len(blob) < _HEADER.size:
            raise ValueError("too short for peaks")
        magic, bins, duration_s = _HEADER.unpack_from(blob)
        if magic != _MAGIC or bins > _MOST_BINS or len(blob) != _HEADER.size + 2 * bins:
            raise ValueError("no peaks, or peaks of another version")
        if not math.isfinite(duration_s) or duration_s < 0:
            raise ValueError("peaks of a sound without a length")
        values = np.frombuffer(blob, dtype=np.int8, offset=_HEADER.size)
        return cls(values[:bins], values[bins:], duration_s)


class PeakMeter:
    """Measures the peaks of a sound that arrives in blocks of any size, and whose length nobody knows yet.

    It holds at most 8,192 fine bins. Where they are full, neighbours are merged and each holds twice as many samples,
    so that memory stays constant and the result depends on the samples alone, not on how they were cut into blocks.

    Args:
        sample_rate_hz: Samples per second and channel.
        channels: Number of channels; the outline is that of all of them together.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._channels = channels
        self._low = np.zeros(_FINE_BINS, dtype=np.float32)
        self._high = np.zeros(_FINE_BINS, dtype=np.float32)
        self._bin_samples = 1
        self._samples = 0

    def add(self, block: FloatArray) -> None:
        """Measure the next samples, (n, channels) float32."""
        if not len(block):
            return
        while self._samples + len(block) > self._bin_samples * _FINE_BINS:
            self._coarsen()
        rest = np.ascontiguousarray(block)
        begun = self._samples % self._bin_samples
        if begun:
            head, rest = rest[: self._bin_samples - begun], rest[self._bin_samples - begun :]
            self._widen(self._samples // self._bin_samples, head)
            self._samples += len(head)
        whole = len(rest) // self._bin_samples
        self._reduce(rest, whole)
        tail = rest[whole * self._bin_samples :]
        if len(tail):
            at = self._samples // self._bin_samples
            self._low[at], self._high[at] = tail.min(), tail.max()
            self._samples += len(tail)

    def result(self, bins: int = OVERVIEW_BINS) -> Peaks:
        """The peaks of everything added so far, in `bins` parts, or one per sample where there are fewer."""
        bins = min(bins, self._samples)
        if not bins:
            nothing = np.empty(0, dtype=np.int8)
            return Peaks(nothing, nothing, 0.0)
        # Part i covers the samples from i/bins to (i + 1)/bins of all: whichever fine bins touch them.
        edges = np.arange(bins + 1) * self._samples
        first = edges[:-1] // (bins * self._bin_samples)
        last = -(-edges[1:] // (bins * self._bin_samples))
        # reduceat takes pairs of a beginning and an end; what lies between one end and the next beginning is dropped.
        pairs = np.stack([first, last], axis=1).reshape(-1)
        low = np.minimum.reduceat(np.append(self._low, np.float32(0)), pairs)[::2]
        high = np.maximum.reduceat(np.append(self._high, np.float32(0)), pairs)[::2]
        return Peaks(*quantised(low, high), self._samples / self._sample_rate_hz)

    def _reduce(self, samples: FloatArray, bins: int) -> None:
        """Measure whole bins, (>= bins * bin_samples, channels)."""
        size = self._bin_samples * self._channels
        rows = samples[: bins * self._bin_samples].reshape(bins, size)
        at = self._samples // self._bin_samples
        step = max(1, _CACHED_VALUES // size)
        for start in range(0, bins, step):
            part = rows[start : start + step]
            # Twice as fast as a minimum along the rows, which are short.
            edges = np.arange(0, part.size, size)
            np.minimum.reduceat(part.reshape(-1), edges, out=self._low[at + start : at + start + len(part)])
            np.maximum.reduceat(part.reshape(-1), edges, out=self._high[at + start : at + start + len(part)])
        self._samples += bins * self._bin_samples

    def _widen(self, at: int, samples: FloatArray) -> None:
        """Add samples to a bin that was begun."""
        self._low[at] = min(self._low[at], samples.min())
        self._high[at] = max(self._high[at], samples.max())

    def _coarsen(self) -> None:
        """Merge neighbouring bins; one without a neighbour stays as it is."""
        used = -(-self._samples // self._bin_samples)
        merged = -(-used // 2)
        if used % 2:
            self._low[used], self._high[used] = self._low[used - 1], self._high[used - 1]
        np.minimum(self._low[0 : 2 * merged : 2], self._low[1 : 2 * merged : 2], out=self._low[:merged])
        np.maximum(self._high[0 : 2 * merged : 2], self._high[1 : 2 * merged : 2], out=self._high[:merged])
        self._bin_samples *= 2


def quantised(low: FloatArray, high: FloatArray) -> tuple[Int8Array, Int8Array]:
    """Peaks with full scale at 1 as 8-bit integers, rounded outwards and clipped."""
    return (
        np.clip(np.floor(low * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE).astype(np.int8),
        np.clip(np.ceil(high * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE).astype(np.int8),
    )
