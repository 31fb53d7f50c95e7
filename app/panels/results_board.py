"""The rows of the results in their two views, with one model, one selection and one order.

When a list is shown again in a new version, because sounds were indexed meanwhile, the selected rows stay selected and
what the eye rests on stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QItemSelection, QModelIndex, QPoint, Qt, Signal
from PySide6.QtWidgets import QStackedLayout, QWidget

from app.delegates.ink import Ink
from app.models.results import ResultsModel
from app.models.roles import Column
from app.models.row import ResultRow
from app.models.row_store import RowStore
from app.panels.captions import CaptionsView
from app.theme import body_font
from app.widgets.row_list import RowList
from app.widgets.row_table import RowTable
from core.search.result import Hit
from core.types import IntArray

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs.runner import JobRunner
    from core.library import Library, Order

_ORDERS: dict[Column, Order] = {
    Column.NAME: "name",
    Column.CAPTION: "caption",
    Column.CATEGORY: "category",
    Column.DURATION: "duration",
    Column.FORMAT: "rate",
    Column.RATING: "rating",
    Column.LOUDNESS: "loudness",
    Column.FOLDER: "folder",
}

_MOST_GROUPED = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What is listed.

    Attributes:
        key: Equal for the same question or list at another time, which then keeps its place.
        ids: The files (n,), in their own order, each once.
        hits: What a search said of them.
        is_weak: They do not match well and are shown all the same.
    """

    key: object = None
    ids: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    hits: Mapping[int, Hit] = field(default_factory=dict)
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the eye is: a file, and how far below the top edge its row begins; and what is selected."""

    anchor_id: int | None
    offset_px: int
    current_id: int | None
    selected_ids: tuple[int, ...]


class ResultsBoard(QWidget):
    """The two views.

    Args:
        library: Rows, peaks and orders.
        runner: Reads them in the background.
        errors: Where failures go.
        parent: Owner.

    Attributes:
        current_changed: (ResultRow | None)
        selection_changed: Other rows are selected.
        opened, play_wanted: (ResultRow)
        rating_wanted: (list[int], int)
        menu_wanted: (QPoint)
        drag_started: Selected rows are being dragged.
        in_sight_changed: Other rows are in sight.
        columns_changed: The list's columns are arranged otherwise.
    """

    current_changed = Signal(object)
    selection_changed = Signal()
    opened = Signal(object)
    play_wanted = Signal(object)
    rating_wanted = Signal(object, int)
    menu_wanted = Signal(QPoint)
    drag_started = Signal()
    in_sight_changed = Signal()
    columns_changed = Signal()

    def __init__(self, library: Library, runner: JobRunner, errors: ErrorCentre, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._runner = runner
        self._content = Content()
        self._order: tuple[Column | None, Qt.SortOrder] = (None, Qt.SortOrder.DescendingOrder)
        self._wish = 0
        self._is_restoring = False
        self._told: ResultRow | None = None
        store = RowStore(library, runner, parent=self)
        store.failed.connect(errors.raised)
        self.model = ResultsModel(store, self)
        ink = Ink(body_font())
        self.list = RowList(self.model, ink)
        self.captions = CaptionsView(self.model, ink)
        unused = self.captions.selectionModel()
        self.captions.setSelectionModel(self.list.selectionModel())
        unused.deleteLater()
        self._stack = QStackedLayout(self)
        for view in (self.list, self.captions):
            self._stack.addWidget(view)
            view.opened.connect(lambda row: self._tell(self.opened, row))
            view.menu_wanted.connect(self.menu_wanted)
            view.drag_started.connect(self.drag_started)
            view.in_sight_changed.connect(self._on_scrolled)
        self.list.play_wanted.connect(lambda row: self._tell(self.play_wanted, row))
        self.list.rating_wanted.connect(lambda row, stars: self.rating_wanted.emit([self.model.id_at(row)], stars))
        self.list.order_wanted.connect(self.sort_by)
        self.list.layout_changed.connect(self.columns_changed)
        self.list.selectionModel().currentRowChanged.connect(self._on_current)
        self.list.selectionModel().selectionChanged.connect(self._on_selection)
        self.model.dataChanged.connect(self._on_data)

    @property
    def view(self) -> RowTable:
        """The view in front."""
        return self.captions if self._stack.currentWidget() is self.captions else self.list

    @property
    def content(self) -> Content:
        """What is listed."""
        return self._content

    def set_view(self, *, captions: bool) -> None:
        """Put the reading view or the list in front; captions stand together by category."""
        if captions == (self.view is self.captions):
            return
        self._stack.setCurrentWidget(self.captions if captions else self.list)
        self.show_content(self._content)
        self._show_current()

    def show_content(self, content: Content) -> None:
        """List something, in the order that is chosen."""
        self._wish += 1
        wish, column, descending = self._wish, self._order[0], self._order[1] == Qt.SortOrder.DescendingOrder
        if len(content.ids) < 2 or (column in (None, Column.RELEVANCE) and self.view is self.list):
            self._settle(content, self._reversed(content.ids))
            return
        library, is_reading = self._library, self.view is self.captions

        def arranged() -> IntArray:
            ids = self._reversed(content.ids)
            if column is not None and column in _ORDERS:
                ids = _with_rest(library.list_files(order=_ORDERS[column], descending=descending, among=ids), ids)
            return _grouped(library, ids) if is_reading else ids

        self._runner.call(
            arranged, on_result=lambda ids: self._settle(content, ids) if wish == self._wish else None, name="order"
        )

    def sort_by(self, column: Column | None, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; None: the order in which things were found."""
        if column is Column.RELEVANCE and order == Qt.SortOrder.DescendingOrder:
            column = None
        self._order = (column, order)
        self.list.show_order(column, order)
        self.show_content(self._content)

    def results(self, rows: Sequence[int]) -> list[ResultRow]:
        """What other panels are told of some rows."""
        return self.model.results(rows)

    def selected_ids(self) -> list[int]:
        """Ids of the selected files, from top to bottom."""
        ids = self.model.ids
        return [int(file_id) for file_id in ids[self.list.selected_rows()]] if len(ids) else []

    def current(self) -> ResultRow | None:
        """The sound that the keyboard is at."""
        index = self.list.currentIndex()
        return next(iter(self.results([index.row()])), None) if index.isValid() else None

    def current_hit(self) -> Hit | None:
        """What the search said of it."""
        index = self.list.currentIndex()
        return self.model.hit_at(index.row()) if index.isValid() else None

    def visible_ids(self) -> list[int]:
        """Files that are in sight."""
        first, last = self.view.rows_in_sight()
        return [int(file_id) for file_id in self.model.ids[first : last + 1]]

    def step(self, rows: int) -> None:
        """Go up or down from the current row; the first one where there is none."""
        count = self.model.rowCount()
        if count:
            index = self.list.currentIndex()
            self.view.go_to(min(count - 1, max(0, index.row() + rows)) if index.isValid() else 0)

    def _reversed(self, ids: IntArray) -> IntArray:
        """Least relevant first, if that is wanted."""
        column, order = self._order
        turned = column is Column.RELEVANCE and order == Qt.SortOrder.AscendingOrder
        return ids[::-1].copy() if turned else ids

    def _settle(self, content: Content, ids: IntArray) -> None:
        """Show what has its order now; the same list again keeps its place."""
        is_new_order = content is self._content
        is_same_list = content.key is not None and content.key == self._content.key
        place = self._place() if is_same_list and not is_new_order else None
        self._content = content
        self._is_restoring = True
        before = self.model.ids
        is_same_set = len(before) == len(ids) and np.array_equal(np.sort(before), np.sort(ids))
        if is_same_set and len(ids):
            # Rows move, so Qt itself carries the selection along.
            if not np.array_equal(before, ids):
                self.model.put_in_order(ids)
            self.model.show(ids, hits=content.hits, weak=content.is_weak)
        else:
            self.model.show(ids, hits=content.hits, weak=content.is_weak)
        if is_new_order:
            self._show_current()
        elif place is None:
            self.list.selectionModel().clear()
            self.view.scrollToTop()
        else:
            self._restore(place)
        self._is_restoring = False
        self._on_selection()
        self._tell_current()
        self._on_scrolled()

    def _place(self) -> _Place:
        view = self.view
        scrolled = view.verticalScrollBar().value()
        first, last = view.rows_in_sight()
        current = self.list.currentIndex()
        anchor: int | None = None
        if current.isValid() and first <= current.row() <= last:
            anchor = current.row()
        elif scrolled and last >= first:
            anchor = first
        return _Place(
            None if anchor is None else self.model.id_at(anchor),
            0 if anchor is None else anchor * view.row_px - scrolled,
            self.model.id_at(current.row()) if current.isValid() else None,
            tuple(self.selected_ids()),
        )

    def _restore(self, place: _Place) -> None:
        if place.selected_ids or place.current_id is not None:
            chosen = np.asarray(place.selected_ids, dtype=np.int64)
            rows = np.flatnonzero(np.isin(self.model.ids, chosen)).tolist()
            current = None if place.current_id is None else self.model.row_of(place.current_id)
            self.list.select_rows(rows, current=current)
        row = None if place.anchor_id is None else self.model.row_of(place.anchor_id)
        if row is not None:
            view = self.view
            view.executeDelayedItemsLayout()
            view.verticalScrollBar().setValue(row * view.row_px - place.offset_px)

    def _show_current(self) -> None:
        if self.list.currentIndex().isValid():
            self.view.scrollTo(self.list.currentIndex())
        else:
            self.view.scrollToTop()

    def _tell(self, signal: object, row: int) -> None:
        for result in self.results([row]):
            signal.emit(result)  # type: ignore[attr-defined]

    def _tell_current(self) -> None:
        current = self.current()
        if current != self._told:
            self._told = current
            self.current_changed.emit(current)

    def _on_current(self, now: QModelIndex, before: QModelIndex) -> None:
        if not self._is_restoring:
            self._tell_current()

    def _on_selection(self, now: QItemSelection | None = None, before: QItemSelection | None = None) -> None:
        if not self._is_restoring:
            self.selection_changed.emit()

    def _on_data(self, first: QModelIndex, last: QModelIndex) -> None:
        # A row that was current before anything was known of it has arrived.
        index = self.list.currentIndex()
        if self._told is None and index.isValid() and first.row() <= index.row() <= last.row():
            self._tell_current()

    def _on_scrolled(self) -> None:
        first, last = self.view.rows_in_sight()
        if last >= first:
            self.model.prefetch(first, last)
        self.in_sight_changed.emit()


def _grouped(library: Library, ids: IntArray) -> IntArray:
    """Files with those of one category together: categories in the order of their first file, none at the end.

    Very many files are grouped by the alphabet instead, which the database does by itself.
    """
    if len(ids) > _MOST_GROUPED:
        return _with_rest(library.list_files(order="category", among=ids), ids)
    rows = {file_id: row.category for file_id, row in library.rows(ids).items()}
    first_of: dict[str, int] = {}
    for place, file_id in enumerate(ids.tolist()):
        category = rows.get(file_id, "")
        first_of.setdefault(category, len(ids) if not category else place)
    keys = np.array([first_of[rows.get(file_id, "")] for file_id in ids.tolist()], dtype=np.int64)
    arranged: IntArray = ids[np.argsort(keys, kind="stable")]
    return arranged


def _with_rest(ordered: IntArray, ids: IntArray) -> IntArray:
    """Files in an order, followed by those that the order does not know, such as missing ones."""
    return np.concatenate([ordered, ids[~np.isin(ids, ordered)]])
