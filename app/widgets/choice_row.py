"""A row of buttons of which one, or several, are down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget

from app.theme import GRID


class ChoiceRow(QWidget):
    """Values to choose from.

    Args:
        choices: (value, label) pairs; where one is chosen at a time the first is the default.
        several: Whether any number may be chosen, none included.
        parent: Owner.

    Attributes:
        changed: The user has chosen.
    """

    changed = Signal()

    def __init__(
        self, choices: Sequence[tuple[str, str]], *, several: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._buttons: dict[str, QPushButton] = {}
        self._several = several
        group = QButtonGroup(self)
        group.setExclusive(not several)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        for value, label in choices:
            button = QPushButton(label)
            button.setCheckable(True)
            button.setProperty("role", "choice")
            group.addButton(button)
            layout.addWidget(button)
            self._buttons[value] = button
        layout.addStretch(1)
        if not several:
            self._buttons[choices[0][0]].setChecked(True)
        group.buttonClicked.connect(lambda _: self.changed.emit())

    def values(self) -> tuple[str, ...]:
        """What is chosen, in the order of the row."""
        return tuple(value for value, button in self._buttons.items() if button.isChecked())

    def value(self) -> str:
        """The one that is chosen, where only one can be."""
        return next(iter(self.values()), "")

    def set_values(self, values: Iterable[str]) -> None:
        """Choose; `changed` is not told."""
        wanted = set(values)
        for value, button in self._buttons.items():
            if self._several or value in wanted:
                button.setChecked(value in wanted)

    def button(self, value: str) -> QPushButton:
        """The button of a value.

        Raises:
            KeyError: There is none.
        """
        return self._buttons[value]
