"""Small waveforms as pixmaps, painted once and then copied: scrolling must not draw 200 lines for every row."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtGui import QColor, QImage, QPixmap

from app.theme import Tokens, theme_name, tokens
from core.audio.peaks import Peaks
from core.types import FloatArray, Span

# Soft sounds would be flat lines in a row of 36 pixels.
_LOUDNESS_EXPONENT = 0.6
_FULL_SCALE = 127.0
_BYTES_KEPT = 48 << 20
# New waveforms are drawn for so long in one frame; what is left follows in the next one.
_FRAME_S = 0.006


@dataclass(frozen=True, slots=True)
class Outline:
    """What a small waveform shows, and how large, in pixels of the device."""

    file_id: int
    width_px: int
    height_px: int
    lit: tuple[Span, ...]
    is_dim: bool = False


class WaveformCache:
    """Pixmaps of outlines painted lately, up to a number of bytes."""

    def __init__(self, bytes_kept: int = _BYTES_KEPT) -> None:
        self._bytes_kept = bytes_kept
        self._bytes = 0
        self._theme = theme_name()
        self._pixmaps: OrderedDict[Outline, tuple[int, QPixmap]] = OrderedDict()
        self._spent_s = 0.0
        self.is_behind = False

    def begin_frame(self) -> None:
        """A new frame is being painted."""
        self._spent_s = 0.0
        self.is_behind = False

    def pixmap(self, outline: Outline, peaks: Peaks, *, ratio: float) -> QPixmap | None:
        """The pixmap of an outline; painted if it is not here, unless this frame has painted enough of them.

        `is_behind` then says that another frame is needed.

        Args:
            outline: What it shows.
            peaks: Of that file.
            ratio: Device pixels per pixel of the layout.
        """
        if self._theme != theme_name():
            self.clear()
        key = id(peaks)
        kept = self._pixmaps.get(outline)
        if kept is not None and kept[0] == key:
            self._pixmaps.move_to_end(outline)
            return kept[1]
        if self._spent_s > _FRAME_S:
            self.is_behind = True
            return None if kept is None else kept[1]
        began = time.perf_counter()
        pixmap = QPixmap.fromImage(outline_image(outline, peaks, tokens()))
        pixmap.setDevicePixelRatio(ratio)
        self._spent_s += time.perf_counter() - began
        if kept is None:
            self._bytes += _size(outline)
        self._pixmaps[outline] = (key, pixmap)
        while self._bytes > self._bytes_kept and len(self._pixmaps) > 1:
            oldest, _ = self._pixmaps.popitem(last=False)
            self._bytes -= _size(oldest)
        return pixmap

    def clear(self) -> None:
        """Forget everything, for another theme."""
        self._theme = theme_name()
        self._pixmaps.clear()
        self._bytes = 0


def outline_image(outline: Outline, peaks: Peaks, colours: Tokens) -> QImage:
    """A sound's outline on a transparent ground; lit stretches in amber between two brackets.

    Edges are smoothed by how much of a pixel the outline covers.
    """
    width, height = max(1, outline.width_px), max(1, outline.height_px)
    low, high = _columns(peaks, width)
    middle = height / 2
    top = middle - np.maximum(high * middle, 0.5)
    bottom = middle - np.minimum(low * middle, -0.5)
    rows = np.arange(height, dtype=np.float32)[:, None]
    covered = np.minimum(bottom, rows + 1) - np.maximum(top, rows)
    np.clip(covered, 0.0, 1.0, out=covered)
    lit = _lit_columns(outline.lit, peaks.duration_s, width)
    plain = colours.wave_dim if outline.is_dim or lit.any() else colours.wave
    ink = np.where(lit[:, None], _rgb(colours.amber), _rgb(plain))
    image = np.empty((height, width, 4), dtype=np.uint8)
    for channel in range(3):
        np.multiply(covered, ink[:, channel], out=image[..., channel], casting="unsafe")
    np.multiply(covered, np.float32(255), out=image[..., 3], casting="unsafe")
    _draw_brackets(image, lit, _rgb(colours.amber))
    return QImage(image.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied).copy()


def _columns(peaks: Peaks, width: int) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest value, -1 to 1, of each column of pixels."""
    count = len(peaks)
    if not count:
        nothing = np.zeros(width, dtype=np.float32)
        return nothing, nothing
    starts = np.arange(width) * count // width
    if width >= count:
        low, high = peaks.low[starts], peaks.high[starts]
    else:
        low, high = np.minimum.reduceat(peaks.low, starts), np.maximum.reduceat(peaks.high, starts)
    return _lifted(low), _lifted(high)


def _lifted(values: npt.NDArray[np.int8]) -> FloatArray:
    scaled = values.astype(np.float32) / _FULL_SCALE
    lifted: FloatArray = (np.sign(scaled) * np.abs(scaled) ** _LOUDNESS_EXPONENT).astype(np.float32)
    return lifted


def _lit_columns(spans: tuple[Span, ...], duration_s: float, width: int) -> npt.NDArray[np.bool_]:
    lit = np.zeros(width, dtype=bool)
    for span in spans:
        if duration_s > 0:
            first = min(width - 1, int(span.start_s / duration_s * width))
            last = min(width, max(first + 2, round(span.end_s / duration_s * width)))
            lit[first:last] = True
    return lit


def _draw_brackets(image: npt.NDArray[np.uint8], lit: npt.NDArray[np.bool_], ink: FloatArray) -> None:
    """Upright lines at both ends of each lit stretch, because colour alone must not say it."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lit, [False]]).astype(np.int8)))
    for edge in edges:
        column = min(len(lit) - 1, int(edge))
        image[:, column, :3] = ink.round()
        image[:, column, 3] = 255


def _rgb(colour: str) -> FloatArray:
    """Blue, green, red as they lie in memory."""
    parsed = QColor(colour)
    return np.array([parsed.blue(), parsed.green(), parsed.red()], dtype=np.float32)


def _size(outline: Outline) -> int:
    return 4 * outline.width_px * outline.height_px
