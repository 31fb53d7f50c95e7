"""Peaks of any stretch of a sound, for the large view of its waveform.

Far out, a view is put together from the sound's detail: the peaks of every 512 samples, measured once in one pass and
kept in a cache on disk. That is 10 MB for ten hours of stereo. Close by, the stretch itself is decoded.

Shape legend: l lanes (channels drawn one below the other), n bins.
"""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.audio.cache import CacheError, CacheFolder
from core.audio.cursor import SoundKey, sound_key
from core.audio.decode import open_audio
from core.errors import UnusableFileError
from core.jobs import CancelToken
from core.types import FloatArray, Span

_log = logging.getLogger(__name__)

DETAIL_SAMPLES = 512
MAX_LANES = 8

_COARSENING = 32
_MAGIC = b"EWD1"
_HEADER = struct.Struct("<4sIIQ")
_SCALE = 32_767
_BLOCK_S = 10.0
# Shorter sounds are read again as fast as their detail would be.
_WORTH_KEEPING_S = 20.0
_MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Waveform:
    """The outline of a stretch of a sound.

    Attributes:
        low: (l, n) float32, lowest sample of each of n equal parts, full scale at 1.
        high: (l, n) float32, highest sample.
        span: The stretch.
    """

    low: FloatArray
    high: FloatArray
    span: Span


