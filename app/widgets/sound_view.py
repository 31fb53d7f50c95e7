"""One sound, large: its waveform or spectrogram, the playhead, matched moments, and a region to loop and drag out.

What the mouse does: a click goes there; a drag makes a region; a region's edges can be drawn; its handle is dragged
out of the window; the wheel zooms around the pointer, with Shift it moves along, as does dragging the ruler. With the
focus here Home and End go to the sound's beginning and end.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QToolTip, QWidget

from app.theme import GRID, tokens
from app.widgets.ruler import exact_clock
from app.widgets.sound_picture import HANDLE_PX, RULER_PX, Scene, SoundPicture
from app.widgets.spectrogram import SpectrogramSource
from app.widgets.time_axis import TimeAxis
from app.widgets.waveform import WaveformSource
from core.types import Span

if TYPE_CHECKING:
    from PySide6.QtGui import QContextMenuEvent

_EDGE_PX = 5
_ZOOM_PER_NOTCH = 1.25
_NOTCH = 120
_SHORTEST_REGION_PX = 3


class _Hold(Enum):
    """What the pressed mouse button holds."""

    NOTHING = auto()
    PRESSED = auto()
    REGION = auto()
    START = auto()
    END = auto()
    HANDLE = auto()
    AXIS = auto()


class SoundView(QWidget):
    """Draws a sound and lets it be gone through.

    Args:
        waveform: Where outlines come from.
        spectrogram: Where spectrograms come from.
        axis: The stretch in sight.
        parent: Owner.

    Attributes:
        sought: (float) a moment was clicked.
        region_changed: (Span | None) the user chose another region, or none; told when the button is let go.
        region_dragged_out: The region's handle is being dragged.
        menu_requested: (QPoint, float) the context menu is wanted at a global position, for a moment.
    """

    sought = Signal(float)
    region_changed = Signal(object)
    region_dragged_out = Signal()
    menu_requested = Signal(object, float)

    def __init__(
        self,
        waveform: WaveformSource,
        spectrogram: SpectrogramSource,
        axis: TimeAxis,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._waveform, self._spectrogram, self._axis = waveform, spectrogram, axis
        self._region: Span | None = None
        self._moments: tuple[Span, ...] = ()
        self._playhead_s = 0.0
        self._message = ""
        self._is_spectrogram = False
        self._hold = _Hold.NOTHING
        self._pressed_at = QPointF()
        self._anchor_s = 0.0
        self._picture = SoundPicture(waveform, spectrogram, axis)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(RULER_PX + 10 * GRID)
        self.setAccessibleName(self.tr("Sound"))
        waveform.changed.connect(self._on_more)
        spectrogram.changed.connect(self._on_more)
        axis.changed.connect(self._on_axis_changed)

    @property
    def region(self) -> Span | None:
        """The chosen stretch."""
        return self._region

    @property
    def playhead_s(self) -> float:
        """The moment that is heard."""
        return self._playhead_s

    @property
    def is_spectrogram(self) -> bool:
        """Whether the spectrogram is shown."""
        return self._is_spectrogram

    def set_spectrogram(self, is_spectrogram: bool) -> None:
        """Show the spectrogram, or the waveform."""
        self._is_spectrogram = is_spectrogram
        self._ask()
        self.update()

    def set_moments(self, moments: Sequence[Span]) -> None:
        """Light the moments that matched."""
        self._moments = tuple(moments)
        self._on_more()

    def set_region(self, region: Span | None) -> None:
        """Choose a stretch, or none; nobody is told."""
        self._region = region
        self.update()

    def set_message(self, message: str) -> None:
        """Say something in place of the sound, or nothing."""
        self._message = message
        self.update()

    def set_playhead(self, time_s: float, *, follow: bool = False) -> None:
        """Move the playhead, and turn the page if it left what is in sight."""
        before, self._playhead_s = self._playhead_s, time_s
        if follow and self._hold is _Hold.NOTHING and self._axis.visible.duration_s:
            visible = self._axis.visible
            if not visible.start_s <= time_s <= visible.end_s and visible.start_s <= before <= visible.end_s:
                self._axis.reveal(time_s)
        for moment_s in (before, time_s):
            x = self._axis.x(moment_s, self.width())
            self.update(round(x) - 6, 0, 13, self.height())

    def sizeHint(self) -> QSize:
        return QSize(640, RULER_PX + 30 * GRID)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = tokens()
        body = self._body()
        painter.fillRect(self.rect(), colours.colour("surface1"))
        painter.fillRect(body, colours.colour("surface0"))
        if self._axis.duration_s > 0:
            scene = Scene(
                body=body,
                ratio=self.devicePixelRatioF(),
                region=self._region,
                handle=self._handle(),
                moments=self._moments,
                playhead_s=self._playhead_s,
                is_spectrogram=self._is_spectrogram,
            )
            self._picture.paint(painter, scene)
        if self._message:
            painter.setFont(self.font())
            painter.setPen(colours.colour("text_dim"))
            text = QFontMetrics(self.font()).elidedText(
                self._message, Qt.TextElideMode.ElideRight, round(body.width()) - 4 * GRID
            )
            painter.drawText(body, Qt.AlignmentFlag.AlignCenter, text)
        if self.hasFocus():
            painter.setPen(QPen(colours.colour("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    # Mouse, wheel, keys.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._axis.duration_s <= 0:
            return
        self._pressed_at = event.position()
        if event.button() == Qt.MouseButton.MiddleButton:
            self._hold = _Hold.AXIS
        elif event.button() == Qt.MouseButton.LeftButton:
            self._hold = self._under(event.position())
            self._anchor_s = self._time_s(event.position())
        self._show_cursor(self._hold)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        moved = (event.position() - self._pressed_at).manhattanLength()
        is_drag = moved >= QApplication.startDragDistance()
        if self._hold is _Hold.NOTHING:
            self._show_cursor(self._under(event.position()))
        elif self._hold is _Hold.HANDLE:
            if is_drag:
                self._hold = _Hold.NOTHING
                self.region_dragged_out.emit()
        elif self._hold is _Hold.AXIS:
            step = self._pressed_at.x() - event.position().x()
            self._pressed_at = event.position()
            self._axis.pan(step / max(1, self.width()) * self._axis.visible.duration_s)
        elif self._hold is _Hold.PRESSED:
            if abs(event.position().x() - self._pressed_at.x()) >= QApplication.startDragDistance():
                self._hold = _Hold.REGION
                self._draw_region(self._time_s(event.position()))
        else:
            self._draw_region(self._time_s(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        hold, self._hold = self._hold, _Hold.NOTHING
        if hold is _Hold.PRESSED:
            self.sought.emit(self._time_s(event.position()))
        elif hold in (_Hold.REGION, _Hold.START, _Hold.END):
            region = self._region
            if region is not None and self._x(region.end_s) - self._x(region.start_s) < _SHORTEST_REGION_PX:
                self.set_region(None)
            self.region_changed.emit(self._region)
        self._show_cursor(self._under(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Away from everything, the region goes."""
        inside = (
            self._region is not None and self._region.start_s <= self._time_s(event.position()) < self._region.end_s
        )
        if event.button() == Qt.MouseButton.LeftButton and self._region is not None and not inside:
            self.set_region(None)
            self.region_changed.emit(None)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._axis.duration_s <= 0:
            return
        along, across = event.angleDelta().y(), event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            along, across = 0, across or along
        if abs(across) > abs(along):
            self._axis.pan(-across / _NOTCH * 0.1 * self._axis.visible.duration_s)
        elif along:
            self._axis.zoom(_ZOOM_PER_NOTCH ** (along / _NOTCH), self._time_s(event.position()))
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._axis.zoom(1 + event.value(), self._time_s(event.position()))
            return True
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self._axis.duration_s > 0:
            QToolTip.showText(event.globalPos(), self._hint(QPointF(event.pos())), self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
            return
        key = event.key()
        if key == Qt.Key.Key_Home:
            self.sought.emit(0.0)
        elif key == Qt.Key.Key_End:
            self.sought.emit(self._axis.duration_s)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        is_key = event.reason() == event.Reason.Keyboard
        time_s = self._playhead_s if is_key else self._time_s(QPointF(event.pos()))
        self.menu_requested.emit(event.globalPos(), time_s)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._ask()

    def choose(self, region: Span | None) -> None:
        """Choose a region as the user does with the mouse."""
        self.set_region(region)
        self.region_changed.emit(region)

    # Geometry.

    def _body(self) -> QRectF:
        return QRectF(0, RULER_PX, self.width(), max(0, self.height() - RULER_PX))

    def _x(self, time_s: float) -> float:
        return self._axis.x(time_s, self.width())

    def _time_s(self, position: QPointF) -> float:
        return self._axis.time_s(position.x(), self.width())

    def _handle(self) -> QRectF | None:
        """Where the region's handle lies: inside if there is room, else beside it; None out of sight."""
        if self._region is None:
            return None
        left, right = self._x(self._region.start_s), self._x(self._region.end_s)
        if right < 0 or left > self.width():
            return None
        if min(right, self.width()) - max(left, 0) >= HANDLE_PX + 4 * GRID:
            x = min(right, self.width()) - HANDLE_PX - 2 * GRID
        else:
            x = right + GRID if right + GRID + HANDLE_PX <= self.width() else left - GRID - HANDLE_PX
        return QRectF(x, self.height() - HANDLE_PX - GRID, HANDLE_PX, HANDLE_PX)

    def _under(self, position: QPointF) -> _Hold:
        """What a press at a place would hold."""
        handle = self._handle()
        if handle is not None and handle.contains(position):
            return _Hold.HANDLE
        if self._region is not None:
            near_start = abs(position.x() - self._x(self._region.start_s))
            near_end = abs(position.x() - self._x(self._region.end_s))
            if min(near_start, near_end) <= _EDGE_PX:
                return _Hold.START if near_start < near_end else _Hold.END
        if position.y() < RULER_PX and not self._axis.is_whole:
            return _Hold.AXIS
        return _Hold.PRESSED

    def _draw_region(self, time_s: float) -> None:
        fixed_s = self._anchor_s
        if self._region is not None and self._hold is _Hold.START:
            fixed_s = self._region.end_s
        elif self._region is not None and self._hold is _Hold.END:
            fixed_s = self._region.start_s
        if self._hold is not _Hold.REGION:
            # An edge drawn past the other one becomes that one.
            self._hold, self._anchor_s = _Hold.REGION, fixed_s
        self.set_region(Span(min(fixed_s, time_s), max(fixed_s, time_s)))

    def choose_edge(self, *, start_s: float | None = None, end_s: float | None = None) -> None:
        """Let the region begin, or end, at a moment; past its other edge it reaches to the sound's end there."""
        passed_end = start_s is not None
        region = self._region or Span(0.0, self._axis.duration_s)
        start_s = region.start_s if start_s is None else start_s
        end_s = region.end_s if end_s is None else end_s
        if self._axis.duration_s <= 0 or start_s == end_s:
            return
        if start_s > end_s:
            start_s, end_s = (start_s, self._axis.duration_s) if passed_end else (0.0, end_s)
        self.choose(Span(start_s, end_s))

    def _show_cursor(self, hold: _Hold) -> None:
        shape = Qt.CursorShape
        self.setCursor(
            {
                _Hold.START: shape.SizeHorCursor,
                _Hold.END: shape.SizeHorCursor,
                _Hold.HANDLE: shape.OpenHandCursor,
                _Hold.AXIS: shape.ClosedHandCursor if self._hold is _Hold.AXIS else shape.OpenHandCursor,
            }.get(hold, shape.ArrowCursor)
        )

    def _hint(self, position: QPointF) -> str:
        if self._under(position) is _Hold.HANDLE:
            return self.tr("Drag the region to another program or a folder")
        return exact_clock(self._time_s(position))

    # News.

    def _ask(self) -> None:
        ratio = self.devicePixelRatioF()
        body = self._body()
        width, height = round(body.width() * ratio), round(body.height() * ratio)
        if self._axis.duration_s <= 0 or width <= 0:
            return
        if self._is_spectrogram:
            self._spectrogram.wish(self._axis.visible, width, height)
        else:
            self._waveform.wish(self._axis.visible, width)

    def _on_more(self) -> None:
        self._picture.renew()
        self.update()

    def _on_axis_changed(self) -> None:
        self._ask()
        self.update()
