"""What the sidebar shows, gathered from the library on another thread and turned into lines on the main one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from app.jobs.indexing import Phase
from app.models.folder_tree import folder_branches
from app.models.folders import Node, NodeKind
from app.phrase import counted, hours, pace, size, sounds, time_left

if TYPE_CHECKING:
    from app.jobs.indexing import IndexController
    from core.library import CollectionRow, Library, RootRow, SavedSearch, UcsCount

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate


@dataclass(frozen=True, slots=True)
class LibraryContent:
    """What a library holds, at one moment."""

    roots: tuple[RootRow, ...] = ()
    collections: tuple[CollectionRow, ...] = ()
    saved: tuple[SavedSearch, ...] = ()
    ucs: tuple[UcsCount, ...] = ()
    favourites: int = 0
    branches: dict[int, tuple[Node, ...]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is no folder and no collected file yet."""
        return not self.roots and not any(collection.files for collection in self.collections)

    @property
    def files(self) -> int:
        """Sounds in the folders that are there and not skipped."""
        return sum(usable(root) for root in self.roots)

    @property
    def skipped(self) -> int:
        """Files that could not be used."""
        return sum(of_state(root, "skipped") for root in self.roots)

    @property
    def waiting(self) -> int:
        """Files that wait to be embedded."""
        return sum(of_state(root, "scanned") for root in self.roots)


def read_content(library: Library) -> LibraryContent:
    """Count what a library holds; may be called on any thread."""
    roots = tuple(library.roots())
    return LibraryContent(
        roots,
        tuple(library.collections()),
        tuple(library.saved_searches()),
        tuple(library.ucs_counts()),
        len(library.list_files("favourite:yes")),
        folder_branches(roots, library.folder_counts()),
    )


def of_state(root: RootRow, state: str) -> int:
    """Files of a folder in a state."""
    return sum(number for key, number in root.files_by_state.items() if key.value == state)


def usable(root: RootRow) -> int:
    """Files of a folder that can be found."""
    return of_state(root, "ready") + of_state(root, "scanned")


def sidebar_nodes(content: LibraryContent, controller: IndexController) -> list[Node]:
    """The lines of the sidebar."""
    return [
        _section("folders", translate("Sidebar", "Folders"), _folder_nodes(content, controller)),
        _section("collections", translate("Sidebar", "Collections"), _collection_nodes(content)),
        _section("saved", translate("Sidebar", "Saved searches"), _saved_nodes(content)),
        _section("ucs", translate("Sidebar", "Categories"), _ucs_nodes(content.ucs)),
    ]


def _section(key: str, title: str, children: list[Node]) -> Node:
    return Node(NodeKind.SECTION, key, title, children=tuple(children))


def _folder_nodes(content: LibraryContent, controller: IndexController) -> list[Node]:
    titles = _unambiguous([root.path for root in content.roots])
    nodes = [
        _folder_node(root, titles[root.path], controller, content.branches.get(root.id, ())) for root in content.roots
    ]
    if not nodes:
        return [Node(NodeKind.HINT, "no-folder", translate("Sidebar", "No folder yet"))]
    everything = Node(NodeKind.ALL, "all", translate("Sidebar", "All sounds"), content.files, icon="waveform")
    recent = Node(NodeKind.RECENT, "recent", translate("Sidebar", "Recently added"), icon="recent")
    return [everything, recent, *nodes]


def _folder_node(root: RootRow, title: str, controller: IndexController, below: tuple[Node, ...]) -> Node:
    note, failed = _folder_note(root, controller)
    waiting, ready = of_state(root, "scanned"), of_state(root, "ready")
    skipped = of_state(root, "skipped")
    facts = [
        str(root.path),
        f"{sounds(ready + waiting)}, {hours(root.duration_s)}, {size(root.size_bytes)}",
        translate("Sidebar", "{0} wait to be indexed").format(counted(waiting)) if waiting else "",
        translate("Sidebar", "{0} skipped").format(counted(skipped)) if skipped else "",
        translate("Sidebar", "The folder cannot be reached at present; what is known of it can be searched.")
        if root.is_offline
        else "",
    ]
    return Node(
        NodeKind.FOLDER,
        str(root.id),
        title,
        ready + waiting,
        note=note,
        tip="\n".join(fact for fact in facts if fact),
        icon="folder-offline" if root.is_offline else "folder",
        failed=failed,
        share=ready / (ready + waiting) if waiting and not root.is_offline else None,
        path=root.path,
        children=below,
    )


