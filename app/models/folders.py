"""The library's sidebar as a tree: folders, favourites, collections, saved searches, categories, recent files.

Nodes are frozen values with a key; `show` compares a new content with the old one and tells the view only what
differs, so that selection, scroll position and open branches stay while counts run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from app.phrase import counted
from app.plain import plain_tooltip
from app.theme import icon

Index = QModelIndex | QPersistentModelIndex


class NodeKind(StrEnum):
    """What a line of the sidebar stands for."""

    SECTION = "section"
    FOLDER = "folder"
    SUBFOLDER = "subfolder"
    FAVOURITES = "favourites"
    RECENT = "recent"
    ALL = "all"
    COLLECTION = "collection"
    SAVED = "saved"
    UCS = "ucs"
    HINT = "hint"


class SidebarRole(IntEnum):
    """What the model answers beside Qt's own roles."""

    NODE = Qt.ItemDataRole.UserRole + 1
    COUNT = Qt.ItemDataRole.UserRole + 2
    NOTE = Qt.ItemDataRole.UserRole + 3
    FAILED = Qt.ItemDataRole.UserRole + 4
    SHARE = Qt.ItemDataRole.UserRole + 5


@dataclass(frozen=True, slots=True)
class Node:
    """One line of the sidebar.

    Attributes:
        kind: What it stands for.
        key: Tells it from its siblings: an id, a path or a category.
        title: The text shown.
        count: Sounds in it, or None where that means nothing.
        note: A second, small line: what is going on there.
        tip: More, for the tooltip and for screen readers.
        icon: Name of its icon, or an empty string.
        failed: Whether the note tells of something that went wrong.
        share: How far it is indexed, 0 to 1, or None when there is nothing to show.
        path: Of a folder.
        value: Id of a collection, JSON of a saved search, expression of a category.
        children: The lines below it.
    """

    kind: NodeKind
    key: str
    title: str
    count: int | None = None
    note: str = ""
    tip: str = ""
    icon: str = ""
    failed: bool = False
    share: float | None = None
    path: Path | None = None
    value: str = ""
    children: tuple[Node, ...] = ()


@dataclass(eq=False, slots=True)
class _Place:
    """A node with its place in the tree."""

    node: Node
    parent: _Place | None = None
    children: list[_Place] = field(default_factory=list)

    def row(self) -> int:
        return self.parent.children.index(self) if self.parent is not None else 0


class SidebarModel(QAbstractItemModel):
    """The tree. Dropping on it and renaming in it only ask: whoever listens does it and shows the new content.

    Attributes:
        renamed: (Node, new title): a collection or a saved search shall have another name.
        dropped: (Node, QMimeData): something was dropped on a line.
    """

    renamed = Signal(object, str)
    dropped = Signal(object, object)

    def __init__(self, parent: QObject | None = None, *, accepts: Any = None) -> None:
        super().__init__(parent)
        self._top = _Place(Node(NodeKind.SECTION, "", ""))
        self._accepts = accepts

    def show(self, nodes: Sequence[Node]) -> None:
        """Make these the top lines, telling the view only of what differs."""
        self._merge(self._top, QModelIndex(), tuple(nodes))

    def find(self, kind: NodeKind, key: str) -> QModelIndex:
        """Where a node is, invalid if nowhere."""

        def search(place: _Place) -> _Place | None:
            for child in place.children:
                if (child.node.kind, child.node.key) == (kind, key):
                    return child
                found = search(child)
                if found is not None:
                    return found
            return None

        found = search(self._top)
        return QModelIndex() if found is None else self.createIndex(found.row(), 0, found)

    def node(self, index: Index) -> Node | None:
        """The node of an index."""
        return self._place(index).node if index.isValid() else None

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, self._place(parent).children[row])

    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # type: ignore[override]  # noqa: B008
        if not index.isValid():
            return QModelIndex()
        above = self._place(index).parent
        return QModelIndex() if above is None or above is self._top else self.createIndex(above.row(), 0, above)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return len(self._place(parent).children) if parent.column() <= 0 else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 1

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        node = self._place(index).node
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return node.title
            case Qt.ItemDataRole.DecorationRole:
                return icon(node.icon) if node.icon else None
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(node.tip or node.title)
            case Qt.ItemDataRole.AccessibleTextRole:
                return ", ".join(
                    part for part in (node.title, "" if node.count is None else counted(node.count), node.note) if part
                )
            case SidebarRole.NODE:
                return node
            case SidebarRole.COUNT:
                return node.count
            case SidebarRole.NOTE:
                return node.note
            case SidebarRole.FAILED:
                return node.failed
            case SidebarRole.SHARE:
                return node.share
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        node = self._place(index).node
        title = " ".join(str(value).split())
        if title and title != node.title:
            self.renamed.emit(node, title)
        return False

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        kind = self._place(index).node.kind
        if kind is NodeKind.HINT:
            return Qt.ItemFlag.ItemIsEnabled
        made = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDropEnabled
        if kind in (NodeKind.COLLECTION, NodeKind.SAVED):
            made |= Qt.ItemFlag.ItemIsEditable
        return made

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:
        return ["text/uri-list"]

    def canDropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        node = self.node(parent)
        return node is not None and self._accepts is not None and bool(self._accepts(node, data))

    def dropMimeData(self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index) -> bool:
        if not self.canDropMimeData(data, action, row, column, parent):
            return False
        self.dropped.emit(self.node(parent), data)
        return True

    def _place(self, index: Index) -> _Place:
        place = index.internalPointer() if index.isValid() else self._top
        assert isinstance(place, _Place)
        return place

    def _merge(self, place: _Place, where: QModelIndex, wanted: tuple[Node, ...]) -> None:
        """Turn the children of a place into the wanted ones: take out, put in, update."""
        keys = [(node.kind, node.key) for node in wanted]
        kept = set(keys)
        for row in range(len(place.children) - 1, -1, -1):
            node = place.children[row].node
            if (node.kind, node.key) not in kept:
                self.beginRemoveRows(where, row, row)
                del place.children[row]
                self.endRemoveRows()
        for row, node in enumerate(wanted):
            current = place.children[row] if row < len(place.children) else None
            if current is None or (current.node.kind, current.node.key) != keys[row]:
                old = next((r for r, c in enumerate(place.children) if (c.node.kind, c.node.key) == keys[row]), None)
                if old is not None:
                    # Order has changed, as after renaming: the line is taken out here and comes in anew below.
                    self.beginRemoveRows(where, old, old)
                    del place.children[old]
                    self.endRemoveRows()
                self.beginInsertRows(where, row, row)
                place.children.insert(row, self._grown(node, place))
                self.endInsertRows()
                continue
            if current.node == node:
                continue
            differs = replace(current.node, children=()) != replace(node, children=())
            current.node = node
            here = self.createIndex(row, 0, current)
            if differs:
                self.dataChanged.emit(here, here)
            self._merge(current, here, node.children)

    def _grown(self, node: Node, parent: _Place) -> _Place:
        place = _Place(node, parent)
        place.children = [self._grown(child, place) for child in node.children]
        return place
