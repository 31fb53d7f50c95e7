"""Fonts, colours and cut texts for painting rows, looked up once and not for every cell of every frame."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QTextLayout

from app.models.row import RELEVANCE_STEPS
from app.theme import SECONDARY_PX, Tokens, tokens

_KEPT = 4_000
_STEP_PX, _STEP_HEIGHT_PX, _STEP_GAP_PX = 9, 8, 3
RELEVANCE_WIDTH_PX = RELEVANCE_STEPS * _STEP_PX + (RELEVANCE_STEPS - 1) * _STEP_GAP_PX


@dataclass(frozen=True, slots=True)
class Colours:
    """The theme's colours as painters want them."""

    of: Tokens
    surface0: QColor
    surface2: QColor
    border: QColor
    text: QColor
    text_dim: QColor
    accent: QColor
    selection: QColor
    amber: QColor
    red: QColor
    outline: QColor


class Ink:
    """What a delegate paints with.

    Args:
        font: Body font; the secondary one is the same in another size.
        large_px: Size of the large font, for reading.
    """

    def __init__(self, font: QFont, *, large_px: int = 17) -> None:
        self.body = QFont(font)
        self.secondary = QFont(font)
        self.secondary.setPixelSize(SECONDARY_PX)
        self.large = QFont(font)
        self.large.setPixelSize(large_px)
        self.heading = QFont(self.secondary)
        self.heading.setBold(True)
        self._metrics = {id(one): QFontMetrics(one) for one in (self.body, self.secondary, self.large, self.heading)}
        self._cut: OrderedDict[tuple[str, int, int, bool], str] = OrderedDict()
        self._lines: OrderedDict[tuple[str, int, int], tuple[str, ...]] = OrderedDict()
        self._colours: Colours | None = None

    @property
    def colours(self) -> Colours:
        """Those of the theme in use."""
        current = tokens()
        if self._colours is None or self._colours.of is not current:
            names = [name for name in Colours.__slots__ if name != "of"]
            self._colours = Colours(of=current, **{name: current.colour(name) for name in names})
        return self._colours

    def metrics(self, font: QFont) -> QFontMetrics:
        """The metrics of one of this object's own fonts."""
        return self._metrics[id(font)]

    def cut(self, text: str, width: int, font: QFont, *, in_the_middle: bool = False) -> str:
        """A text as much of it as fits; names are cut in the middle, since their ends tell them apart."""
        key = (text, width, id(font), in_the_middle)
        kept = self._cut.get(key)
        if kept is None:
            mode = Qt.TextElideMode.ElideMiddle if in_the_middle else Qt.TextElideMode.ElideRight
            kept = self._metrics[id(font)].elidedText(text, mode, max(0, width))
            self._cut[key] = kept
            if len(self._cut) > _KEPT:
                self._cut.popitem(last=False)
        return kept

    def lines(self, text: str, width: int, font: QFont, *, most: int = 2) -> tuple[str, ...]:
        """A text broken into lines, the last of them cut where more would follow."""
        key = (text, width, id(font))
        kept = self._lines.get(key)
        if kept is None:
            kept = () if not text else self._broken(text, max(1, width), font, most)
            self._lines[key] = kept
            if len(self._lines) > _KEPT:
                self._lines.popitem(last=False)
        return kept

    def _broken(self, text: str, width: int, font: QFont, most: int) -> tuple[str, ...]:
        layout = QTextLayout(text, font)
        layout.beginLayout()
        starts: list[int] = []
        while len(starts) <= most:
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(width)
            starts.append(line.textStart())
        layout.endLayout()
        shown = starts[:most]
        lines = [text[start:end].rstrip() for start, end in zip(shown, [*shown[1:], None], strict=True)]
        if lines:
            lines[-1] = self.cut(lines[-1], width, font)
        return tuple(lines)

    def write(
        self,
        painter: QPainter,
        text: str,
        rect: QRect,
        font: QFont,
        colour: QColor,
        *,
        in_the_middle: bool = False,
        to_the_right: bool = False,
    ) -> None:
        """Paint one line, cut to a rectangle and centred in its height. Never markup."""
        if not text or rect.width() <= 0:
            return
        metrics = self._metrics[id(font)]
        shown = self.cut(text, rect.width(), font, in_the_middle=in_the_middle)
        x = rect.right() + 1 - metrics.horizontalAdvance(shown) if to_the_right else rect.left()
        baseline = rect.top() + (rect.height() + metrics.ascent() - metrics.descent()) // 2
        painter.setFont(font)
        painter.setPen(colour)
        painter.drawText(x, baseline, shown)

    def relevance(self, painter: QPainter, place: QPointF, steps: int, *, is_weak: bool = False) -> None:
        """Paint a bar of five steps; filled ones are also taller, so that it is read without colour."""
        colours = self.colours
        painter.setPen(Qt.PenStyle.NoPen)
        full = colours.outline if is_weak else colours.accent
        for step in range(RELEVANCE_STEPS):
            left = place.x() + step * (_STEP_PX + _STEP_GAP_PX)
            if step < steps:
                painter.setBrush(full)
                painter.drawRect(QRectF(left, place.y(), _STEP_PX, _STEP_HEIGHT_PX))
            else:
                painter.setBrush(colours.border)
                painter.drawRect(QRectF(left, place.y() + _STEP_HEIGHT_PX - 3, _STEP_PX, 3))
