"""Names and values in two columns, both as plain text, the values to be copied."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from app.plain import PlainLabel
from app.theme import GRID
from app.widgets.plain_text import PlainText

_NAME_PX = 84
_LONGEST = 2_000


class FactList(QWidget):
    """Rows of a name and a value; a row without a name is a heading."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._facts: tuple[tuple[str, str], ...] = ()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(2 * GRID)
        self._grid.setVerticalSpacing(GRID)
        self._grid.setColumnMinimumWidth(0, _NAME_PX)
        self._grid.setColumnStretch(1, 1)

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What is shown."""
        return self._facts

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show other facts; those with an empty value are left out."""
        shown = tuple((name, value) for name, value in facts if value)
        if shown == self._facts:
            return  # what is selected in it stays so
        self._facts = shown
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for row, (name, value) in enumerate(self._facts):
            if not name:
                heading = PlainLabel(value)
                heading.setProperty("role", "heading")
                self._grid.addWidget(heading, row, 0, 1, 2)
                continue
            words = PlainText(value[:_LONGEST])
            label = PlainText(name, secondary=True)
            label.setFixedWidth(_NAME_PX)
            words.setAccessibleName(f"{name}: {value[:200]}")
            self._grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(words, row, 1)
