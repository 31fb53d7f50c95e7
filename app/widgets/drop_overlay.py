"""Says over the whole window what a drop would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.theme import GRID, body_font, icon_pixmap, secondary_font, tokens

if TYPE_CHECKING:
    from app.drag import Drop


class DropOverlay(QWidget):
    """A veil with a sentence; lets all events through to what lies below."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self.setObjectName("drop.overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.title, self.detail, self._icon = "", "", "search"
        self.hide()

    def say(self, drop: Drop) -> None:
        """Show what the drop would do."""
        first, count = drop.paths[0].name, len(drop.paths)
        if drop.kind == "folders":
            self._icon = "folder-add"
            self.title = self.tr("Add to the library")
        else:
            self._icon = "search"
            self.title = self.tr("Search by this sound") if count == 1 else self.tr("Search by these sounds")
        self.detail = first if count == 1 else self.tr("{0} and {1} more").format(first, count - 1)
        self.setAccessibleName(f"{self.title}: {self.detail}")
        self.setGeometry(self._window.rect())
        self.raise_()
        self.show()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = tokens()
        veil = colours.colour("surface0")
        veil.setAlpha(216)
        painter.fillRect(self.rect(), veil)
        painter.setPen(QPen(colours.colour("accent"), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(self.rect().adjusted(3 * GRID, 3 * GRID, -3 * GRID, -3 * GRID), 2 * GRID, 2 * GRID)
        side, middle = 8 * GRID, self.rect().center()
        pixmap = icon_pixmap(self._icon, side, colour="accent", ratio=self.devicePixelRatioF())
        painter.drawPixmap(QRect(middle.x() - side // 2, middle.y() - 2 * side, side, side), pixmap)
        heading, small = body_font(), secondary_font()
        heading.setPixelSize(20)
        self._write(painter, heading, "text", self.title, middle.y() - side // 2)
        self._write(painter, small, "text_dim", self.detail, middle.y() + side // 2)

    def _write(self, painter: QPainter, font: QFont, colour: str, text: str, top: int) -> None:
        painter.setFont(font)
        painter.setPen(tokens().colour(colour))
        metrics = QFontMetrics(font)
        shown = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, self.width() - 20 * GRID)
        painter.drawText(QRect(0, top, self.width(), metrics.height()), Qt.AlignmentFlag.AlignHCenter, shown)
