"""A line above a list that says something about it and offers what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.plain import PlainLabel
from app.theme import GRID, icon_pixmap
from app.widgets.flow import FlowLayout


@dataclass(frozen=True, slots=True)
class Offer:
    """Something the user may do next.

    Attributes:
        label: What it does, in a few words.
        do: Does it.
    """

    label: str
    do: Callable[[], object]


class Banner(QFrame):
    """A sentence, a second one in small letters, and offers. Hidden until it has something to say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._icon = QLabel()
        self._icon.setFixedWidth(4 * GRID)
        self._title = PlainLabel(wraps=True, name="banner.title")
        self._text = PlainLabel(wraps=True, name="banner.text")
        self._text.setProperty("role", "secondary")
        self._offers = QWidget()
        self._offer_layout = FlowLayout(self._offers, spacing=2 * GRID)
        words = QVBoxLayout()
        words.setSpacing(GRID)
        words.addWidget(self._title)
        words.addWidget(self._text)
        words.addWidget(self._offers)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 3 * GRID, 2 * GRID)
        layout.setSpacing(2 * GRID)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
        self.hide()

    @property
    def title(self) -> str:
        """The sentence shown, or an empty string."""
        return "" if self.isHidden() else self._title.text()

    @property
    def text(self) -> str:
        """The second sentence."""
        return self._text.text()

    def offers(self) -> list[QPushButton]:
        """The buttons of what is offered."""
        return [button for button in self._offers.findChildren(QPushButton) if not button.isHidden()]

    def say(
        self, title: str, text: str = "", *, offers: Sequence[Offer] = (), icon: str = "info", failed: bool = False
    ) -> None:
        """Show a sentence in place of the one before."""
        self._title.setText(title)
        self._text.setText(text)
        self._text.setVisible(bool(text))
        ratio = self.devicePixelRatioF()
        self._icon.setPixmap(icon_pixmap(icon, colour="red" if failed else "text_dim", ratio=ratio))
        self._icon.setAccessibleName(self.tr("Failed") if failed else self.tr("Note"))
        self._offer_layout.clear()
        for offer in offers:
            button = QPushButton(offer.label)
            button.clicked.connect(lambda _=False, do=offer.do: do())
            self._offer_layout.addWidget(button)
        self._offers.setVisible(bool(offers))
        self.show()
