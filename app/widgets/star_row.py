"""A rating as five stars that can be pressed."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from app.theme import icon

STARS = 5


class StarRow(QWidget):
    """Attributes: rated (int): 1 to 5, or 0 where the present rating was pressed again."""

    rated = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rating = 0
        self._buttons: list[QToolButton] = []
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for stars in range(1, STARS + 1):
            button = QToolButton()
            button.setAutoRaise(True)
            button.setFixedSize(24, 24)
            label = self.tr("Rate {stars}").format(stars=stars)
            button.setToolTip(label)
            button.setAccessibleName(label)
            button.clicked.connect(lambda _=False, stars=stars: self._press(stars))
            layout.addWidget(button)
            self._buttons.append(button)
        layout.addStretch(1)
        self.set_rating(0)

    @property
    def rating(self) -> int:
        """What is shown, 0 to 5."""
        return self._rating

    def button(self, stars: int) -> QToolButton:
        """The star of a rating, 1 to 5."""
        return self._buttons[stars - 1]

    def set_rating(self, rating: int) -> None:
        """Show a rating; `rated` is not told."""
        self._rating = rating
        self.setAccessibleName(self.tr("Rating: {rating} of 5").format(rating=rating))
        for place, button in enumerate(self._buttons):
            button.setIcon(icon("star-filled" if place < rating else "star"))

    def _press(self, stars: int) -> None:
        self.rated.emit(0 if stars == self._rating else stars)
