"""The sheet of all shortcuts, and the editor that changes them."""

from __future__ import annotations

from itertools import groupby

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.plain import PlainLabel
from app.shortcut import Action, ShortcutMap
from app.theme import GRID, secondary_font

_NATIVE = QKeySequence.SequenceFormat.NativeText


class ShortcutSheet(QDialog):
    """All keys at a glance, grouped, as they are now."""

    def __init__(self, *, shortcuts: ShortcutMap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Shortcuts"))
        self.setObjectName("shortcuts")
        self._shortcuts = shortcuts
        self._content = QWidget()
        self._columns = QHBoxLayout(self._content)
        self._columns.setSpacing(8 * GRID)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6 * GRID, 4 * GRID, 6 * GRID, 4 * GRID)
        layout.addWidget(scroll)
        self._fill()
        self.resize(272 * GRID, 144 * GRID)

    def _fill(self) -> None:
        groups = [(title, list(found)) for title, found in groupby(self._shortcuts.actions(), lambda a: a.group)]
        for column in _in_columns(groups):
            place = QVBoxLayout()
            place.setSpacing(4 * GRID)
            for title, found in column:
                place.addLayout(self._group(title, found))
            place.addStretch()
            self._columns.addLayout(place, 1)

    def _group(self, title: str, found: list[Action]) -> QGridLayout:
        grid = QGridLayout()
        grid.setVerticalSpacing(GRID // 2)
        grid.setColumnStretch(0, 1)
        heading = PlainLabel(title)
        heading.setProperty("role", "heading")
        grid.addWidget(heading, 0, 0, 1, 2)
        for row, action in enumerate(found, 1):
            keys = ", ".join(key.toString(_NATIVE) for key in self._shortcuts.keys(action.id))
            label, shown = PlainLabel(action.label), PlainLabel(keys or "–")
            shown.setProperty("role", "secondary")
            shown.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            grid.addWidget(label, row, 0)
            grid.addWidget(shown, row, 1)
        return grid


Group = tuple[str, list[Action]]


def _in_columns(groups: list[Group]) -> list[list[Group]]:
    """The groups in their order in three columns, the longest of which is as short as can be."""
    rows = [len(found) + 2 for _, found in groups]
    cuts = [(first, second) for first in range(len(groups) + 1) for second in range(first, len(groups) + 1)]
    first, second = min(cuts, key=lambda cut: max(sum(rows[: cut[0]]), sum(rows[cut[0] : cut[1]]), sum(rows[cut[1] :])))
    return [groups[:first], groups[first:second], groups[second:]]


class ShortcutEditor(QWidget):
    """A list of actions; the one chosen gets the keys that are pressed. A taken key is refused with the reason."""

    def __init__(self, *, shortcuts: ShortcutMap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shortcuts = shortcuts
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(self.tr("Filter by name or key"))
        self.filter.setAccessibleName(self.filter.placeholderText())
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._apply_filter)
        self.list = self._make_list()
        self.keys = QKeySequenceEdit()
        self.keys.setMaximumSequenceLength(1)
        self.keys.setAccessibleName(self.tr("New key"))
        self.keys.setEnabled(False)
        self.keys.editingFinished.connect(self._on_key_entered)
        self.clear_button = QPushButton(self.tr("No key"))
        self.default_button = QPushButton(self.tr("Default"))
        self.all_button = QPushButton(self.tr("All defaults"))
        self.clear_button.clicked.connect(lambda _=False: self._assign([]))
        self.default_button.clicked.connect(lambda _=False: self._assign_default())
        self.all_button.clicked.connect(lambda _=False: self._reset())
        self.message = PlainLabel(wraps=True, name="shortcuts.message")
        self.message.setProperty("role", "secondary")
        row = QHBoxLayout()
        row.addWidget(self.keys, 1)
        for button in (self.clear_button, self.default_button, self.all_button):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * GRID)
        layout.addWidget(self.filter)
        layout.addWidget(self.list, 1)
        layout.addLayout(row)
        layout.addWidget(self.message)
        self._fill()

    def choose(self, action_id: str) -> None:
        """Select an action."""
        for item in self._items():
            if item.data(0, Qt.ItemDataRole.UserRole) == action_id:
                self.list.setCurrentItem(item)

    def _make_list(self) -> QTreeWidget:
        made = QTreeWidget()
        made.setColumnCount(2)
        made.setHeaderLabels([self.tr("Action"), self.tr("Keys")])
        made.setAccessibleName(self.tr("Actions and their keys"))
        made.setRootIsDecorated(False)
        made.header().setStretchLastSection(False)
        made.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        made.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        made.currentItemChanged.connect(lambda _now, _before: self._on_chosen())
        return made

    def _fill(self) -> None:
        for title, found in groupby(self._shortcuts.actions(), lambda action: action.group):
            group = QTreeWidgetItem(self.list, [title])
            group.setFlags(Qt.ItemFlag.ItemIsEnabled)
            group.setFont(0, secondary_font())
            group.setSizeHint(0, QSize(0, 7 * GRID))
            for action in found:
                item = QTreeWidgetItem(group, [action.label, ""])
                item.setData(0, Qt.ItemDataRole.UserRole, action.id)
                item.setSizeHint(0, QSize(0, 6 * GRID))
            group.setExpanded(True)
        self._show_keys()

    def _items(self) -> list[QTreeWidgetItem]:
        groups = [self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount())]
        items = [group.child(row) for group in groups if group is not None for row in range(group.childCount())]
        return [item for item in items if item is not None]

    def _show_keys(self) -> None:
        for item in self._items():
            keys = self._shortcuts.keys(item.data(0, Qt.ItemDataRole.UserRole))
            item.setText(1, ", ".join(key.toString(_NATIVE) for key in keys))

    def _chosen(self) -> str | None:
        item = self.list.currentItem()
        return None if item is None else item.data(0, Qt.ItemDataRole.UserRole)

    def _on_chosen(self) -> None:
        chosen = self._chosen()
        for widget in (self.keys, self.clear_button, self.default_button):
            widget.setEnabled(chosen is not None)
        self.keys.clear()
        self.message.setText(
            "" if chosen is None else self.tr("Press a new key for “{0}”.").format(self._shortcuts.action(chosen).label)
        )

    def _on_key_entered(self) -> None:
        if not self.keys.keySequence().isEmpty():
            self._assign([self.keys.keySequence()])

    def _assign(self, keys: list[QKeySequence]) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        for key in keys:
            other = self._shortcuts.conflict(chosen, key)
            if other is not None:
                taken = self.tr("{0} is the key of “{1}” already. Take it away there first, or press another one.")
                self.message.setText(taken.format(key.toString(_NATIVE), other.label))
                self.keys.clear()
                return
        self._shortcuts.rebind(chosen, keys)
        self.keys.clear()
        self.message.setText(self.tr("Changed."))
        self._show_keys()

    def _assign_default(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self._assign([QKeySequence(key) for key in self._shortcuts.action(chosen).keys])

    def _reset(self) -> None:
        self._shortcuts.reset()
        self._show_keys()
        self.message.setText(self.tr("All actions have their default keys."))

    def _apply_filter(self, text: str) -> None:
        wanted = text.casefold()
        for item in self._items():
            item.setHidden(wanted not in f"{item.text(0)} {item.text(1)}".casefold())
