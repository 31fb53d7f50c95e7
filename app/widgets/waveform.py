"""The waveform of the large view: what is known is drawn at once, and what is finer follows from the background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal
from PySide6.QtGui import QColor, QImage

from app.theme import Tokens
from core.audio.cache import CacheFolder
from core.audio.peaks import Peaks
from core.audio.waveform import WaveDetail, Waveform, measure_detail, read_peaks
from core.errors import KnownError
from core.jobs import CancelToken, Event, Progress
from core.types import FloatArray, Span

if TYPE_CHECKING:
    from app.jobs import JobHandle, JobRunner

# Going through a list with the arrow held down must not decode every file.
_BEFORE_READING_MS = 90
_AFTER_ZOOM_MS = 30
# While hours are measured the picture grows ten times a second.
_TELL_MS = 100
_FULL_SCALE = 127.0
# So much is decoded at once without waiting for the whole sound's detail.
_QUICKLY_READ_S = 60.0
# A view is read a little wider than what is in sight, so that panning finds something.
_MARGIN = 0.25


@dataclass(frozen=True, slots=True)
class WaveColours:
    """Inks as blue, green, red."""

    plain: tuple[int, int, int]
    lit: tuple[int, int, int]


class WaveformSource(QObject):
    """Peaks of the sound at hand, as fine as the view needs them and as soon as there are any.

    Args:
        runner: Reads in the background.
        cache: Where details of long sounds are kept.
        parent: Owner.

    Attributes:
        changed: There is more, or finer, to draw.
        length_known: (float) the sound's length in seconds: what its header says, and later what was measured.
        failed: (str) why the sound cannot be drawn.
    """

    changed = Signal()
    length_known = Signal(float)
    failed = Signal(str)

    def __init__(self, runner: JobRunner, cache: CacheFolder | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner, self._cache = runner, cache
        self._path: Path | None = None
        self._overview: Peaks | None = None
        self._detail: WaveDetail | None = None
        self._view: Waveform | None = None
        self._wish: tuple[Span, int] | None = None
        self._job: JobHandle | None = None
        self._call: JobHandle | None = None
        self._token = CancelToken()
        self._is_length_told = False
        self._told = QElapsedTimer()
        self._told.start()
        self._begin = self._timer(_BEFORE_READING_MS, self._measure)
        self._read = self._timer(_AFTER_ZOOM_MS, self._read_view)

    @property
    def is_complete(self) -> bool:
        """Whether all of the sound was measured."""
        return self._detail is not None and self._detail.is_complete

    def open(self, path: Path | None, overview: Peaks | None = None) -> None:
        """Begin with another sound, or with none.

        Args:
            path: The file.
            overview: Its small outline, if there is one; it is drawn until a finer one is there.
        """
        self._drop()
        self._path, self._overview = path, overview
        self._detail = self._view = self._wish = None
        self._is_length_told = False
        if path is not None:
            self._begin.start()
        self.changed.emit()

    def wish(self, visible: Span, bins: int) -> None:
        """Say what is in sight, and on how many pixels of the device."""
        margin_s = _MARGIN * visible.duration_s
        wide = Span(max(0.0, visible.start_s - margin_s), visible.end_s + margin_s)
        wished = (wide, max(1, round(bins * wide.duration_s / visible.duration_s)) if visible.duration_s else bins)
        if self._has(visible, bins):
            self._read.stop()
            return
        self._wish = wished
        self._read.start()

    def columns(self, visible: Span, bins: int) -> tuple[FloatArray, FloatArray] | None:
        """Lows and highs (lanes, bins) of what is in sight, from the finest that is there; None if there is nothing."""
        view = self._view
        if view is not None and view.span.start_s <= visible.start_s and visible.end_s <= view.span.end_s + 1e-9:
            low, high = view.low, view.high
            return _stretched(low, high, view.span, visible, bins)
        coarse = self._from_overview(visible, bins)
        detail = self._detail
        if detail is None or not detail.samples:
            return coarse
        wave = detail.waveform(visible, bins)
        if coarse is not None and not detail.is_complete:
            edges_s = visible.start_s + np.arange(bins) * visible.duration_s / bins
            ahead = edges_s >= detail.duration_s
            wave.low[:, ahead], wave.high[:, ahead] = coarse[0][:, ahead], coarse[1][:, ahead]
        return wave.low, wave.high

    def close(self) -> None:
        """Stop reading."""
        self._drop()

    def _from_overview(self, visible: Span, bins: int) -> tuple[FloatArray, FloatArray] | None:
        overview = self._overview
        if overview is None or not len(overview):
            return None
        low = overview.low[None].astype(np.float32) / _FULL_SCALE
        high = overview.high[None].astype(np.float32) / _FULL_SCALE
        return _stretched(low, high, Span(0.0, overview.duration_s), visible, bins)

    def _timer(self, interval_ms: int, work: object) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(interval_ms)
        timer.timeout.connect(work)
        return timer

    def _drop(self) -> None:
        self._begin.stop()
        self._read.stop()
        self._token.cancel()
        self._token = CancelToken()
        for handle in (self._job, self._call):
            if handle is not None:
                handle.cancel()
        self._job = self._call = None

    def _has(self, visible: Span, bins: int) -> bool:
        """Whether the view at hand is fine enough and covers what is in sight."""
        view = self._view
        if view is None or not visible.duration_s:
            return False
        covers = view.span.start_s <= visible.start_s and visible.end_s <= view.span.end_s + 1e-9
        density = view.low.shape[1] / view.span.duration_s
        return covers and 0.99 * bins <= density * visible.duration_s <= 4 * bins

    def _measure(self) -> None:
        path = self._path
        if path is None:
            return

        def job(cancel: CancelToken) -> Iterator[Event]:
            for detail in measure_detail(path, cache=self._cache, cancel=cancel):
                if path == self._path:
                    self._detail = detail
                yield Progress("waveform", detail.samples, item=str(path))

        self._job = self._runner.run(
            job,
            on_event=lambda event: self._on_grown(path),
            on_finished=lambda: self._on_measured(path),
            on_failed=lambda error: self._on_failed(path, error),
            name="measure a waveform",
        )

    def _on_grown(self, path: Path) -> None:
        detail = self._detail
        if path == self._path and detail is not None:
            if not self._is_length_told:
                self._is_length_told = True
                self.length_known.emit(max(detail.expected_s, detail.duration_s))
            if self._told.elapsed() >= _TELL_MS:
                self._told.restart()
                self.changed.emit()

    def _on_measured(self, path: Path) -> None:
        if path == self._path and self._detail is not None and self._detail.is_complete:
            self.length_known.emit(self._detail.duration_s)
            self.changed.emit()
            if self._wish is not None:
                self._read.start()

    def _on_failed(self, path: Path, error: BaseException) -> None:
        if not isinstance(error, KnownError):
            raise error
        if path == self._path:
            self.failed.emit(error.message)

    def _read_view(self) -> None:
        path, wish, detail = self._path, self._wish, self._detail
        if path is None or wish is None:
            return
        if (detail is None or not detail.is_complete) and wish[0].duration_s > _QUICKLY_READ_S:
            return  # asked again when it is measured
        if self._call is not None:
            self._call.cancel()
            self._token.cancel()
            self._token = CancelToken()
        span, bins = wish
        token = self._token
        self._call = self._runner.call(
            lambda: read_peaks(path, span, bins, detail=detail, cancel=token),
            on_result=lambda view: self._on_view(path, wish, view),
            on_failed=lambda error: self._on_failed(path, error),
            name="read a waveform",
        )

    def _on_view(self, path: Path, wish: tuple[Span, int], view: Waveform) -> None:
        if path == self._path and wish == self._wish:
            self._view, self._wish = view, None
            self.changed.emit()


def wave_image(
    low: FloatArray,
    high: FloatArray,
    lit: npt.NDArray[np.bool_],
    height: int,
    colours: Tokens,
) -> QImage:
    """Draw an outline, lanes one below the other, on a transparent ground.

    Args:
        low: (lanes, width), full scale at 1.
        high: (lanes, width).
        lit: (width,) which columns belong to a matched moment.
        height: In pixels of the device.
        colours: Of the theme.
    """
    lanes, width = low.shape
    image = np.zeros((height, width, 4), dtype=np.uint8)
    ink = np.where(lit[:, None], _bgr(colours.amber), _bgr(colours.wave)).astype(np.float32)
    edges = [round(lane * height / lanes) for lane in range(lanes + 1)]
    for lane in range(lanes):
        top_px, bottom_px = edges[lane], edges[lane + 1]
        covered = _coverage(low[lane], high[lane], bottom_px - top_px)
        image[top_px:bottom_px, :, :3] = covered[..., None] * ink[None]
        image[top_px:bottom_px, :, 3] = covered * 255
    return QImage(image.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied).copy()


def _coverage(low: FloatArray, high: FloatArray, height: int) -> FloatArray:
    """How much of each pixel the outline covers, (height, width)."""
    # Neighbours touch, so that a line of single samples holds together.
    low = np.concatenate([low[:1], np.minimum(low[1:], high[:-1])])
    high = np.concatenate([high[:1], np.maximum(high[1:], low[:-1])])
    middle, reach = height / 2, height / 2 - 1
    top = middle - np.clip(high, -1.0, 1.0) * reach - 0.5
    bottom = middle - np.clip(low, -1.0, 1.0) * reach + 0.5
    rows = np.arange(height, dtype=np.float32)[:, None]
    covered: FloatArray = np.clip(np.minimum(bottom, rows + 1) - np.maximum(top, rows), 0.0, 1.0).astype(np.float32)
    return covered


def _stretched(
    low: FloatArray, high: FloatArray, span: Span, visible: Span, bins: int
) -> tuple[FloatArray, FloatArray]:
    """Another stretch and number of parts from what there is: finer ones are merged, coarser ones repeated."""
    count = low.shape[1]
    if not span.duration_s or not count:
        nothing = np.zeros((low.shape[0], bins), dtype=np.float32)
        return nothing, nothing
    edges = (visible.start_s - span.start_s + np.arange(bins + 1) * visible.duration_s / bins) * count / span.duration_s
    first = np.clip(np.floor(edges[:-1] + 1e-6), 0, count - 1).astype(np.int64)
    last = np.clip(np.ceil(edges[1:] - 1e-6), 1, count).astype(np.int64)
    last = np.maximum(last, first + 1)
    pairs = np.stack([first, last], axis=1).reshape(-1)
    padding = ((0, 0), (0, 1))
    merged_low = np.minimum.reduceat(np.pad(low, padding), pairs, axis=1)[:, ::2]
    merged_high = np.maximum.reduceat(np.pad(high, padding), pairs, axis=1)[:, ::2]
    beyond = edges[:-1] >= count
    merged_low[:, beyond] = merged_high[:, beyond] = 0
    return merged_low, merged_high


def _bgr(colour: str) -> npt.NDArray[np.float32]:
    parsed = QColor(colour)
    return np.array([parsed.blue(), parsed.green(), parsed.red()], dtype=np.float32)
