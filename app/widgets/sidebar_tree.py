"""The tree of the sidebar: takes drops, renames in place, and points at the first line of those that have two."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QTreeView, QWidget

from app.delegates.sidebar import LINE_PX, NOTED_PX, SidebarDelegate
from app.models.folders import SidebarModel
from app.theme import GRID


class SidebarTree(QTreeView):
    """A tree without a header.

    Args:
        model: The lines.
        parent: Owner.
    """

    def __init__(self, model: SidebarModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("library.tree")
        self.setAccessibleName(self.tr("Library"))
        self.setModel(model)
        self.setItemDelegate(SidebarDelegate(self))
        self.setHeaderHidden(True)
        self.setIndentation(4 * GRID)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QTreeView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QTreeView.EditTrigger.EditKeyPressed)
        self.setAcceptDrops(True)
        self.setDragDropMode(QTreeView.DragDropMode.DropOnly)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)

    def drawBranches(self, painter: QPainter, rect: QRect, index: QModelIndex | QPersistentModelIndex) -> None:
        height = LINE_PX if rect.height() >= NOTED_PX else rect.height()
        super().drawBranches(painter, QRect(rect.left(), rect.top(), rect.width(), height), index)
