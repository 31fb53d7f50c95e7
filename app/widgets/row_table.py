"""The view of a list of sounds: whole rows are chosen, and keys go through them as in a file manager."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QHeaderView, QTableView, QWidget

from app.delegates.caption import CaptionDelegate
from app.delegates.row import RowDelegate
from app.theme import tokens

_OPENING_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class RowTable(QTableView):
    """A table whose rows are all of one height.

    A `QTableView` keeps row positions as plain numbers and asks the model only for what is in sight; a tree or list
    view would ask for the index of each of 200,000 rows when it lays them out.

    Args:
        row_px: Height of a row.
        parent: Owner.

    Attributes:
        opened: (int) Enter or a double click on a row.
        menu_wanted: (QPoint) a context menu, at this point of the screen.
        drag_started: Rows are being dragged out.
        in_sight_changed: Other rows came into sight.
    """

    opened = Signal(int)
    menu_wanted = Signal(QPoint)
    drag_started = Signal()
    in_sight_changed = Signal()

    def __init__(self, row_px: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row_px = row_px
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setCornerButtonEnabled(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setDragEnabled(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.setMouseTracking(True)
        # Only what is opaque is moved when scrolling; anything else would be painted anew as a whole, every time.
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(row_px)
        rows.setDefaultSectionSize(row_px)
        columns = self.horizontalHeader()
        columns.setHighlightSections(False)
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self._next_frame = QTimer(self)
        self._next_frame.setSingleShot(True)
        self._next_frame.setInterval(0)
        self._next_frame.timeout.connect(self.viewport().update)
        self.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(self.viewport().mapToGlobal(at)))
        self.doubleClicked.connect(lambda index: self.opened.emit(index.row()))
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    def rows_in_sight(self) -> tuple[int, int]:
        """First and last row that are in sight, both included; (0, -1) without any."""
        return self._rows_between(0, self.viewport().height() - 1)

    def selected_rows(self) -> list[int]:
        """Selected rows from top to bottom; also 200,000 of them in no time."""
        rows: set[int] = set()
        selection = self.selectionModel().selection()
        for place in range(selection.count()):
            part = selection.at(place)
            rows.update(range(part.top(), part.bottom() + 1))
        return sorted(rows)

    def select_rows(self, rows: list[int], *, current: int | None) -> None:
        """Select exactly these rows, and make one the current one; nothing is scrolled."""
        flag = QItemSelectionModel.SelectionFlag
        chosen = QItemSelection()
        model, last_column = self.model(), self.model().columnCount() - 1
        start = None
        for row, following in zip(rows, [*rows[1:], -1], strict=False):
            start = row if start is None else start
            if following != row + 1:
                chosen.select(model.index(start, 0), model.index(row, last_column))
                start = None
        self.selectionModel().select(chosen, flag.ClearAndSelect)
        if current is not None:
            self.selectionModel().setCurrentIndex(model.index(current, self._first_column()), flag.NoUpdate)

    def go_to(self, row: int) -> None:
        """Make a row the only selected one and bring it into sight."""
        index = self.model().index(row, self._first_column())
        flag = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(index, flag.ClearAndSelect | flag.Rows)
        self.scrollTo(index)

    def setSelectionModel(self, selection: QItemSelectionModel) -> None:
        """Set the rows' selection, of which the header knows nothing.

        A header asks for every column whether all of its rows are selected: half a minute with 200,000 of them.
        """
        super().setSelectionModel(selection)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setSelectionModel(QItemSelectionModel(selection.model(), header))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, modifiers = event.key(), event.modifiers()
        count = self.model().rowCount()
        if key in _OPENING_KEYS:
            if self.currentIndex().isValid():
                self.opened.emit(self.currentIndex().row())
            return
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right) or (
            event.text() and event.text().isprintable() and not modifiers
        ):
            # Seeking and letters belong to the window; Qt would move a cell on or look for names by their letters.
            event.ignore()
            return
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End) and count:
            index = self.model().index(0 if key == Qt.Key.Key_Home else count - 1, self._first_column())
            self.selectionModel().setCurrentIndex(index, self.selectionCommand(index, event))
            self.scrollTo(index)
            return
        super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Nothing: letters are the window's shortcuts."""

    def startDrag(self, supported: Qt.DropAction) -> None:
        self.drag_started.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), tokens().colour("surface0"))
        painter.end()
        delegate = self.itemDelegate()
        first, last = self._rows_between(event.rect().top(), event.rect().bottom())
        if isinstance(delegate, (RowDelegate, CaptionDelegate)):
            delegate.begin_frame(self._selected_between(first, last))
        super().paintEvent(event)
        if isinstance(delegate, RowDelegate):
            width, top = self.horizontalHeader().length(), -self.verticalScrollBar().value()
            left = self.columnViewportPosition(self._first_column())
            painter = QPainter(self.viewport())
            rows = (QRect(left, top + row * self.row_px, width, self.row_px) for row in range(first, last + 1))
            delegate.end_frame(painter, rows)
            painter.end()
            if delegate.is_behind:
                self._next_frame.start()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._hover(self.rowAt(event.position().toPoint().y()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.in_sight_changed.emit()

    def scrollTo(
        self,
        index: QModelIndex | QPersistentModelIndex,
        hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible,
    ) -> None:
        """Scrolls up and down only: choosing a row must not shift the columns."""
        sideways = self.horizontalScrollBar().value()
        super().scrollTo(index, hint)
        self.horizontalScrollBar().setValue(sideways)

    def _rows_between(self, top_px: int, bottom_px: int) -> tuple[int, int]:
        """First and last row between two heights of the viewport."""
        count = self.model().rowCount() if self.model() is not None else 0
        if not count:
            return 0, -1
        scrolled = self.verticalScrollBar().value()
        return min((scrolled + top_px) // self.row_px, count - 1), min((scrolled + bottom_px) // self.row_px, count - 1)

    def _selected_between(self, first: int, last: int) -> frozenset[int]:
        """Those of some rows that are selected; also of 200,000 selected ones in no time."""
        selection = self.selectionModel().selection()
        parts = (selection.at(place) for place in range(selection.count()))
        spans = (range(max(first, part.top()), min(last, part.bottom()) + 1) for part in parts)
        return frozenset(row for span in spans for row in span)

    def _first_column(self) -> int:
        header = self.horizontalHeader()
        visible = [header.logicalIndex(place) for place in range(header.count())]
        return next((column for column in visible if not header.isSectionHidden(column)), 0)

    def _hover(self, row: int) -> None:
        delegate = self.itemDelegate()
        if not isinstance(delegate, (RowDelegate, CaptionDelegate)) or delegate.hovered_row == row:
            return
        before, delegate.hovered_row = delegate.hovered_row, row
        for changed in (before, row):
            if changed >= 0:
                self.viewport().update(0, self.rowViewportPosition(changed), self.viewport().width(), self.row_px)

    def _on_scrolled(self) -> None:
        delegate = self.itemDelegate()
        if isinstance(delegate, CaptionDelegate):
            before, delegate.top_row = delegate.top_row, self.rows_in_sight()[0]
            if before != delegate.top_row:
                # The category in the margin of the topmost row moves on with it.
                for row in (before, delegate.top_row):
                    self.viewport().update(0, self.rowViewportPosition(row), self.viewport().width(), self.row_px)
        self.in_sight_changed.emit()
