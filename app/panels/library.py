"""The sidebar: folders, collections, favourites, saved searches, categories and what was added last."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QModelIndex, QSize, QTimer, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.drag import classify_drop
from app.models.folders import Node, NodeKind, SidebarModel
from app.panels.library_change import LibraryChanges
from app.panels.library_menu import LibraryMenu
from app.panels.sidebar_content import LibraryContent, read_content, sidebar_nodes
from app.plain import PlainLabel
from app.theme import GRID, icon
from app.widgets.sidebar_tree import SidebarTree
from core.errors import KnownError

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.jobs.indexing import IndexController
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.library import Library

# Notes with pace and counts are renewed no more often than this.
_NOTES_MS = 500
_log = logging.getLogger(__name__)


class LibraryPanel(QWidget):
    """The tree and its actions. It reads the library in the background whenever `reload` is called.

    Attributes:
        content_changed: A new `LibraryContent` was read.
        all_selected: "All sounds" was chosen.
        folder_selected: A folder, as Path.
        collection_selected: A collection, as (id, name).
        favourites_selected: The favourites.
        ucs_selected: A category or CatID, as (expression value, title).
        saved_selected: A saved search, as QuerySpec.
        recent_selected: What was added last.
        add_folder_requested: Folders to add, as a list of paths.
        search_in_folder_requested: A folder to search in, as Path.
        skipped_requested: The list of skipped files shall be shown.
        files_changed: Ids of files whose marks were changed here.
    """

    content_changed = Signal(object)
    all_selected = Signal()
    folder_selected = Signal(object)
    collection_selected = Signal(int, str)
    favourites_selected = Signal()
    ucs_selected = Signal(str, str)
    saved_selected = Signal(object)
    recent_selected = Signal()
    add_folder_requested = Signal(list)
    search_in_folder_requested = Signal(object)
    skipped_requested = Signal()
    files_changed = Signal(list)

    def __init__(
        self,
        *,
        library: Library,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        shortcuts: ShortcutMap,
        controller: IndexController,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("library")
        self._library, self._runner, self._settings = library, runner, settings
        self._errors, self._controller = errors, controller
        self._is_reading = False
        self._must_read_again = False
        self.content = LibraryContent()
        self.model = SidebarModel(self, accepts=self._accepts)
        self.tree = SidebarTree(self.model)
        self._connect_tree()
        self._changes = LibraryChanges(library, runner, self)
        self.menu = LibraryMenu(self, controller=controller, changes=self._changes)
        self._changes.changed.connect(self.reload)
        self._changes.files_changed.connect(self._on_files_changed)
        self._changes.created.connect(self._on_created)
        header = self._make_header(shortcuts)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(header)
        layout.addWidget(self.tree)
        self.model.renamed.connect(self._changes.rename)
        self.model.dropped.connect(self._on_dropped)
        self._notes = QTimer(self)
        self._notes.setSingleShot(True)
        self._notes.setInterval(_NOTES_MS)
        self._notes.timeout.connect(self._show)
        controller.changed.connect(self._on_controller_changed)
        controller.grew.connect(self.reload)
        self._show()

    def sizeHint(self) -> QSize:
        return QSize(240, 400)

    def reload(self) -> None:
        """Read the library again; calls that come while it is read are answered by one more reading."""
        if self._is_reading:
            self._must_read_again = True
            return
        self._is_reading = True
        self._runner.call(
            lambda: read_content(self._library), on_result=self._take, on_failed=self._on_read_failed, name="sidebar"
        )

    def clear_selection(self) -> None:
        """Select nothing, since a search is shown that belongs to no line; nothing is emitted."""
        selection = self.tree.selectionModel()
        blocked = selection.blockSignals(True)
        self.tree.setCurrentIndex(QModelIndex())
        self.tree.clearSelection()
        selection.blockSignals(blocked)
        self.tree.viewport().update()

    def choose_folder(self) -> None:
        """Ask for a folder to add."""
        start = self._settings.layout.choices.get("library.last_folder", "")
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Add a folder of sounds"), str(start))
        if chosen:
            self._settings.layout.choices["library.last_folder"] = str(Path(chosen).parent)
            self.add_folder_requested.emit([Path(chosen)])

    def create_collection(self, file_ids: Sequence[int] = (), paths: Sequence[Path] = ()) -> None:
        """Make a collection with a name of its own, put files into it, and have its name edited."""
        self._changes.create(self._free_name(self.tr("New collection")), file_ids, paths)

    def _make_header(self, shortcuts: ShortcutMap) -> QHBoxLayout:
        title = PlainLabel(self.tr("Library"))
        title.setProperty("role", "heading")
        self.add_button = self._button("folder-add", shortcuts.hint("folder.add"), self.choose_folder)
        self.add_button.setObjectName("library.add")
        self.new_button = self._button("collection", self.tr("New collection"), lambda: self.create_collection())
        self.new_button.setObjectName("library.new_collection")
        header = QHBoxLayout()
        header.setContentsMargins(3 * GRID, 2 * GRID, 2 * GRID, GRID)
        header.addWidget(title, 1)
        header.addWidget(self.add_button)
        header.addWidget(self.new_button)
        return header

    def _button(self, name: str, hint: str, do: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setToolTip(hint)
        button.setAccessibleName(hint)
        button.clicked.connect(lambda _=False: do())
        return button

    def _connect_tree(self) -> None:
        tree = self.tree
        tree.customContextMenuRequested.connect(lambda at: self.menu.popup(at))
        tree.selectionModel().currentChanged.connect(self._on_current_changed)
        tree.clicked.connect(self._on_clicked)
        tree.expanded.connect(lambda index: self._remember_open(index, True))
        tree.collapsed.connect(lambda index: self._remember_open(index, False))

    def _take(self, content: LibraryContent) -> None:
        self._is_reading = False
        self.content = content
        self._show()
        self.content_changed.emit(content)
        if self._must_read_again:
            self._must_read_again = False
            self.reload()
            return
        do, self._after_reading = self._after_reading, None
        if do is not None:
            do()

    _after_reading: Callable[[], None] | None = None

    def _on_read_failed(self, error: BaseException) -> None:
        self._is_reading = False
        self._errors.raised(error)

    def _on_controller_changed(self) -> None:
        if not self._notes.isActive():
            self._notes.start()

    def _show(self) -> None:
        is_first = self.model.rowCount() == 0
        self.model.show(sidebar_nodes(self.content, self._controller))
        if is_first:
            for row in range(self.model.rowCount()):
                index = self.model.index(row, 0)
                node = self.model.node(index)
                self.tree.setExpanded(index, node is not None and node.key in self._settings.layout.expanded)
        self.tree.doItemsLayout()

    def _remember_open(self, index: QModelIndex, is_open: bool) -> None:
        node = self.model.node(index)
        if node is None or node.kind is not NodeKind.SECTION or self.model.rowCount() == 0:
            return
        others = [key for key in self._settings.layout.expanded if key != node.key]
        self._settings.layout.expanded = [*others, node.key] if is_open else others

    def _on_clicked(self, index: QModelIndex) -> None:
        node = self.model.node(index)
        if node is not None and node.kind is NodeKind.SECTION:
            self.tree.setExpanded(index, not self.tree.isExpanded(index))

    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        node = self.model.node(current)
        if node is None:
            return
        match node.kind:
            case NodeKind.ALL:
                self.all_selected.emit()
            case NodeKind.RECENT:
                self.recent_selected.emit()
            case NodeKind.FOLDER | NodeKind.SUBFOLDER:
                self.folder_selected.emit(node.path)
            case NodeKind.FAVOURITES:
                self.favourites_selected.emit()
            case NodeKind.COLLECTION:
                self.collection_selected.emit(int(node.value), node.title)
            case NodeKind.UCS:
                self.ucs_selected.emit(node.value, node.title)
            case NodeKind.SAVED:
                self._select_saved(node)

    def _select_saved(self, node: Node) -> None:
        from core.search.query import QuerySpec

        try:
            self.saved_selected.emit(QuerySpec.from_json(node.value))
        except KnownError as error:
            self._errors.known(error)

    def _accepts(self, node: Node, data: QMimeData) -> bool:
        """Whether something may be dropped on a line."""
        paths = classify_drop(data).paths
        if not paths:
            return False
        if node.kind in (NodeKind.FOLDER, NodeKind.SUBFOLDER) or (
            node.kind is NodeKind.SECTION and node.key == "folders"
        ):
            return any(path.is_dir() for path in paths)
        return (
            node.kind in (NodeKind.COLLECTION, NodeKind.FAVOURITES)
            or (node.kind is NodeKind.SECTION and node.key == "collections")
        ) and any(path.is_file() for path in paths)

    def _on_dropped(self, node: Node, data: QMimeData) -> None:
        paths = classify_drop(data).paths
        folders = [path for path in paths if path.is_dir()]
        files = [path for path in paths if path.is_file()]
        if node.kind in (NodeKind.FOLDER, NodeKind.SUBFOLDER) or (
            node.kind is NodeKind.SECTION and node.key == "folders"
        ):
            self.add_folder_requested.emit(folders)
        elif node.kind is NodeKind.SECTION:
            self.create_collection(paths=files)
        elif node.kind is NodeKind.FAVOURITES:
            self._changes.mark_favourites(files)
        else:
            self._changes.collect(int(node.value), files)

    def _on_files_changed(self, ids: list[int]) -> None:
        self.files_changed.emit(ids)
        self._controller.go_on()

    def _on_created(self, collection_id: int, has_files_from_outside: bool) -> None:
        """Have a new collection's name edited as soon as it is seen."""

        def begin() -> None:
            index = self.model.find(NodeKind.COLLECTION, str(collection_id))
            if index.isValid():
                self.tree.setCurrentIndex(index)
                self.tree.edit(index)

        self._after_reading = begin
        self.reload()
        if has_files_from_outside:
            self._controller.go_on()

    def _free_name(self, wanted: str) -> str:
        taken = {row.name for row in self.content.collections}
        number, name = 1, wanted
        while name in taken:
            number += 1
            name = f"{wanted} {number}"
        return name
