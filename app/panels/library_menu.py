"""What can be done with a line of the sidebar, as a menu."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QMenu, QMessageBox

from app.drag import file_url
from app.models.folders import Node, NodeKind

if TYPE_CHECKING:
    from app.jobs.indexing import IndexController
    from app.panels.library import LibraryPanel
    from app.panels.library_change import LibraryChanges


class LibraryMenu(QObject):
    """Offers what a line allows, and asks before something is forgotten.

    Args:
        panel: Whose lines; it tells others what was chosen.
        controller: Looks at folders, removes them, rests.
        changes: Renames and deletes.
    """

    def __init__(self, panel: LibraryPanel, *, controller: IndexController, changes: LibraryChanges) -> None:
        super().__init__(panel)
        self._panel, self._controller, self._changes = panel, controller, changes

    def popup(self, position: QPoint) -> None:
        """Open the menu of the line at a point of the tree."""
        tree = self._panel.tree
        menu = QMenu(self._panel)
        for label, do in self.entries(self._panel.model.node(tree.indexAt(position))):
            menu.addAction(label).triggered.connect(lambda _=False, do=do: do())
        if menu.actions():
            menu.exec(tree.viewport().mapToGlobal(position))
        menu.deleteLater()

    def entries(self, node: Node | None) -> list[tuple[str, Callable[[], object]]]:
        """What can be done with a line."""
        panel, controller = self._panel, self._controller
        pause = self.tr("Resume indexing") if controller.is_paused else self.tr("Pause indexing")
        entries: list[tuple[str, Callable[[], object]]] = []
        if node is None or (node.kind is NodeKind.SECTION and node.key == "folders") or node.kind is NodeKind.ALL:
            entries = [
                (self.tr("Add a folder…"), panel.choose_folder),
                (self.tr("Look at all folders again"), lambda: controller.rescan()),
            ]
        elif node.kind is NodeKind.FOLDER and node.path is not None:
            path = node.path
            entries = [
                (self.tr("Search in this folder"), lambda: panel.search_in_folder_requested.emit(path)),
                (self.tr("Look at it again"), lambda: controller.rescan([path])),
                (self.tr("Skipped files…"), panel.skipped_requested.emit),
                (self.tr("Open in the file manager"), lambda: _open_folder(path)),
                (self.tr("Take out of the library…"), lambda: self._confirm_removal(node, path)),
            ]
        elif node.kind is NodeKind.SUBFOLDER and node.path is not None:
            inner = node.path
            entries = [
                (self.tr("Search in this folder"), lambda: panel.search_in_folder_requested.emit(inner)),
                (self.tr("Open in the file manager"), lambda: _open_folder(inner)),
            ]
        elif node.kind is NodeKind.COLLECTION:
            entries = [
                (self.tr("Rename"), lambda: self._edit(node)),
                (self.tr("Delete the collection…"), lambda: self._confirm_deletion(node)),
            ]
        elif node.kind is NodeKind.SAVED:
            entries = [
                (self.tr("Rename"), lambda: self._edit(node)),
                (self.tr("Delete the saved search"), lambda: self._changes.delete(node)),
            ]
        elif node.kind is NodeKind.SECTION and node.key == "collections":
            entries = [(self.tr("New collection"), panel.create_collection)]
        if controller.is_running and (node is None or node.kind in (NodeKind.FOLDER, NodeKind.ALL, NodeKind.SECTION)):
            entries += [(pause, controller.toggle_pause), (self.tr("Stop indexing"), controller.cancel)]
        return entries

    def _edit(self, node: Node) -> None:
        self._panel.tree.edit(self._panel.model.find(node.kind, node.key))

    def _confirm_removal(self, node: Node, path: Path) -> None:
        if self._agrees(
            self.tr("Take {0} out of the library?").format(node.title),
            self.tr("Its files on disk stay as they are. Ratings, tags and captions of its sounds are forgotten."),
            self.tr("Take out"),
        ):
            self._controller.remove(path)

    def _confirm_deletion(self, node: Node) -> None:
        if self._agrees(
            self.tr("Delete the collection {0}?").format(node.title),
            self.tr("Its sounds stay where they are."),
            self.tr("Delete"),
        ):
            self._changes.delete(node)

    def _agrees(self, question: str, detail: str, verb: str) -> bool:
        box = QMessageBox(QMessageBox.Icon.NoIcon, self.tr("Earshot"), question, parent=self._panel)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setInformativeText(detail)
        agree = box.addButton(verb, QMessageBox.ButtonRole.AcceptRole)
        box.addButton(self.tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.exec()
        return box.clickedButton() is agree


def _open_folder(path: Path) -> None:
    QDesktopServices.openUrl(file_url(path))
