"""Spectrograms for looking at, computed with NumPy: a picture of any stretch of a sound, filled from left to right.

Rows are spaced evenly on a logarithmic scale of frequency, from 30 Hz to half of the sample rate; a row shows the
loudest of the bins that fall into it. Where a column covers much more time than an analysis window, a few windows
spread over it are looked at, so that a picture of ten hours costs no more than one of ten minutes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.audio.decode import open_audio
from core.audio.mono import mix_down
from core.errors import UnusableFileError
from core.jobs import CancelToken
from core.types import FloatArray, Span

LOWEST_HZ = 30.0
FLOOR_DB = -96.0

_WINDOW_S = 0.045
_SHORTEST_WINDOW, _LONGEST_WINDOW = 256, 16_384
_WINDOWS_PER_COLUMN = 3
_COLUMNS_AT_ONCE = 64
# Columns so far apart that jumping between them is cheaper than decoding everything.
_JUMP_S = 2.0
_SLOW_TO_JUMP = frozenset({"m4a", "mp4", "mov", "3gp", "wma", "mkv", "ts", "avi", "aac", "mp3"})


@dataclass(slots=True, eq=False)
class Spectrogram:
    """A picture of a stretch of a sound.

    Attributes:
        levels: (rows, columns) uint8, highest frequency first; 0 is -96 dB or less, 255 a sine at full scale.
        filled: Number of columns, from the left, that are computed.
        span: The stretch.
        high_hz: Frequency at the upper edge.
    """

    levels: npt.NDArray[np.uint8]
    filled: int
    span: Span
    high_hz: float

    def frequency_hz(self, share: float) -> float:
        """The frequency at a height, 0 at the lower edge and 1 at the upper."""
        return float(LOWEST_HZ * (self.high_hz / LOWEST_HZ) ** share)


def spectrogram(path: Path, span: Span, *, columns: int, rows: int, cancel: CancelToken) -> Iterator[Spectrogram]:
    """Compute a picture.

    Args:
        path: The file.
        span: The stretch; behind the sound's end the picture stays empty.
        columns: Width.
        rows: Height.
        cancel: To break off.

    Yields:
        One and the same picture, with more columns filled every time.

    Raises:
        UnusableFileError: The file cannot be read.
        CancelledError: A stop was asked for.
    """
    with open_audio(path) as sound:
        info = sound.info
    column_s = span.duration_s / columns
    analysis = _Analysis(info.sample_rate_hz, rows, column_s)
    picture = Spectrogram(np.zeros((rows, columns), dtype=np.uint8), 0, span, info.sample_rate_hz / 2)
    if column_s >= _JUMP_S and info.container not in _SLOW_TO_JUMP:
        sources = _jumping(path, span, columns, analysis)
    else:
        sources = _streaming(path, span, columns, analysis)
    group: list[FloatArray] = []
    for frames in sources:
        cancel.check()
        group.append(frames)
        if len(group) == _COLUMNS_AT_ONCE:
            _fill(picture, group, analysis)
            group = []
            yield picture
    _fill(picture, group, analysis)
    picture.filled = columns
    yield picture


class _Analysis:
    """How a column becomes levels."""

    def __init__(self, sample_rate_hz: int, rows: int, column_s: float) -> None:
        self.rate_hz = sample_rate_hz
        # Close by, time matters more than frequency.
        wanted = sample_rate_hz * min(_WINDOW_S, max(_WINDOW_S / 6, 8 * column_s))
        self.size = int(min(_LONGEST_WINDOW, max(_SHORTEST_WINDOW, 2 ** round(math.log2(wanted)))))
        self.column_samples = column_s * sample_rate_hz
        self.windows = int(min(_WINDOWS_PER_COLUMN, max(1, round(self.column_samples / self.size))))
        self._taper = np.hanning(self.size + 1)[:-1].astype(np.float32)
        self._scale = 2.0 / float(self._taper.sum())
        edges_hz = LOWEST_HZ * (sample_rate_hz / 2 / LOWEST_HZ) ** (np.arange(rows + 1) / rows)
        places = edges_hz * self.size / sample_rate_hz
        first = np.floor(places[:-1] + 0.5).astype(np.int64)
        last = np.maximum(np.floor(places[1:] + 0.5).astype(np.int64), first + 1)
        bins = self.size // 2 + 1
        self._pairs = np.stack([np.minimum(first, bins - 1), np.minimum(last, bins)], axis=1).reshape(-1)

    def levels(self, frames: FloatArray) -> npt.NDArray[np.uint8]:
        """(columns, windows, size) samples to (rows, columns)."""
        spectra = np.abs(np.fft.rfft(frames * self._taper, axis=2)).max(axis=1) * self._scale
        padded = np.pad(spectra, ((0, 0), (0, 1)))
        rows = np.maximum.reduceat(padded, self._pairs, axis=1)[:, ::2]
        level_db = 20 * np.log10(np.maximum(rows, 1e-9))
        scaled = np.clip((level_db - FLOOR_DB) * (255 / -FLOOR_DB), 0, 255)
        return scaled.astype(np.uint8).T[::-1]

    def offsets(self, column: int) -> list[int]:
        """Where the windows of a column begin, in samples from the stretch's beginning."""
        places = (np.arange(self.windows) + 0.5) / self.windows
        return [round((column + place) * self.column_samples - self.size / 2) for place in places.tolist()]


