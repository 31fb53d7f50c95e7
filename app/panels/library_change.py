"""What the sidebar changes in the library: collections, favourites and saved searches, all in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app.models.folders import Node, NodeKind

if TYPE_CHECKING:
    from app.jobs import JobRunner
    from core.library import Library


class LibraryChanges(QObject):
    """Changes the library, and tells when that is done.

    Args:
        library: Is changed.
        runner: Does it on another thread.
        parent: Owner.

    Attributes:
        changed: Something is otherwise; what is shown should be read again.
        files_changed: Ids of files whose marks are others now; files from outside may wait to be indexed.
        created: (int, bool) a collection was made, by its id; whether files from outside were put into it.
    """

    changed = Signal()
    files_changed = Signal(list)
    created = Signal(int, bool)

    def __init__(self, library: Library, runner: JobRunner, parent: QObject) -> None:
        super().__init__(parent)
        self._library, self._runner = library, runner

    def create(self, name: str, file_ids: Sequence[int], paths: Sequence[Path]) -> None:
        """Make a collection of files, which may lie outside the library's folders."""

        def work() -> int:
            made = self._library.create_collection(name)
            ids = [*file_ids, *(self._library.add_outside_files(paths) if paths else ())]
            if ids:
                self._library.add_to_collection(made, ids)
            return made

        self._runner.call(work, on_result=lambda made: self.created.emit(made, bool(paths)), name="new collection")

    def collect(self, collection_id: int, paths: Sequence[Path]) -> None:
        """Put files into a collection, wherever they lie."""

        def work() -> list[int]:
            ids = self._library.add_outside_files(paths)
            self._library.add_to_collection(collection_id, ids)
            return list(ids)

        self._do(work, files_follow=True)

    def mark_favourites(self, paths: Sequence[Path]) -> None:
        """Make files favourites, wherever they lie."""

        def work() -> list[int]:
            ids = self._library.add_outside_files(paths)
            self._library.set_favourite(ids, True)
            return list(ids)

        self._do(work, files_follow=True)

    def rename(self, node: Node, title: str) -> None:
        """Give a collection or a saved search another name."""
        if node.kind is NodeKind.COLLECTION:
            self._do(lambda: self._library.rename_collection(int(node.value), title))
        elif node.kind is NodeKind.SAVED:

            def work() -> None:
                self._library.save_search(title, node.value)
                self._library.delete_saved_search(int(node.key))

            self._do(work)

    def delete(self, node: Node) -> None:
        """Delete a collection or a saved search."""
        if node.kind is NodeKind.COLLECTION:
            self._do(lambda: self._library.delete_collection(int(node.value)))
        elif node.kind is NodeKind.SAVED:
            self._do(lambda: self._library.delete_saved_search(int(node.key)))

    def _do(self, work: Callable[[], Any], *, files_follow: bool = False) -> None:
        def done(result: Any) -> None:
            self.changed.emit()
            if files_follow:
                self.files_changed.emit(list(result))

        self._runner.call(work, on_result=done, name="change the library")
