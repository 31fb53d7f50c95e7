"""The spectrogram of the large view: computed in the background for what is in sight, and drawn as it grows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QRectF, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QPainter

from app.theme import ThemeName, theme_name, tokens
from core.audio.spectrogram import LOWEST_HZ, Spectrogram, spectrogram
from core.errors import KnownError
from core.jobs import CancelToken, Event, Progress
from core.types import Span

if TYPE_CHECKING:
    from app.jobs import JobHandle, JobRunner

_BEFORE_COMPUTING_MS = 120
_MOST_COLUMNS, _MOST_ROWS = 2_400, 400
_PICTURES_KEPT = 12
# Quiet parts would be as dark as silence on an even scale.
_CONTRAST = 1.3


class SpectrogramSource(QObject):
    """Pictures of the sound at hand.

    Args:
        runner: Computes in the background.
        parent: Owner.

    Attributes:
        changed: There is more to draw.
        failed: (str) why there is nothing to draw.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, runner: JobRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._path: Path | None = None
        self._pictures: list[Spectrogram] = []
        self._job: JobHandle | None = None
        self._wish: tuple[Span, int, int] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_BEFORE_COMPUTING_MS)
        self._timer.timeout.connect(self._compute)

    def open(self, path: Path | None) -> None:
        """Begin with another sound, or with none."""
        self.close()
        self._path, self._wish = path, None
        self._pictures = []
        self.changed.emit()

    def wish(self, visible: Span, columns: int, rows: int) -> None:
        """Say what is in sight, and on how many pixels of the device."""
        wish = (visible, min(_MOST_COLUMNS, columns), min(_MOST_ROWS, rows))
        if wish == self._wish or not visible.duration_s or not columns or not rows:
            return
        self._wish = wish
        if not any(_is(picture, wish) and picture.filled == wish[1] for picture in self._pictures):
            self._timer.start()

    def paint(self, painter: QPainter, rect: QRectF, visible: Span) -> float:
        """Draw what is there of a stretch, coarse pictures below finer ones.

        Returns:
            The frequency at the upper edge, 0 if nothing is there.
        """
        high_hz = 0.0
        for picture in sorted(self._pictures, key=lambda picture: -picture.span.duration_s):
            if picture.filled and visible.duration_s:
                _paint(painter, rect, visible, picture)
                high_hz = picture.high_hz
        return high_hz

    def close(self) -> None:
        """Stop computing."""
        self._timer.stop()
        if self._job is not None:
            self._job.cancel()
        self._job = None

    def _compute(self) -> None:
        path, wish = self._path, self._wish
        if path is None or wish is None:
            return
        if self._job is not None:
            self._job.cancel()
        span, columns, rows = wish

        def job(cancel: CancelToken) -> Iterator[Event]:
            for picture in spectrogram(path, span, columns=columns, rows=rows, cancel=cancel):
                self._keep(path, picture)
                yield Progress("spectrogram", picture.filled, columns, str(path))

        self._job = self._runner.run(
            job,
            on_event=lambda event: self._tell(path),
            on_finished=lambda: self._tell(path),
            on_failed=lambda error: self._on_failed(path, error),
            name="compute a spectrogram",
        )

    def _keep(self, path: Path, picture: Spectrogram) -> None:
        """On the job's thread; the list is replaced and never changed in place."""
        if path == self._path and not any(kept is picture for kept in self._pictures):
            self._pictures = [*self._pictures[-_PICTURES_KEPT + 1 :], picture]

    def _tell(self, path: Path) -> None:
        if path == self._path:
            self.changed.emit()

    def _on_failed(self, path: Path, error: BaseException) -> None:
        if not isinstance(error, KnownError):
            raise error
        if path == self._path:
            self.failed.emit(error.message)


def frequency_marks(high_hz: float) -> list[tuple[float, str]]:
    """Where the axis of frequencies has a number: (share of the height from below, text)."""
    marks = []
    for hertz in (100, 1_000, 10_000, 40_000):
        if LOWEST_HZ < hertz < 0.9 * high_hz:
            share = float(np.log(hertz / LOWEST_HZ) / np.log(high_hz / LOWEST_HZ))
            marks.append((share, f"{hertz // 1000} kHz" if hertz >= 1000 else f"{hertz} Hz"))
    return marks


def _is(picture: Spectrogram, wish: tuple[Span, int, int]) -> bool:
    span, columns, rows = wish
    return picture.span == span and picture.levels.shape == (rows, columns)


def _paint(painter: QPainter, rect: QRectF, visible: Span, picture: Spectrogram) -> None:
    rows, columns = picture.levels.shape
    image = QImage(picture.levels.data, columns, rows, columns, QImage.Format.Format_Indexed8)
    image.setColorTable(_colours(theme_name()))
    per_s = rect.width() / visible.duration_s
    filled_s = picture.span.duration_s * picture.filled / columns
    target = QRectF(
        rect.left() + (picture.span.start_s - visible.start_s) * per_s, rect.top(), filled_s * per_s, rect.height()
    )
    painter.drawImage(target, image, QRectF(0, 0, picture.filled, rows))


@lru_cache(maxsize=2)
def _colours(_theme: ThemeName) -> list[int]:
    """From the ground through the accent to the text's colour, so that both themes read the same way."""
    colours = tokens()
    stops = [QColor(colours.surface0), QColor(colours.accent), QColor(colours.text)]
    table = []
    for level in range(256):
        share = (level / 255) ** _CONTRAST * (len(stops) - 1)
        index = min(len(stops) - 2, int(share))
        part = share - index
        below, above = stops[index], stops[index + 1]
        table.append(
            QColor.fromRgbF(
                below.redF() + part * (above.redF() - below.redF()),
                below.greenF() + part * (above.greenF() - below.greenF()),
                below.blueF() + part * (above.blueF() - below.blueF()),
            ).rgb()
        )
    return table
