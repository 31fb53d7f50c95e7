"""Text from files in a narrow column: it breaks anywhere, so that no long name makes the column wider."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QFont,
    QFontMetrics,
    QGuiApplication,
    QPainter,
    QPaintEvent,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from app.theme import body_font, secondary_font, tokens

_LIKED_WIDTH_PX = 200


class PlainText(QWidget):
    """A paragraph, never markup. Its menu copies it.

    Args:
        text: What it says.
        secondary: Small and dim.
        parent: Owner.
    """

    def __init__(self, text: str = "", *, secondary: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._secondary = secondary
        self._text = ""
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.set_text(text)

    @property
    def text(self) -> str:
        """What it says."""
        return self._text

    def set_text(self, text: str) -> None:
        """Say something else."""
        self._text = text
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return round(self._laid_out(max(1, width))[1])

    def sizeHint(self) -> QSize:
        return QSize(_LIKED_WIDTH_PX, self.heightForWidth(self.width() or _LIKED_WIDTH_PX))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, QFontMetrics(self._font()).height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(tokens().colour("text_dim" if self._secondary else "text"))
        layout, _ = self._laid_out(max(1, self.width()))
        layout.draw(painter, QPointF(0, 0))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.addAction(self.tr("Copy")).triggered.connect(lambda: QGuiApplication.clipboard().setText(self._text))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def _font(self) -> QFont:
        return secondary_font() if self._secondary else body_font()

    def _laid_out(self, width: int) -> tuple[QTextLayout, float]:
        """The lines at a width, and their height."""
        layout = QTextLayout(self._text.replace("\n", "\N{LINE SEPARATOR}"), self._font())
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        layout.beginLayout()
        height = 0.0
        while (line := layout.createLine()).isValid():
            line.setLineWidth(width)
            line.setPosition(QPointF(0, height))
            height += line.height()
        layout.endLayout()
        return layout, max(height, float(QFontMetrics(self._font()).height()))
