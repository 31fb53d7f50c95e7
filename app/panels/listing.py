"""What stands in the results: an answer, or a list that nobody searched for; and inside which files is searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.search import SearchAnswer
from core.types import IntArray

if TYPE_CHECKING:
    from app.jobs import JobRunner
    from app.panels.results import ResultsPanel
    from app.panels.search import SearchPanel
    from app.search import SearchController
    from core.library import Library
    from core.search.query import QuerySpec

# Files that were left out are listed with their reasons elsewhere, and not counted as sounds.
_USABLE = "state:ready|scanned"


class Listing(QObject):
    """Decides between answers and lists, and shows the same again when the library has grown.

    Args:
        library: Lists files.
        runner: Has it do so in the background.
        search: Is asked.
        panel: Holds the question.
        results: Shows what comes of it.
        parent: Owner.

    Attributes:
        answered: An answer is shown in place of a list.
    """

    answered = Signal()

    def __init__(
        self,
        *,
        library: Library,
        runner: JobRunner,
        search: SearchController,
        panel: SearchPanel,
        results: ResultsPanel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._library, self._runner = library, runner
        self._search, self._panel, self._results = search, panel, results
        self._within: list[int] | None = None
        self._again: Callable[[], None] | None = None
        self._answer: SearchAnswer | None = None
        panel.query_changed.connect(lambda spec: self.ask(spec))
        panel.submitted.connect(lambda spec: self.ask(spec, now=True))
        search.answered.connect(self._on_answered)
        search.failed.connect(results.show_failure)
        search.busy_changed.connect(results.show_busy)
        search.emptied.connect(self._on_emptied)
        results.within_requested.connect(self.search_within)
        results.show_all_requested.connect(self.show_all)

    @property
    def question(self) -> QuerySpec | None:
        """The question whose answer is shown, or None where a list is."""
        return None if self._answer is None else self._answer.spec

    @property
    def is_empty(self) -> bool:
        """Whether nothing was shown yet."""
        return self._answer is None and self._again is None

    def ask(self, spec: QuerySpec, *, now: bool = False, show_all: bool = False) -> None:
        """Ask inside what was chosen to search in."""
        self._search.ask(spec, within=self._within, now=now, show_all=show_all)

    def show_all(self, show_all: bool = True) -> None:
        """Ask the same with weak matches, or without them again."""
        self.ask(self._panel.spec(), show_all=show_all, now=True)

    def search_within(self, ids: Sequence[int]) -> None:
        """Search inside these files only; none: everywhere again."""
        self._within = list(ids) or None
        spec = self._panel.spec()
        if not spec.is_empty:
            self.ask(spec, now=True)
        elif self._within is None:
            self.show_recent()
        else:
            self._show(self._show_within)
        self._panel.focus()

    def show_recent(self) -> None:
        """List what came last into the library."""
        self._show(self._results.show_recent)

    def show_all_sounds(self) -> None:
        """List what can be used of the library."""
        self.show_matching(self.tr("All sounds"), _USABLE)

    def show_favourites(self) -> None:
        """List what has a star."""
        empty = self.tr("The star in the inspector makes a sound a favourite, and so does its key.")
        self._list(self.tr("Favourites"), lambda: self._library.list_files("favourite:yes"), empty=empty)

    def show_matching(self, title: str, *conditions: str) -> None:
        """List files that meet conditions."""
        self._list(title, lambda: self._library.list_files(*conditions))

    def show_folder(self, path: Path) -> None:
        """List a folder on disk, with those below it."""
        self._list(path.name or str(path), lambda: self._library.list_files(_USABLE, below=path), key=("folder", path))

    def show_collection(self, collection_id: int, title: str) -> None:
        """List a collection in the order in which it was filled."""
        self._list(
            title,
            lambda: self._library.collection_files(collection_id),
            key=("collection", collection_id),
            empty=self.tr("Drag sounds onto its name at the left; files from anywhere else will do, too."),
        )

    def show_again(self) -> None:
        """The library has grown: ask or list the same anew."""
        if self._answer is not None:
            self._search.refresh()
        elif self._again is not None:
            self._again()

    def _list(self, title: str, read: Callable[[], IntArray], *, key: object = None, empty: str = "") -> None:
        def take(ids: IntArray) -> None:
            if self._again is show:
                self._results.show_files(ids, title, key=key, empty=empty)

        def show() -> None:
            self._runner.call(read, on_result=take, name="list files")

        # A list that was chosen is a fresh start: a question that is typed next is asked of everything.
        self._within = None
        self._show(show)

    def _show(self, do: Callable[[], None]) -> None:
        """Show something that is no answer, now and whenever the library grows."""
        self._search.forget()
        self._answer = None
        self._again = do
        do()

    def _show_within(self) -> None:
        ids = np.asarray(self._within or (), dtype=np.int64)
        self._results.show_files(ids, self.tr("What is searched in"), key=("within", ids.tobytes()), within=ids)

    def _on_answered(self, answer: SearchAnswer) -> None:
        self._answer, self._again = answer, None
        self._results.show_answer(answer)
        if not answer.is_refresh:
            self.answered.emit()

    def _on_emptied(self) -> None:
        self._answer = None
        if self._again is None:
            if self._within is None:
                self.show_recent()
            else:
                self._show(self._show_within)
