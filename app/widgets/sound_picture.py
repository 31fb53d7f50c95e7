"""How the large view of a sound is painted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPen, QPolygonF

from app.theme import GRID, icon_pixmap, secondary_font, theme_name, tokens
from app.widgets.ruler import clock_marks
from app.widgets.spectrogram import SpectrogramSource, frequency_marks
from app.widgets.time_axis import TimeAxis
from app.widgets.waveform import WaveformSource, wave_image
from core.types import Span

RULER_PX = 5 * GRID
HANDLE_PX = 5 * GRID


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be seen beside the sound itself.

    Attributes:
        body: Where the sound stands; the ruler is above it.
        ratio: Device pixels per pixel of the layout.
        region: The chosen stretch.
        handle: Where the region's handle is, if it is in sight.
        moments: What matched.
        playhead_s: The moment that is heard.
        is_spectrogram: Whether to paint the spectrogram.
    """

    body: QRectF
    ratio: float
    region: Span | None
    handle: QRectF | None
    moments: tuple[Span, ...]
    playhead_s: float
    is_spectrogram: bool

    @property
    def width(self) -> int:
        """Of everything."""
        return round(self.body.width())

    @property
    def height(self) -> int:
        """Of everything, the ruler too."""
        return round(self.body.bottom())


class SoundPicture:
    """Paints scenes; the waveform is kept as an image, so that a moving playhead costs next to nothing.

    Args:
        waveform: Where outlines come from.
        spectrogram: Where spectrograms come from.
        axis: The stretch in sight.
    """

    def __init__(self, waveform: WaveformSource, spectrogram: SpectrogramSource, axis: TimeAxis) -> None:
        self._waveform, self._spectrogram, self._axis = waveform, spectrogram, axis
        self._image: tuple[tuple[object, ...], QImage] | None = None
        self._version = 0

    def renew(self) -> None:
        """There is more to draw, or it is lit otherwise."""
        self._version += 1

    def paint(self, painter: QPainter, scene: Scene) -> None:
        """Paint everything that belongs to the sound."""
        self._paint_sound(painter, scene)
        self._paint_moments(painter, scene)
        self._paint_region(painter, scene)
        self._paint_ruler(painter, scene)
        self._paint_playhead(painter, scene)

    def _x(self, scene: Scene, time_s: float) -> float:
        return self._axis.x(time_s, scene.width)

    def _paint_sound(self, painter: QPainter, scene: Scene) -> None:
        body = scene.body
        visible = self._axis.visible
        if scene.is_spectrogram:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.save()
            painter.setClipRect(body)
            high_hz = self._spectrogram.paint(painter, body, visible)
            painter.restore()
            self._paint_frequencies(painter, body, high_hz)
            return
        ratio = scene.ratio
        width, height = round(body.width() * ratio), round(body.height() * ratio)
        key = (self._version, visible, width, height, theme_name())
        if self._image is None or self._image[0] != key:
            columns = self._waveform.columns(visible, width) if width > 0 and height > 3 else None
            if columns is None:
                return
            image = wave_image(*columns, self._lit(scene.moments, width), height, tokens())
            image.setDevicePixelRatio(ratio)
            self._image = (key, image)
        painter.drawImage(body.topLeft(), self._image[1])

    def _paint_frequencies(self, painter: QPainter, body: QRectF, high_hz: float) -> None:
        painter.setFont(secondary_font())
        for share, text in frequency_marks(high_hz) if high_hz else ():
            y = body.bottom() - share * body.height()
            width = QFontMetrics(secondary_font()).horizontalAdvance(text) + 2 * GRID
            painter.fillRect(QRectF(body.left(), y - 7, width, 14), tokens().colour("surface0"))
            painter.setPen(tokens().colour("text_dim"))
            painter.drawText(QRectF(body.left() + GRID, y - 7, width, 14), Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_moments(self, painter: QPainter, scene: Scene) -> None:
        """A bar with two ends above each moment: colour alone does not say it."""
        amber, body = tokens().colour("amber"), scene.body
        for moment in scene.moments:
            left, right = (
                self._x(scene, moment.start_s),
                max(self._x(scene, moment.end_s), self._x(scene, moment.start_s) + 2),
            )
            if right < 0 or left > scene.width:
                continue
            painter.fillRect(QRectF(left, body.top(), right - left, 2), amber)
            for x in (left, right - 1):
                painter.fillRect(QRectF(x, body.top(), 1, 2 * GRID), amber)
            if scene.is_spectrogram:
                painter.fillRect(QRectF(left, body.bottom() - 2, right - left, 2), amber)

    def _paint_region(self, painter: QPainter, scene: Scene) -> None:
        region, handle = scene.region, scene.handle
        if region is None:
            return
        left, right = self._x(scene, region.start_s), self._x(scene, region.end_s)
        accent = tokens().colour("accent")
        veil = QColor(accent)
        veil.setAlpha(46)
        painter.fillRect(QRectF(left, 0, right - left, scene.height), veil)
        for x in (left, right):
            painter.fillRect(QRectF(round(x) - 1, 0, 2, scene.height), accent)
        if handle is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(tokens().colour("surface0"), 1))
            painter.setBrush(accent)
            painter.drawRoundedRect(handle, GRID, GRID)
            side = HANDLE_PX - GRID
            pixmap = icon_pixmap("drag", side, colour="on_accent", ratio=scene.ratio)
            painter.drawPixmap(QPointF(handle.center().x() - side / 2, handle.center().y() - side / 2), pixmap)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_ruler(self, painter: QPainter, scene: Scene) -> None:
        painter.setFont(secondary_font())
        metrics = QFontMetrics(secondary_font())
        colours = tokens()
        for time_s, text in clock_marks(self._axis.visible, scene.width, metrics.horizontalAdvance("0:00:00.000")):
            x = round(self._x(scene, time_s))
            painter.fillRect(QRectF(x, RULER_PX - GRID, 1, GRID), colours.colour("outline"))
            width = metrics.horizontalAdvance(text)
            if x + GRID + width <= scene.width:
                painter.setPen(colours.colour("text_dim"))
                painter.drawText(QRectF(x + GRID, 0, width, RULER_PX), Qt.AlignmentFlag.AlignVCenter, text)
        if not self._axis.is_whole:
            # Where in the whole sound this is.
            visible, whole_s = self._axis.visible, self._axis.duration_s
            left = visible.start_s / whole_s * scene.width
            width_px = max(2.0 * GRID, visible.duration_s / whole_s * scene.width)
            painter.fillRect(QRectF(0, 0, scene.width, 2), colours.colour("border"))
            painter.fillRect(QRectF(min(left, scene.width - width_px), 0, width_px, 2), colours.colour("outline"))

    def _paint_playhead(self, painter: QPainter, scene: Scene) -> None:
        x = round(self._x(scene, scene.playhead_s))
        if not -4 <= x <= scene.width + 4:
            return
        ink = tokens().colour("text")
        painter.fillRect(QRectF(min(x, scene.width - 1), RULER_PX, 1, scene.height - RULER_PX), ink)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        top = RULER_PX - GRID
        painter.drawPolygon(QPolygonF([QPointF(x - 3.5, top), QPointF(x + 4.5, top), QPointF(x + 0.5, top + GRID + 1)]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _lit(self, moments: tuple[Span, ...], width: int) -> npt.NDArray[np.bool_]:
        lit = np.zeros(width, dtype=bool)
        for moment in moments:
            first = max(0, round(self._axis.x(moment.start_s, width)))
            last = min(width, max(first + 1, round(self._axis.x(moment.end_s, width))))
            lit[first:last] = True
        return lit
