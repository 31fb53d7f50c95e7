"""The tags of a sound: each with a cross, and a line for a new one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QStringListModel, Qt, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QCompleter, QHBoxLayout, QLineEdit, QToolButton, QWidget

from app.plain import PlainLabel, plain_tooltip
from app.theme import GRID, icon
from app.widgets.flow import FlowLayout

_LONGEST = 200
_LONGEST_PX = 180


class TagRow(QWidget):
    """Attributes: added (str), removed (str)."""

    added = Signal(str)
    removed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tags: tuple[str, ...] = ()
        self._names = QStringListModel(self)
        self._flow = FlowLayout(self, spacing=GRID)
        self.line = QLineEdit()
        self.line.setMaxLength(_LONGEST)
        self.line.setPlaceholderText(self.tr("New tag"))
        self.line.setAccessibleName(self.tr("New tag"))
        self.line.setFixedWidth(112)
        completer = QCompleter(self._names, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.line.setCompleter(completer)
        self.line.returnPressed.connect(self._add)
        self._flow.addWidget(self.line)

    @property
    def tags(self) -> tuple[str, ...]:
        """What is shown."""
        return self._tags

    def offer(self, names: Sequence[str]) -> None:
        """Tags that exist, for completing."""
        self._names.setStringList(list(names))

    def show_tags(self, tags: Sequence[str]) -> None:
        """Show another file's tags; what is being typed stays."""
        if tuple(tags) == self._tags:
            return
        self._tags = tuple(tags)
        while self._flow.count() > 1:
            item = self._flow.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for place, tag in enumerate(tags):
            self._flow.insert(place, self._chip(tag))
        self.updateGeometry()

    def _add(self) -> None:
        name = " ".join(self.line.text().split())
        self.line.clear()
        if name and name not in self._tags:
            self.added.emit(name)

    def _chip(self, tag: str) -> QWidget:
        chip = QWidget(self)
        chip.setObjectName("tag")
        chip.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        words = PlainLabel()
        words.setText(QFontMetrics(words.font()).elidedText(tag, Qt.TextElideMode.ElideMiddle, _LONGEST_PX))
        words.setToolTip(plain_tooltip(tag))
        cross = QToolButton()
        cross.setIcon(icon("close", 12))
        cross.setAutoRaise(True)
        hint = self.tr("Take off the tag {name}").format(name=tag)
        cross.setAccessibleName(hint)
        cross.clicked.connect(lambda: self.removed.emit(tag))
        layout = QHBoxLayout(chip)
        layout.setContentsMargins(2 * GRID, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(words)
        layout.addWidget(cross)
        return chip