def _fill(picture: Spectrogram, group: list[FloatArray], analysis: _Analysis) -> None:
    if group:
        picture.levels[:, picture.filled : picture.filled + len(group)] = analysis.levels(np.stack(group))
        picture.filled += len(group)


def _streaming(path: Path, span: Span, columns: int, analysis: _Analysis) -> Iterator[FloatArray]:
    """The windows of each column, (windows, size), from one pass over the stretch; ends where the sound does."""
    rate_hz, size = analysis.rate_hz, analysis.size
    start = max(0, round(span.start_s * rate_hz) - size)
    origin = round(span.start_s * rate_hz) - start
    with open_audio(path) as sound:
        sound.skip_to(start / rate_hz, quick=True)
        blocks = sound.blocks(1.0)
        held, held_at, is_over = np.zeros(0, dtype=np.float32), 0, False
        for column in range(columns):
            offsets = [origin + offset for offset in analysis.offsets(column)]
            while held_at + len(held) < offsets[-1] + size and not is_over:
                block = _next(blocks)
                is_over = block is None
                if block is not None:
                    keep = max(0, min(len(held), offsets[0] - held_at))
                    held = np.concatenate([held[keep:], mix_down(block)])
                    held_at += keep
            if offsets[0] + size // 2 >= held_at + len(held):
                return
            yield np.stack([_cut(held, offset - held_at, size) for offset in offsets])


def _jumping(path: Path, span: Span, columns: int, analysis: _Analysis) -> Iterator[FloatArray]:
    """As `_streaming`, going to each window."""
    rate_hz, size = analysis.rate_hz, analysis.size
    origin = round(span.start_s * rate_hz)
    for column in range(columns):
        frames = []
        for offset in analysis.offsets(column):
            begin = max(0, origin + offset)
            with open_audio(path) as sound:
                sound.skip_to(begin / rate_hz)
                block = _next(sound.blocks(size / rate_hz))
            frames.append(np.zeros(size, dtype=np.float32) if block is None else _cut(mix_down(block), 0, size))
            if block is None and not frames[0].any():
                return
        yield np.stack(frames)


def _next(blocks: Iterator[FloatArray]) -> FloatArray | None:
    """The next block, None at the end, also at one that comes too early."""
    try:
        return next(blocks, None)
    except UnusableFileError:
        return None


def _cut(samples: FloatArray, begin: int, size: int) -> FloatArray:
    """`size` samples from anywhere, zeros where there are none."""
    part = np.zeros(size, dtype=np.float32)
    first, last = max(0, begin), min(len(samples), begin + size)
    if first < last:
        part[first - begin : last - begin] = samples[first:last]
    return part
