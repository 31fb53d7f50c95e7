"""Parts of a question as chips: an example sound, or a sound that is not wanted, each with its weight."""

from __future__ import annotations

import os
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QEvent, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QEnterEvent, QFont, QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QSlider, QWidget

from app.models.row import plain, span_text
from app.plain import PlainLabel, plain_tooltip
from app.theme import GRID, body_font, icon_pixmap, secondary_font, tokens
from core.search.query import ClipPart, TextPart

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate

CHIP_PX = 24
LEAST_WEIGHT, MOST_WEIGHT, WEIGHT_STEP = 0.1, 2.0, 0.1
_LONGEST_PX = 240
_HOVER_MS = 350
_LEAVE_MS = 250
_ICON_PX = 14

Part = ClipPart | TextPart


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The three texts of a chip."""

    name: str
    detail: str
    weight: str


def stepped_weight(weight: float, steps: int) -> float:
    """A weight so many steps up or down, kept between 0.1 and 2."""
    return min(MOST_WEIGHT, max(LEAST_WEIGHT, round(weight + steps * WEIGHT_STEP, 2)))


def weight_text(weight: float) -> str:
    """A weight as ×0.6; nothing where it is 1, which goes without saying."""
    return "" if abs(weight - 1) < 1e-9 else f"×{weight:g}"


class Chip(QWidget):
    """One part. It takes the focus; Delete or Backspace removes it, Alt+Up and Alt+Down change its weight.

    Args:
        part: A clip is an example; a text is what is not wanted.
        parent: The query bar.

    Attributes:
        removed: The cross was pressed.
        weight_changed: The part has another weight now.
        left: (int) -1 or 1: the focus should go on that way.
    """

    removed = Signal()
    weight_changed = Signal()
    left = Signal(int)

    def __init__(self, part: Part, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._part = part
        self._popup: WeightPopup | None = None
        self._hover = QTimer(self)
        self._hover.setSingleShot(True)
        self._hover.setInterval(_HOVER_MS)
        self._hover.timeout.connect(self.show_weight)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._describe()

    @property
    def part(self) -> Part:
        """What the chip stands for, with its weight as it is now."""
        return self._part

    @property
    def is_negative(self) -> bool:
        """Whether it says what is not wanted."""
        return isinstance(self._part, TextPart)

    def set_weight(self, weight: float) -> None:
        """Give the part another weight."""
        weight = stepped_weight(weight, 0)
        if abs(weight - self._part.weight) < 1e-9:
            return
        if isinstance(self._part, ClipPart):
            self._part = ClipPart(self._part.path, self._part.span, weight)
        else:
            self._part = TextPart(self._part.text, weight)
        self._describe()
        self.updateGeometry()
        self.update()
        self.weight_changed.emit()

    def show_weight(self) -> None:
        """Open the slider below the chip."""
        if self._popup is None:
            self._popup = WeightPopup(self)
        self._popup.open_below(self)

    def hide_weight(self) -> None:
        """Close the slider."""
        self._hover.stop()
        if self._popup is not None:
            self._popup.hide()

    def sizeHint(self) -> QSize:
        drawn, body, small = self._drawn(), QFontMetrics(body_font()), QFontMetrics(secondary_font())
        width = GRID + _ICON_PX + GRID + min(_LONGEST_PX, body.horizontalAdvance(drawn.name))
        for text in (drawn.detail, drawn.weight):
            width += small.horizontalAdvance(text) + GRID if text else 0
        return QSize(width + GRID + _ICON_PX + GRID + 2, CHIP_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, CHIP_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours, drawn = tokens(), self._drawn()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(colours.colour("accent" if self.hasFocus() else "border"), 1.0))
        painter.setBrush(colours.colour("surface2"))
        painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), 4, 4)
        ratio = self.devicePixelRatioF()
        icon = "not" if self.is_negative else "waveform"
        top = (self.height() - _ICON_PX) // 2
        painter.drawPixmap(GRID, top, icon_pixmap(icon, _ICON_PX, ratio=ratio))
        cross = self._cross()
        painter.drawPixmap(cross.topLeft(), icon_pixmap("close", _ICON_PX, ratio=ratio))
        small = QFontMetrics(secondary_font())
        right = cross.left() - GRID
        for text, colour in ((drawn.weight, colours.text), (drawn.detail, colours.text_dim)):
            if text:
                width = small.horizontalAdvance(text)
                self._write(painter, text, QRect(right - width, 0, width, self.height()), secondary_font(), colour)
                right -= width + GRID
        left = GRID + _ICON_PX + GRID
        name = QFontMetrics(body_font()).elidedText(drawn.name, Qt.TextElideMode.ElideMiddle, right - left)
        self._write(painter, name, QRect(left, 0, right - left, self.height()), body_font(), colours.text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._cross().adjusted(-4, -4, 4, 4).contains(
            event.position().toPoint()
        ):
            self.hide_weight()
            self.removed.emit()
            return
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, alt = event.key(), event.modifiers() & Qt.KeyboardModifier.AltModifier
        if key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.hide_weight()
            self.removed.emit()
        elif alt and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.set_weight(stepped_weight(self._part.weight, 1 if key == Qt.Key.Key_Up else -1))
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right) and not alt:
            self.left.emit(-1 if key == Qt.Key.Key_Left else 1)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        # Left, Right and Delete work on the chip before they seek or do anything else in the window.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain_keys = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Delete, Qt.Key.Key_Backspace)
            if event.key() in plain_keys and not event.modifiers():
                event.accept()
                return True
        return super().event(event)

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hover.start()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover.stop()
        if self._popup is not None:
            self._popup.leave_soon()
        super().leaveEvent(event)

    def _cross(self) -> QRect:
        return QRect(self.width() - GRID - _ICON_PX - 1, (self.height() - _ICON_PX) // 2, _ICON_PX, _ICON_PX)

    def _drawn(self) -> _Drawn:
        weight = weight_text(self._part.weight)
        if isinstance(self._part, ClipPart):
            detail = "" if self._part.span is None else span_text(self._part.span)
            return _Drawn(plain(self._part.path.name), detail, weight)
        return _Drawn(translate("Chip", "not: {text}").format(text=plain(self._part.text)), "", weight)

    def _describe(self) -> None:
        drawn = self._drawn()
        where = plain(os.fspath(self._part.path)) if isinstance(self._part, ClipPart) else drawn.name
        hint = translate("Chip", "Alt+Up and Alt+Down change its weight.")
        self.setToolTip(plain_tooltip("\n".join((where, hint))))
        kind = translate("Chip", "Unlike") if self.is_negative else translate("Chip", "Example")
        spoken = self._part.text if isinstance(self._part, TextPart) else drawn.name
        weight = translate("Chip", "weight {0}").format(f"{self._part.weight:g}")
        self.setAccessibleName(f"{kind}: {spoken} {drawn.detail} {weight}")

    @staticmethod
    def _write(painter: QPainter, text: str, rect: QRect, font: QFont, colour: str) -> None:
        painter.setFont(font)
        painter.setPen(colour)
        painter.drawText(
            rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine, text
        )


class WeightPopup(QFrame):
    """A small slider below a chip; it goes when the pointer leaves both."""

    def __init__(self, chip: Chip) -> None:
        super().__init__(chip, Qt.WindowType.ToolTip | Qt.WindowType.FramelessWindowHint)
        self._chip = chip
        self.setObjectName("weight")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(round(LEAST_WEIGHT / WEIGHT_STEP), round(MOST_WEIGHT / WEIGHT_STEP))
        self.slider.setFixedWidth(132)
        self.slider.setAccessibleName(translate("Chip", "Weight"))
        self._value = PlainLabel()
        self._value.setMinimumWidth(32)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * GRID, GRID, 2 * GRID, GRID)
        layout.addWidget(PlainLabel(translate("Chip", "Weight")))
        layout.addWidget(self.slider)
        layout.addWidget(self._value)
        self._leaving = QTimer(self)
        self._leaving.setSingleShot(True)
        self._leaving.setInterval(_LEAVE_MS)
        self._leaving.timeout.connect(self._leave)
        self.slider.valueChanged.connect(self._on_slid)
        chip.weight_changed.connect(self._show_value)

    def open_below(self, chip: Chip) -> None:
        """Show the chip's weight just below it."""
        self._show_value()
        self.adjustSize()
        self.move(chip.mapToGlobal(QPoint(0, chip.height() + 2)))
        self.show()

    def leave_soon(self) -> None:
        """Close, unless the pointer comes here."""
        self._leaving.start()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._leaving.stop()

    def leaveEvent(self, event: QEvent) -> None:
        self._leaving.start()

    def _leave(self) -> None:
        if not self.slider.isSliderDown():
            self.hide()

    def _on_slid(self, value: int) -> None:
        self._chip.set_weight(value * WEIGHT_STEP)
        self._show_value()

    def _show_value(self) -> None:
        weight = self._chip.part.weight
        self.slider.blockSignals(True)
        self.slider.setValue(round(weight / WEIGHT_STEP))
        self.slider.blockSignals(False)
        self._value.setText(f"×{weight:g}")
