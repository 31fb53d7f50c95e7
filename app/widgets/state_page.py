"""What stands where a list would be when there is nothing to list: never an empty area."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.plain import PlainLabel
from app.theme import GRID, icon_pixmap
from app.widgets.banner import Offer

_ICON_PX = 40
_WIDTH_PX = 440


class StatePage(QWidget):
    """An icon, a sentence, an explanation, and what to do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon_name = "search"
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._title = PlainLabel(wraps=True, name="state.title")
        self._title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        font = self._title.font()
        font.setPixelSize(16)
        self._title.setFont(font)
        self._text = PlainLabel(wraps=True, name="state.text")
        self._text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._text.setProperty("role", "dim")
        self._buttons: list[QPushButton] = []
        self._offers = QHBoxLayout()
        self._offers.setSpacing(2 * GRID)
        column = QWidget()
        column.setMaximumWidth(_WIDTH_PX)
        inner = QVBoxLayout(column)
        inner.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        inner.setSpacing(2 * GRID)
        for widget in (self._icon, self._title, self._text):
            inner.addWidget(widget)
        inner.addSpacing(2 * GRID)
        inner.addLayout(self._offers)
        layout = QVBoxLayout(self)
        layout.addStretch(2)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(column, 100)
        across.addStretch(1)
        layout.addLayout(across)
        layout.addStretch(3)

    @property
    def title(self) -> str:
        """The sentence shown."""
        return self._title.text()

    @property
    def text(self) -> str:
        """What explains it."""
        return self._text.text()

    def offers(self) -> list[QPushButton]:
        """The buttons of what is offered."""
        return list(self._buttons)

    def say(self, title: str, text: str = "", *, icon: str = "search", offers: Sequence[Offer] = ()) -> None:
        """Show a state in place of the one before; the first offer is the one most likely wanted."""
        self._icon.setPixmap(icon_pixmap(icon, _ICON_PX, colour="text_faint", ratio=self.devicePixelRatioF()))
        self._title.setText(title)
        self._text.setText(text)
        self._text.setVisible(bool(text))
        while (item := self._offers.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        self._offers.addStretch(1)
        self._buttons = []
        for number, offer in enumerate(offers):
            button = QPushButton(offer.label)
            if number == 0:
                button.setProperty("role", "primary")
            button.clicked.connect(lambda _=False, do=offer.do: do())
            self._offers.addWidget(button)
            self._buttons.append(button)
        self._offers.addStretch(1)
