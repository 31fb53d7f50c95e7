"""The list view: columns that can be moved, sized, hidden and sorted by."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from PySide6.QtCore import QByteArray, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QHeaderView, QMenu, QWidget

from app.delegates.ink import Ink
from app.delegates.row import NAME_LEFT_PX, RowDelegate
from app.models.results import ResultsModel
from app.models.roles import Column
from app.theme import ROW_PX
from app.widgets.row_table import RowTable

_WIDTHS = {
    Column.NAME: 280,
    Column.WAVEFORM: 240,
    Column.CAPTION: 280,
    Column.CATEGORY: 104,
    Column.DURATION: 88,
    Column.FORMAT: 104,
    Column.RELEVANCE: 88,
    Column.RATING: 92,
    Column.LOUDNESS: 92,
    Column.FOLDER: 220,
}
_SHOWN = frozenset({Column.NAME, Column.WAVEFORM, Column.DURATION, Column.RELEVANCE})
_LEAST_NAME_PX = 220
_LEAST_WAVEFORM_PX = 120
# Columns whose values are first wanted from the top down.
_DESCENDING = frozenset({Column.RELEVANCE, Column.RATING, Column.LOUDNESS})


class RowList(RowTable):
    """Rows of 52 pixels.

    Args:
        model: The results.
        ink: Fonts and colours.
        parent: Owner.

    Attributes:
        play_wanted: (int) the mark before a row's name was pressed.
        rating_wanted: (int, int) a row, and the star that was pressed.
        order_wanted: (Column | None, Qt.SortOrder) a header was pressed; None: the first order again.
        layout_changed: Columns were moved, sized, shown or hidden.
    """

    play_wanted = Signal(int)
    rating_wanted = Signal(int, int)
    order_wanted = Signal(object, object)
    layout_changed = Signal()

    def __init__(self, model: ResultsModel, ink: Ink, parent: QWidget | None = None) -> None:
        super().__init__(ROW_PX, parent)
        self.setAccessibleName(self.tr("Results"))
        self.setObjectName("resultsView")
        self.setModel(model)
        self._delegate = RowDelegate(model, ink, self)
        self.setItemDelegate(self._delegate)
        self._order: tuple[Column | None, Qt.SortOrder] = (None, Qt.SortOrder.DescendingOrder)
        self._is_fitting = False
        header = self.horizontalHeader()
        header.setFixedHeight(24)
        header.setMinimumSectionSize(56)
        header.setSectionsMovable(True)
        header.setFirstSectionMovable(False)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        for column in Column:
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
        self.show_columns(_SHOWN)
        for column, width in _WIDTHS.items():
            header.resizeSection(column, width)
        header.sectionClicked.connect(self._on_header_clicked)
        header.customContextMenuRequested.connect(lambda at: self.column_menu().exec(header.mapToGlobal(at)))
        header.sectionResized.connect(self._on_resized)
        header.sectionMoved.connect(lambda *_: self.layout_changed.emit())

    def shown_columns(self) -> frozenset[Column]:
        """Columns that are not hidden."""
        return frozenset(column for column in Column if not self.isColumnHidden(column))

    def show_columns(self, columns: Iterable[Column]) -> None:
        """Show exactly these, and the name always."""
        shown = frozenset(columns) | {Column.NAME}
        for column in Column:
            self.setColumnHidden(column, column not in shown)
        self._delegate.hidden = frozenset(Column) - shown
        self._fit_name()
        self.viewport().update()
        self.layout_changed.emit()

    def save_columns(self) -> str:
        """The header's state as text for the settings."""
        return base64.b64encode(self.horizontalHeader().saveState().data()).decode()

    def restore_columns(self, state: str) -> None:
        """Arrange the header as it was; what cannot be read changes nothing."""
        try:
            raw = base64.b64decode(state, validate=True)
        except (binascii.Error, ValueError):
            return
        header = self.horizontalHeader()
        if raw and header.restoreState(QByteArray(raw)):
            header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
            self.show_columns(self.shown_columns())

    def show_order(self, column: Column | None, order: Qt.SortOrder) -> None:
        """Mark the column that rows are sorted by."""
        self._order = (column, order)
        self.horizontalHeader().setSortIndicator(-1 if column is None else column, order)

    def column_menu(self) -> QMenu:
        """A menu of the columns, and of orders also by columns that are hidden."""
        menu = QMenu(self)
        shown = self.shown_columns()
        for column in Column:
            action = menu.addAction(column.title)
            action.setCheckable(True)
            action.setChecked(column in shown)
            action.setEnabled(column is not Column.NAME)
            action.toggled.connect(lambda on, column=column: self._toggle(column, on))
        menu.addSeparator()
        by = menu.addMenu(self.tr("Sort by"))
        for column in Column:
            if column.is_sortable:
                by.addAction(column.title).triggered.connect(lambda _, column=column: self._on_header_clicked(column))
        menu.aboutToHide.connect(menu.deleteLater)
        return menu

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and index.isValid() and not event.modifiers():
            x = event.position().toPoint().x() - self.columnViewportPosition(index.column())
            if index.column() == Column.NAME and x < NAME_LEFT_PX:
                self.go_to(index.row())
                self.play_wanted.emit(index.row())
                return
            if index.column() == Column.RATING and x >= 0:
                self.rating_wanted.emit(index.row(), RowDelegate.rating_at(x))
                return
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index: QModelIndex | QPersistentModelIndex = self.indexAt(event.position().toPoint())
        x = event.position().toPoint().x() - self.columnViewportPosition(max(0, index.column()))
        if index.isValid() and index.column() in (Column.NAME, Column.RATING) and x < NAME_LEFT_PX:
            return  # two presses of the mark before the name are not an opening
        super().mouseDoubleClickEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_name()

    def _toggle(self, column: Column, on: bool) -> None:
        shown = self.shown_columns()
        self.show_columns(shown | {column} if on else shown - {column})

    def _on_header_clicked(self, section: int) -> None:
        column = Column(section)
        if not column.is_sortable:
            self.show_order(*self._order)
            return
        first = Qt.SortOrder.DescendingOrder if column in _DESCENDING else Qt.SortOrder.AscendingOrder
        last = Qt.SortOrder.AscendingOrder if column in _DESCENDING else Qt.SortOrder.DescendingOrder
        before, order = self._order
        if before is not column:
            self.order_wanted.emit(column, first)
        elif order == first:
            self.order_wanted.emit(column, last)
        else:
            self.order_wanted.emit(None, first)

    def _on_resized(self, section: int, old: int, new: int) -> None:
        if not self._is_fitting:
            self._fit_name(but=section)
            self.layout_changed.emit()

    def _fit_name(self, *, but: int | None = None) -> None:
        """Let the name take what the others leave; where that is too little the waveform gives way first."""
        if self._is_fitting or but == Column.NAME:
            return
        self._is_fitting = True
        header = self.horizontalHeader()
        others = sum(
            header.sectionSize(column)
            for column in Column
            if column not in (Column.NAME, Column.WAVEFORM) and not header.isSectionHidden(column)
        )
        room = self.viewport().width() - others
        if not header.isSectionHidden(Column.WAVEFORM):
            wanted = header.sectionSize(Column.WAVEFORM) if but == Column.WAVEFORM else _WIDTHS[Column.WAVEFORM]
            share = min(wanted if but == Column.WAVEFORM else max(wanted, room // 3), room - _LEAST_NAME_PX)
            header.resizeSection(Column.WAVEFORM, max(_LEAST_WAVEFORM_PX, share))
            room -= header.sectionSize(Column.WAVEFORM)
        header.resizeSection(Column.NAME, max(_LEAST_NAME_PX, room))
        self._is_fitting = False