class WaveDetail:
    """The peaks of every 512 samples of a sound; one thread may measure it while others look at what is there.

    Attributes:
        sample_rate_hz: Of the sound.
        samples: How many frames were measured.
        expected_s: The length that the sound's header promises, in seconds.
        is_complete: Whether that is all of them.
    """

    def __init__(self, sample_rate_hz: int, lanes: int, expected_samples: int = 0) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.samples = 0
        self.is_complete = False
        self.expected_s = expected_samples / sample_rate_hz
        self._fine = _Grid(lanes, DETAIL_SAMPLES, expected_samples)
        # For hours on one screen: merging millions of fine bins for every picture would be felt.
        self._coarse = _Grid(lanes, DETAIL_SAMPLES * _COARSENING, expected_samples)

    @property
    def duration_s(self) -> float:
        """Length of what was measured, in seconds."""
        return self.samples / self.sample_rate_hz

    def add(self, block: FloatArray) -> None:
        """Measure the next samples, (n, channels) float32; all blocks but the last fill whole coarse bins."""
        lanes = self._fine.lanes
        bins = -(-len(block) // DETAIL_SAMPLES)
        low = np.empty((lanes, bins), dtype=np.int16)
        high = np.empty((lanes, bins), dtype=np.int16)
        for lane in range(lanes):
            column = block if lanes == 1 else np.ascontiguousarray(block[:, lane])
            lows, highs = _extremes(column.reshape(len(block), -1), bins)
            low[lane] = np.clip(np.floor(lows * _SCALE), -_SCALE, _SCALE)
            high[lane] = np.clip(np.ceil(highs * _SCALE), -_SCALE, _SCALE)
        self._fine.put(self.samples // DETAIL_SAMPLES, low, high)
        starts = np.arange(0, bins, _COARSENING)
        self._coarse.put(
            self.samples // self._coarse.size,
            np.minimum.reduceat(low, starts, axis=1),
            np.maximum.reduceat(high, starts, axis=1),
        )
        self.samples += len(block)

    def waveform(self, span: Span, bins: int) -> Waveform:
        """The outline of a stretch; what lies behind the end of what was measured is flat.

        Args:
            span: The stretch.
            bins: Number of parts, at best not shorter than 512 samples each.
        """
        samples = self.samples
        per_bin = span.duration_s * self.sample_rate_hz / bins
        grid = self._coarse if per_bin >= 4 * self._coarse.size else self._fine
        edges = (span.start_s + np.arange(bins + 1) * (span.duration_s / bins)) * (self.sample_rate_hz / grid.size)
        low, high = grid.merged(edges, -(-samples // grid.size))
        return Waveform(low, high, span)

    def write_to(self, path: Path) -> None:
        """Write all of it, as `read_from` reads it."""
        bins = -(-self.samples // DETAIL_SAMPLES)
        with path.open("wb") as file:
            file.write(_HEADER.pack(_MAGIC, self.sample_rate_hz, self._fine.lanes, self.samples))
            file.write(np.ascontiguousarray(self._fine.peaks[:, :, :bins], dtype="<i2").tobytes())

    @classmethod
    def read_from(cls, path: Path) -> WaveDetail:
        """What `write_to` wrote.

        Raises:
            ValueError: The file is something else, or damaged.
            OSError: It cannot be read.
        """
        with path.open("rb") as file:
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise ValueError("too short for a waveform")
            magic, rate_hz, lanes, samples = _HEADER.unpack(header)
            bins = -(-samples // DETAIL_SAMPLES)
            expected = 4 * lanes * bins
            if magic != _MAGIC or not 0 < lanes <= MAX_LANES or not rate_hz or not 0 < expected <= _MOST_BYTES:
                raise ValueError("no waveform, or one of another version")
            content = file.read(expected + 1)
        if len(content) != expected:
            raise ValueError("a waveform that is cut off")
        detail = cls(rate_hz, lanes, samples)
        low, high = np.frombuffer(content, dtype="<i2").reshape(2, lanes, bins)
        detail._fine.put(0, low, high)
        starts = np.arange(0, bins, _COARSENING)
        detail._coarse.put(0, np.minimum.reduceat(low, starts, axis=1), np.maximum.reduceat(high, starts, axis=1))
        detail.samples, detail.is_complete = samples, True
        return detail


class _Grid:
    """Lows and highs of bins of one size, with one bin to spare at the end.

    Attributes:
        size: Samples of a bin.
        peaks: (2, lanes, n) int16: lows, highs.
    """

    def __init__(self, lanes: int, size: int, expected_samples: int) -> None:
        self.size = size
        self.peaks: npt.NDArray[np.int16] = np.zeros((2, lanes, expected_samples // size + 2), dtype=np.int16)

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return int(self.peaks.shape[1])

    def put(self, first: int, low: npt.NDArray[np.int16], high: npt.NDArray[np.int16]) -> None:
        """Store bins, (lanes, n) each."""
        end = first + low.shape[1]
        if end + 1 > self.peaks.shape[2]:
            grown = np.zeros((2, self.lanes, 2 * (end + 1)), dtype=np.int16)
            grown[:, :, :first] = self.peaks[:, :, :first]
            self.peaks = grown
        self.peaks[0, :, first:end], self.peaks[1, :, first:end] = low, high

    def merged(self, edges: npt.NDArray[np.floating], filled: int) -> tuple[FloatArray, FloatArray]:
        """Lows and highs (lanes, n) between n + 1 edges, counted in bins; flat where nothing is filled."""
        peaks = self.peaks
        first = np.floor(edges[:-1] + 1e-6).astype(np.int64)
        last = np.maximum(np.ceil(edges[1:] - 1e-6).astype(np.int64), first + 1)
        inside = first < filled
        pairs = np.stack([first[inside], np.minimum(last[inside], filled)], axis=1).reshape(-1)
        low = np.zeros((peaks.shape[1], len(first)), dtype=np.float32)
        high = np.zeros_like(low)
        if len(pairs):
            # The pairs count from the first bin in sight; one bin more lets the last pair end there.
            begin, end = int(pairs[0]), int(pairs[-1]) + 1
            low[:, inside] = np.minimum.reduceat(peaks[0, :, begin:end], pairs - begin, axis=1)[:, ::2] / _SCALE
            high[:, inside] = np.maximum.reduceat(peaks[1, :, begin:end], pairs - begin, axis=1)[:, ::2] / _SCALE
        return low, high


def _extremes(samples: FloatArray, bins: int) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest value (bins,) of every 512 rows of (n, channels); the last bin may have fewer."""
    whole = len(samples) // DETAIL_SAMPLES
    low, high = np.empty(bins, dtype=np.float32), np.empty(bins, dtype=np.float32)
    rows = samples[: whole * DETAIL_SAMPLES].reshape(whole, -1)
    if whole:
        np.min(rows, axis=1, out=low[:whole])
        np.max(rows, axis=1, out=high[:whole])
    if whole < bins:
        rest = samples[whole * DETAIL_SAMPLES :]
        low[whole], high[whole] = rest.min(), rest.max()
    return low, high


def measure_detail(path: Path, *, cache: CacheFolder | None = None, cancel: CancelToken) -> Iterator[WaveDetail]:
    """Measure a whole sound, or take what was measured before.

    Yields:
        One and the same detail, which has grown every time. A sound that breaks off ends where it does.

    Raises:
        UnusableFileError: It cannot be read at all.
        CancelledError: A stop was asked for.
    """
    key = sound_key(path)
    known = None if cache is None else _kept(cache, key)
    if known is not None:
        yield known
        return
    with open_audio(path) as sound:
        rate_hz = sound.info.sample_rate_hz
        lanes = sound.info.channels if sound.info.channels <= MAX_LANES else 1
        detail = WaveDetail(rate_hz, lanes, round(sound.info.duration_s * rate_hz))
        unit = DETAIL_SAMPLES * _COARSENING
        frames = min(round(_BLOCK_S * rate_hz), (1 << 22) // sound.info.channels)
        size = unit * max(1, frames // unit)
        try:
            for block in sound.blocks(size / rate_hz):
                cancel.check()
                detail.add(block)
                yield detail
        except UnusableFileError:
            if not detail.samples:
                raise
    detail.is_complete = True
    if cache is not None and detail.duration_s >= _WORTH_KEEPING_S:
        try:
            cache.write(_place(cache, key), detail.write_to)
        except CacheError as error:
            # Only the next look takes longer.
            _log.warning("%s", error)
    yield detail


def read_peaks(
    path: Path, span: Span, bins: int, *, detail: WaveDetail | None = None, cancel: CancelToken | None = None
) -> Waveform:
    """The outline of a stretch of a sound.

    Args:
        path: The file.
        span: The stretch; what lies behind the sound's end is flat.
        bins: Number of equal parts.
        detail: Of the same sound, to be used where the parts are long enough.
        cancel: To break off.

    Raises:
        UnusableFileError: The file cannot be read.
        CancelledError: A stop was asked for.
    """
    if detail is not None and detail.is_complete and suits(detail, span, bins):
        return detail.waveform(span, bins)
    with open_audio(path) as sound:
        rate_hz, channels = sound.info.sample_rate_hz, sound.info.channels
        lanes = channels if channels <= MAX_LANES else 1
        first = math.floor(span.start_s * rate_hz + 1e-4)
        count = max(1, math.ceil(span.end_s * rate_hz - 1e-4) - first)
        sound.skip_to(first / rate_hz, quick=True)
        # Edges in samples from `first`; every part has at least one sample.
        edges = (span.start_s * rate_hz - first) + np.arange(bins + 1) * (span.duration_s * rate_hz / bins)
        meter = _SpanMeter(lanes, edges)
        at = 0
        try:
            for block in sound.blocks(min(_BLOCK_S, max(0.05, count / rate_hz))):
                if cancel is not None:
                    cancel.check()
                meter.add(at, block[: count - at])
                at += len(block)
                if at >= count:
                    break
        except UnusableFileError:
            if not at and not first:
                raise
    return Waveform(*meter.result(), span)


def suits(detail: WaveDetail, span: Span, bins: int) -> bool:
    """Whether a view of a stretch is coarse enough to be taken from the detail."""
    return span.duration_s * detail.sample_rate_hz / bins >= 2 * DETAIL_SAMPLES


class _SpanMeter:
    """Peaks of parts with edges anywhere, from blocks in order."""

    def __init__(self, lanes: int, edges: npt.NDArray[np.floating]) -> None:
        # What seconds times a rate leave behind the decimal point must not make a sample count for its neighbour.
        places = np.round(edges, 4)
        self._first = np.floor(places[:-1]).astype(np.int64)
        self._last = np.maximum(np.ceil(places[1:]).astype(np.int64), self._first + 1)
        self._low = np.full((lanes, len(self._first)), np.inf, dtype=np.float32)
        self._high = np.full((lanes, len(self._first)), -np.inf, dtype=np.float32)

    def add(self, at: int, block: FloatArray) -> None:
        """Measure samples (n, channels) that begin `at` samples behind the stretch's beginning."""
        touched = np.flatnonzero((self._first < at + len(block)) & (self._last > at))
        if not len(touched):
            return
        begin = np.maximum(self._first[touched] - at, 0)
        end = np.minimum(self._last[touched] - at, len(block))
        pairs = np.stack([begin, end], axis=1).reshape(-1)
        lanes = len(self._low)
        for lane in range(lanes):
            column = block if lanes == 1 else block[:, lane : lane + 1]
            low = np.minimum.reduceat(np.append(column.min(axis=1), np.float32(np.inf)), pairs)[::2]
            high = np.maximum.reduceat(np.append(column.max(axis=1), np.float32(-np.inf)), pairs)[::2]
            self._low[lane, touched] = np.minimum(self._low[lane, touched], low)
            self._high[lane, touched] = np.maximum(self._high[lane, touched], high)

    def result(self) -> tuple[FloatArray, FloatArray]:
        """Lows and highs (l, n); parts without a sample are flat."""
        empty = ~np.isfinite(self._low)
        self._low[empty] = self._high[empty] = 0
        return self._low, self._high


def _place(cache: CacheFolder, key: SoundKey) -> Path:
    return cache.path((str(key.path), key.size_bytes, key.mtime_ns), "waveform.peaks")


def _kept(cache: CacheFolder, key: SoundKey) -> WaveDetail | None:
    path = _place(cache, key)
    if not cache.found(path):
        return None
    try:
        return WaveDetail.read_from(path)
    except (OSError, ValueError) as error:
        _log.info("%s is measured again: %s", key.path, error)
        return None
