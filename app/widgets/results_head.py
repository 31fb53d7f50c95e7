"""The line above the results: what they are, and how they are looked at."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPushButton, QToolButton, QWidget

from app.plain import PlainLabel
from app.theme import GRID, icon

_HEIGHT_PX = 36


class ResultsHead(QFrame):
    """Title, a note beside it, and buttons.

    Attributes:
        view_chosen: ("list" or "captions")
    """

    view_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("resultsHead")
        self.setFixedHeight(_HEIGHT_PX)
        self._title = PlainLabel(name="results.title")
        self._note = PlainLabel(name="results.note")
        self._note.setProperty("role", "secondary")
        self.within_button = QPushButton(icon("close"), "")
        self.within_button.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self.within_button.setToolTip(self.tr("Search everywhere again"))
        self.within_button.hide()
        self.columns_button = self._button("columns", self.tr("Columns and order"))
        self._views = {
            "list": self._button("list", self.tr("List"), checkable=True),
            "captions": self._button("captions", self.tr("Captions"), checkable=True),
        }
        group = QButtonGroup(self)
        for button in self._views.values():
            group.addButton(button)
        for name, button in self._views.items():
            button.clicked.connect(lambda _=False, name=name: self.view_chosen.emit(name))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3 * GRID, 0, 2 * GRID, 0)
        layout.setSpacing(2 * GRID)
        layout.addWidget(self._title)
        layout.addWidget(self.within_button)
        layout.addWidget(self._note, 1)
        layout.addWidget(self.columns_button)
        layout.addSpacing(GRID)
        for button in self._views.values():
            layout.addWidget(button)

    @property
    def view(self) -> str:
        """The view that is chosen."""
        return next((name for name, button in self._views.items() if button.isChecked()), "list")

    @property
    def title(self) -> str:
        """What the results are."""
        return self._title.text()

    @property
    def note(self) -> str:
        """What is said beside the title."""
        return self._note.text()

    def show_view(self, view: str) -> None:
        """Press the button of a view."""
        self._views[view].setChecked(True)
        self.columns_button.setVisible(view == "list")

    def say(self, title: str, note: str) -> None:
        """Put a title and a note."""
        self._title.setText(title)
        self._note.setText(note)

    def show_within(self, text: str) -> None:
        """Say that only some files are searched; an empty text: all are."""
        self.within_button.setText(text)
        self.within_button.setAccessibleName(text)
        self.within_button.setVisible(bool(text))

    def _button(self, name: str, hint: str, *, checkable: bool = False) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setToolTip(hint)
        button.setAccessibleName(hint)
        button.setCheckable(checkable)
        button.setAutoRaise(True)
        return button