def _folder_note(root: RootRow, controller: IndexController) -> tuple[str, bool]:
    """What is going on in a folder, and whether it is a failure."""
    waiting, skipped = of_state(root, "scanned"), of_state(root, "skipped")
    if root.is_offline:
        return translate("Sidebar", "Offline"), False
    if controller.is_scanning(root.path):
        return translate("Sidebar", "Scanning"), False
    parts = []
    if waiting and controller.is_paused:
        parts.append(translate("Sidebar", "Paused, {0} to go").format(counted(waiting)))
    elif waiting and controller.phase is Phase.INDEXING:
        parts.append(translate("Sidebar", "Indexing, {0} to go").format(counted(waiting)))
    elif waiting:
        parts.append(translate("Sidebar", "{0} not indexed yet").format(counted(waiting)))
    if skipped:
        parts.append(translate("Sidebar", "{0} skipped").format(counted(skipped)))
    return " · ".join(parts), False


def _collection_nodes(content: LibraryContent) -> list[Node]:
    favourites = Node(
        NodeKind.FAVOURITES, "favourites", translate("Sidebar", "Favourites"), content.favourites, icon="star"
    )
    return [
        favourites,
        *(
            Node(NodeKind.COLLECTION, str(row.id), row.name, row.files, icon="collection", value=str(row.id))
            for row in content.collections
        ),
    ]


def _saved_nodes(content: LibraryContent) -> list[Node]:
    nodes = [
        Node(NodeKind.SAVED, str(row.id), row.name, icon="bookmark", value=row.query_json) for row in content.saved
    ]
    return nodes or [Node(NodeKind.HINT, "no-saved", translate("Sidebar", "None saved yet"))]


def _ucs_nodes(rows: Sequence[UcsCount]) -> list[Node]:
    by_category = attrgetter("category")
    nodes = []
    for category, found in groupby(sorted(rows, key=by_category), by_category):
        members = tuple(found)
        nodes.append(
            Node(
                NodeKind.UCS,
                category,
                title_case(category),
                sum(row.files for row in members),
                icon="tag",
                value=category,
                children=tuple(
                    Node(
                        NodeKind.UCS,
                        row.cat_id,
                        title_case(row.subcategory),
                        row.files,
                        tip=row.cat_id,
                        value=row.cat_id,
                    )
                    for row in members
                ),
            )
        )
    return nodes or [
        Node(NodeKind.HINT, "no-ucs", translate("Sidebar", "No file is named by the Universal Category System"))
    ]


def title_case(words: str) -> str:
    """The published list shouts; the sidebar does not: "FOLEY FOOT" becomes "Foley foot"."""
    return words[:1].upper() + words[1:].lower()


def work_note(controller: IndexController) -> str:
    """What the controller does, with pace and time left, in one line."""
    phase, progress = controller.phase, controller.progress
    names = {
        Phase.SCANNING: translate("Sidebar", "Scanning"),
        Phase.INDEXING: translate("Sidebar", "Indexing"),
        Phase.CAPTIONING: translate("Sidebar", "Captioning"),
        Phase.REMOVING: translate("Sidebar", "Removing a folder"),
        Phase.STOPPING: translate("Sidebar", "Stopping"),
    }
    if phase is Phase.IDLE:
        return ""
    if controller.is_paused and phase in (Phase.INDEXING, Phase.CAPTIONING):
        return translate("Sidebar", "Paused") + (_left(progress.done, progress.total) if progress is not None else "")
    if progress is None:
        return names[phase]
    if phase is Phase.SCANNING:
        found = translate("Sidebar", "{0} found").format(counted(progress.done))
        return f"{names[phase]}, {found}" if progress.done else names[phase]
    parts = [names[phase]]
    if progress.rate_per_s:
        parts[0] += f" {pace(progress.rate_per_s)}"
    if progress.left_s is not None:
        parts.append(time_left(progress.left_s))
    elif progress.total:
        parts.append(translate("Sidebar", "{0} of {1}").format(counted(progress.done), counted(progress.total)))
    return ", ".join(parts)


def _left(done: int, total: int | None) -> str:
    return ", " + translate("Sidebar", "{0} to go").format(counted(total - done)) if total else ""


def _unambiguous(paths: Sequence[Path]) -> dict[Path, str]:
    """The folders' own names; of those with equal names as much of the path as tells them apart."""
    names = {}
    for path in paths:
        parts = 1
        while parts < len(path.parts) and any(
            other != path and other.parts[-parts:] == path.parts[-parts:] for other in paths
        ):
            parts += 1
        names[path] = str(Path(*path.parts[-parts:])) if path.name else str(path)
    return names
