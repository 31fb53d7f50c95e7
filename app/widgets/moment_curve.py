"""How a file fits the question from its beginning to its end, as a curve that can be clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.models.row import span_text
from app.theme import tokens

if TYPE_CHECKING:
    from core.library import MomentScore

_HEIGHT_PX = 56
_PAD_PX = 4
# A window at or above it is a match; the line is drawn there.
_MATCH = 0.5


class MomentCurve(QWidget):
    """A step for every window; matches are lit and underlined.

    Attributes:
        chosen: (Span) a click, or Enter on the window that the arrows chose.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._moments: tuple[MomentScore, ...] = ()
        self._duration_s = 0.0
        self._peak_s: float | None = None
        self._at = -1
        self.setFixedHeight(_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.show_moments((), 0.0)

    @property
    def moments(self) -> tuple[MomentScore, ...]:
        """What is drawn."""
        return self._moments

    def show_moments(self, moments: Sequence[MomentScore], duration_s: float) -> None:
        """Draw the windows of a file of a length."""
        self._moments = tuple(moments)
        self._duration_s = max([duration_s, *(moment.span.end_s for moment in moments)])
        self._at, self._peak_s = -1, None
        matches = [span_text(moment.span) for moment in moments if moment.relevance >= _MATCH]
        words = self.tr("Matches over time: {spans}").format(spans=", ".join(matches[:10]) or self.tr("none"))
        self.setAccessibleName(words)
        self.update()

    @property
    def peak_s(self) -> float | None:
        """Where the sound itself was found."""
        return self._peak_s

    def show_peak(self, time_s: float) -> None:
        """Mark where in the windows the sound itself is."""
        self._peak_s = time_s
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(240, _HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = tokens()
        painter = QPainter(self)
        area = self._area()
        painter.fillRect(self.rect(), colours.colour("surface0"))
        if self._duration_s <= 0:
            return
        painter.setPen(QPen(colours.colour("border"), 1, Qt.PenStyle.DashLine))
        level = area.bottom() - _MATCH * area.height()
        painter.drawLine(QPointF(area.left(), level), QPointF(area.right(), level))
        points = [
            QPointF(self._x(_middle(moment)), area.bottom() - moment.relevance * area.height())
            for moment in self._moments
        ]
        if points:
            ends = [QPointF(area.left(), points[0].y()), *points, QPointF(area.right(), points[-1].y())]
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(colours.colour("wave"), 1.5))
            painter.drawPolyline(QPolygonF(ends))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        if self._peak_s is not None:
            painter.fillRect(QRectF(self._x(self._peak_s) - 1, area.top(), 2, area.height()), colours.colour("amber"))
        for number, moment in enumerate(self._moments):
            left, right = self._x(moment.span.start_s), self._x(moment.span.end_s)
            if moment.relevance >= _MATCH:
                painter.fillRect(QRectF(left, area.bottom() + 1, right - left, 3), colours.colour("amber"))
            if number == self._at:
                painter.setPen(QPen(colours.colour("accent"), 1))
                painter.drawRect(QRectF(left, area.top() - 2, right - left - 1, area.height() + 4))
        if self.hasFocus():
            painter.setPen(QPen(colours.colour("accent"), 1))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        moment = self._moment_at(event.position().x())
        if moment is not None:
            self.setToolTip(f"{span_text(moment.span)} · {moment.relevance:.0%}")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        moment = self._moment_at(event.position().x())
        if moment is not None and event.button() == Qt.MouseButton.LeftButton:
            self._at = self._moments.index(moment)
            self.update()
            self.chosen.emit(moment.span)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and 0 <= self._at < len(self._moments):
            self.chosen.emit(self._moments[self._at].span)
        elif event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self._moments:
            # Left and Right seek in what is played, wherever the focus is.
            step = -1 if event.key() == Qt.Key.Key_Up else 1
            self._at = min(len(self._moments) - 1, max(0, self._at + step))
            self.update()
        else:
            super().keyPressEvent(event)

    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(_PAD_PX, _PAD_PX, -_PAD_PX, -_PAD_PX - 2)

    def _x(self, time_s: float) -> float:
        area = self._area()
        return area.left() + time_s / self._duration_s * area.width()

    def _moment_at(self, x: float) -> MomentScore | None:
        """The best of the windows below a point; windows overlap."""
        if not self._moments or self._duration_s <= 0:
            return None
        area = self._area()
        time_s = (x - area.left()) / area.width() * self._duration_s
        below = [moment for moment in self._moments if moment.span.start_s <= time_s <= moment.span.end_s]
        return max(below, key=lambda moment: (moment.relevance, -abs(_middle(moment) - time_s)), default=None)


def _middle(moment: MomentScore) -> float:
    return (moment.span.start_s + moment.span.end_s) / 2
