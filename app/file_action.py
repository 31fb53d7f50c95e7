"""Carries out what the user asks of files: marks, collections, captions, copying, showing them in the file manager."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QInputDialog, QWidget

from app.drag import copy_files, reveal
from app.phrase import sounds
from core.errors import UnusableFileError
from core.jobs import CancelToken, Event, Progress, Skipped

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.models.row import ResultRow
    from core.library import Library

_log = logging.getLogger(__name__)


class FileActions(QObject):
    """Changes the library on another thread and tells what has changed.

    Attributes:
        files_changed: (list[int]) ids whose rows show something else now.
        collections_changed: A collection was made or holds other files.
        collection_wanted: (list[int]) a new collection shall be made of files.
    """

    files_changed = Signal(list)
    collections_changed = Signal()
    collection_wanted = Signal(list)

    def __init__(self, *, library: Library, runner: JobRunner, errors: ErrorCentre, parent: QWidget) -> None:
        super().__init__(parent)
        self._library, self._runner, self._errors, self._window = library, runner, errors, parent

    def carry_out(self, wishes: Any) -> None:
        """Carry out what is asked for rows of the wishes."""
        wishes.favourite_requested.connect(self.set_favourite)
        wishes.rating_requested.connect(self.set_rating)
        wishes.tag_requested.connect(self.add_tag)
        wishes.collection_requested.connect(self.add_to_collection)
        wishes.collection_left.connect(self.remove_from_collection)
        wishes.copy_path_requested.connect(self.copy_files)
        wishes.reveal_requested.connect(lambda row: self.reveal(row.path))
        wishes.caption_copy_requested.connect(self.copy_text)
        wishes.caption_regenerate_requested.connect(self.regenerate_captions)
        wishes.caption_restore_requested.connect(self.restore_captions)

    def set_favourite(self, file_ids: Sequence[int], is_favourite: bool) -> None:
        """Make files favourites, or plain ones again."""
        self._change(file_ids, lambda ids: self._library.set_favourite(ids, is_favourite), collections=True)

    def set_rating(self, file_ids: Sequence[int], rating: int) -> None:
        """Give files 0 to 5 stars."""
        self._change(file_ids, lambda ids: self._library.set_rating(ids, rating))

    def add_tag(self, file_ids: Sequence[int], name: str) -> None:
        """Hang a tag on files; without a name it is asked for."""
        if not name:
            name, agreed = QInputDialog.getText(self._window, self.tr("Add a tag"), self.tr("Tag"))
            if not agreed or not name.strip():
                return
        self._change(file_ids, lambda ids: self._library.add_tag(ids, name))

    def add_to_collection(self, file_ids: Sequence[int], collection_id: int) -> None:
        """Put files into a collection; into a new one for the id 0."""
        if collection_id == 0:
            self.collection_wanted.emit([int(file_id) for file_id in file_ids])
            return
        self._change(file_ids, lambda ids: self._library.add_to_collection(collection_id, ids), collections=True)

    def remove_from_collection(self, file_ids: Sequence[int], collection_id: int) -> None:
        """Take files out of a collection; they stay in the library."""
        self._change(file_ids, lambda ids: self._library.remove_from_collection(collection_id, ids), collections=True)

    def regenerate_captions(self, file_ids: Sequence[int]) -> None:
        """Have captions written anew."""
        ids = [int(file_id) for file_id in file_ids]
        told_of = 0
        self._errors.notice(self.tr("Writing captions anew for {0}.").format(sounds(len(ids))))

        def job(cancel: CancelToken) -> Iterator[Event]:
            for number, file_id in enumerate(ids, 1):
                cancel.check()
                try:
                    self._library.regenerate_caption(file_id)
                except UnusableFileError as error:
                    # Of many sounds some may lie on a disk that is not there: the others get theirs.
                    yield Skipped(str(file_id), str(error))
                else:
                    yield Progress("caption", number, len(ids))

        def tell(event: Event) -> None:
            nonlocal told_of
            if isinstance(event, Skipped):
                self._errors.notice(event.reason)
            elif isinstance(event, Progress):
                self.files_changed.emit(ids[told_of : event.done])
                told_of = event.done

        self._runner.run(job, on_event=tell, name="write captions anew")

    def restore_captions(self, file_ids: Sequence[int]) -> None:
        """Bring back the captions that were there before they were edited."""

        def work(ids: list[int]) -> None:
            for file_id in ids:
                self._library.restore_caption(file_id)

        self._change(file_ids, work)

    def copy_files(self, rows: Sequence[ResultRow]) -> None:
        """Put files on the clipboard: as files for a file manager, as paths for text."""
        if rows:
            copy_files([row.path for row in rows])
            what = rows[0].name if len(rows) == 1 else sounds(len(rows))
            self._errors.notice(self.tr("Copied {0}.").format(what))

    def copy_text(self, text: str) -> None:
        """Put a text on the clipboard."""
        QGuiApplication.clipboard().setText(text)

    def reveal(self, path: Path) -> None:
        """Show a file in the file manager."""
        if not reveal(path):
            self._errors.notice(self.tr("No file manager could be opened. The file lies in {0}.").format(path.parent))

    def _change(
        self, file_ids: Sequence[int], work: Callable[[list[int]], object], *, collections: bool = False
    ) -> None:
        ids = [int(file_id) for file_id in file_ids]
        if not ids:
            return

        def done(_result: object) -> None:
            self.files_changed.emit(ids)
            if collections:
                self.collections_changed.emit()

        self._runner.call(lambda: work(ids), on_result=done, name="change files")
