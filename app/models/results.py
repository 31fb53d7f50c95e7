"""The list of results: ids in an order, and for each what is known by now.

Whatever a view asks for is answered at once with what is there; the rest is fetched by `RowStore` and told of by
`dataChanged`. Nothing here costs more for 200,000 sounds than an array of their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)

from app.models.roles import Column, Role
from app.models.row import ResultRow, ShownRow, category_text, loudness_text, shown_row
from app.models.row_store import RowStore
from app.plain import plain_tooltip
from core.audio.peaks import Peaks
from core.search.result import Hit
from core.types import IntArray

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate

__all__ = ["ResultRow", "ResultsModel"]

Index = QModelIndex | QPersistentModelIndex
_NOTHING = np.empty(0, dtype=np.int64)
_PREFETCHED = 40
_MOST_ASKED = 8_000
# Put together once: views ask for them with every cell that they paint.
_ROW_FLAGS = (
    Qt.ItemFlag.ItemIsEnabled
    | Qt.ItemFlag.ItemIsSelectable
    | Qt.ItemFlag.ItemIsDragEnabled
    | Qt.ItemFlag.ItemNeverHasChildren
)


class ResultsModel(QAbstractTableModel):
    """Sounds in an order.

    Args:
        store: Fetches rows.
        parent: Owner.

    Attributes:
        sort_requested: (Column, Qt.SortOrder) a header was clicked; whoever knows the order calls `put_in_order`.
    """

    sort_requested = Signal(object, object)

    def __init__(self, store: RowStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._ids: IntArray = _NOTHING
        self._hits: Mapping[int, Hit] = {}
        self._weak = False
        self._shown: dict[int, ShownRow] = {}
        # Where files stood that were asked for; looking through all of 200,000 ids takes milliseconds.
        self._asked: dict[int, int] = {}
        self._playing: tuple[int, float] | None = None
        self._cell_texts: dict[Column, Callable[[ShownRow], str]] = _cell_texts()
        store.loaded.connect(self._on_loaded)

    @property
    def ids(self) -> IntArray:
        """Ids (n,) of the files, in the order shown."""
        return self._ids

    def show(self, ids: IntArray | Sequence[int], *, hits: Mapping[int, Hit] | None = None, weak: bool = False) -> None:
        """Replace everything.

        Args:
            ids: The files, in order, each once.
            hits: What a search said of them.
            weak: They do not match well and are shown all the same.
        """
        wanted = np.asarray(ids, dtype=np.int64)
        if np.array_equal(wanted, self._ids):
            self._hits, self._weak = hits or {}, weak
            self._shown.clear()
            if len(wanted):
                self.dataChanged.emit(self.index(0, 0), self.index(len(wanted) - 1, len(Column) - 1))
            return
        self.beginResetModel()
        self._asked.clear()
        self._ids, self._hits, self._weak = wanted, hits or {}, weak
        self._shown.clear()
        self.endResetModel()

    def put_in_order(self, ids: IntArray) -> None:
        """Show the same files in another order; selections and the current row follow their files.

        Raises:
            ValueError: They are not the same files.
        """
        if len(ids) != len(self._ids):
            raise ValueError("an order of other files")
        old_by_id, new_by_id = np.argsort(self._ids, kind="stable"), np.argsort(ids, kind="stable")
        if not np.array_equal(self._ids[old_by_id], ids[new_by_id]):
            raise ValueError("an order of other files")
        new_row = np.empty(len(ids), dtype=np.int64)
        new_row[old_by_id] = new_by_id
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        self._ids = np.asarray(ids, dtype=np.int64)
        self._asked.clear()
        after = [self.index(int(new_row[index.row()]), index.column()) for index in before]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def row_of(self, file_id: int) -> int | None:
        """Where a file stands, or None."""
        found = np.flatnonzero(self._ids == file_id)
        return int(found[0]) if len(found) else None

    def id_at(self, row: int) -> int:
        """The file of a row."""
        return int(self._ids[row])

    def hit_at(self, row: int) -> Hit | None:
        """What the search said of a row, if it was searched for."""
        return self._hits.get(self.id_at(row))

    def shown_at(self, row: int) -> ShownRow:
        """What a row shows at present; what lacks is fetched."""
        file_id = int(self._ids[row])
        shown = self._shown.get(file_id)
        if shown is not None and shown.is_known:
            return shown
        stored = self._store.get(file_id)
        if stored is None:
            self._asked[file_id] = row
        shown = shown_row(file_id, self._hits.get(file_id), None if stored is None else stored.row, is_weak=self._weak)
        if len(self._shown) > 2 * _PREFETCHED + 2_000:
            self._shown.clear()
        self._shown[file_id] = shown
        return shown

    def peaks_at(self, row: int) -> Peaks | None:
        """The outline of a row's sound, if it is here."""
        stored = self._store.peek(int(self._ids[row]))
        return None if stored is None else stored.peaks

    def results(self, rows: Sequence[int]) -> list[ResultRow]:
        """What other panels are told of some rows; files that are gone from the catalogue are left out."""
        ids = [self.id_at(row) for row in rows]
        unknown = [file_id for file_id in ids if file_id not in self._hits]
        known = self._store.now(unknown) if unknown else {}
        shown = (shown_row(file_id, self._hits.get(file_id), known.get(file_id)) for file_id in ids)
        return [result for one in shown if (result := one.as_result()) is not None]

    def prefetch(self, first: int, last: int) -> None:
        """Fetch rows around those that are in sight, `first` to `last`; those in sight are asked for by painting."""
        start, stop = max(0, first - _PREFETCHED), min(len(self._ids), last + 1 + _PREFETCHED)
        if len(self._asked) > _MOST_ASKED:
            self._asked.clear()
        ids = self._ids[start:stop].tolist()
        self._asked.update(zip(ids, range(start, stop), strict=True))
        # Later wishes are met first, so those in sight come last.
        self._store.want([*ids[: first - start], *ids[last + 1 - start :], *ids[first - start : last + 1 - start]])

    def set_playing(self, file_id: int | None, position_s: float = 0.0) -> None:
        """Say which file is played, and where it is by now."""
        before = self._playing
        self._playing = None if file_id is None else (file_id, position_s)
        for changed in {one[0] for one in (before, self._playing) if one is not None}:
            row = self.row_of(changed)
            if row is not None:
                self.dataChanged.emit(self.index(row, Column.NAME), self.index(row, Column.WAVEFORM), [Role.SHOWN])

    @property
    def playing(self) -> tuple[int, float] | None:
        """The file that is played and its position in seconds, or None."""
        return self._playing

    def renew(self, file_ids: Sequence[int]) -> None:
        """Something about these files has changed in the catalogue."""
        self._remember_rows(file_ids)
        self._store.renew(file_ids)

    def renew_all(self) -> None:
        """Anything may have changed in the catalogue."""
        self._remember_rows(self._store.renew_all())

    # What Qt asks.

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._ids)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(Column)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return _ROW_FLAGS if index.isValid() else Qt.ItemFlag.NoItemFlags

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(Column):
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return Column(section).title
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._ids):
            return None
        row = index.row()
        if role == Role.SHOWN:
            return self.shown_at(row)
        if role == Qt.ItemDataRole.DisplayRole:
            text = self._cell_texts.get(Column(index.column()))
            return None if text is None else text(self.shown_at(row))
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(_tip(self.shown_at(row)))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return _spoken(self.shown_at(row))
        if role == Role.FILE_ID:
            return self.id_at(row)
        if role == Role.PEAKS:
            return self.peaks_at(row)
        if role == Role.GROUP_HEAD:
            return self.group_head(row)
        return None

    def group_head(self, row: int) -> str:
        """The category's name where a row begins a group, otherwise an empty string."""
        own = self.shown_at(row).category
        if row and self.shown_at(row - 1).category == own:
            return ""
        return self.group_name(row)

    def group_name(self, row: int) -> str:
        """The name of the group that a row belongs to."""
        shown = self.shown_at(row)
        if not shown.category:
            return translate("ResultsModel", "No category") if shown.is_known else ""
        return category_text(shown.category)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if 0 <= column < len(Column) and Column(column).is_sortable:
            self.sort_requested.emit(Column(column), order)

    def _remember_rows(self, file_ids: Sequence[int]) -> None:
        rows = np.flatnonzero(np.isin(self._ids, np.asarray(file_ids, dtype=np.int64)))
        self._asked.update(zip(self._ids[rows].tolist(), rows.tolist(), strict=True))

    def _on_loaded(self, file_ids: list[int]) -> None:
        """Tell the views of rows that have come: in sight they lie together, so that few ranges are told."""
        for file_id in file_ids:
            self._shown.pop(file_id, None)
        rows = np.array(sorted(self._asked[file_id] for file_id in file_ids if file_id in self._asked), dtype=np.int64)
        if not len(rows):
            return
        for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1):
            self.dataChanged.emit(self.index(int(run[0]), 0), self.index(int(run[-1]), len(Column) - 1))


def _cell_texts() -> dict[Column, Callable[[ShownRow], str]]:
    return {
        Column.NAME: lambda shown: shown.name,
        Column.CAPTION: lambda shown: shown.caption or ", ".join(shown.tags),
        Column.CATEGORY: lambda shown: shown.category,
        Column.DURATION: lambda shown: shown.duration_text,
        Column.FORMAT: lambda shown: f"{shown.container.upper()} {shown.format_text}".strip(),
        Column.RELEVANCE: lambda shown: "" if shown.relevance is None else f"{shown.relevance:.0%}",
        Column.RATING: lambda shown: "★" * shown.rating,
        Column.LOUDNESS: lambda shown: loudness_text(shown.loudness_lufs),
        Column.FOLDER: lambda shown: shown.folder,
    }


def _tip(shown: ShownRow) -> str:
    """Everything that may be cut short in the row, whole."""
    lines = [shown.name, shown.caption, ", ".join(shown.tags), shown.folder]
    if shown.skip_reason:
        lines.append(translate("ResultsModel", "Skipped: {reason}").format(reason=shown.skip_reason))
    if shown.is_offline:
        lines.append(translate("ResultsModel", "Its folder cannot be reached at present."))
    return "\n".join(line for line in lines if line)


def _spoken(shown: ShownRow) -> str:
    """The row in words, for those who do not see the bars."""
    parts = [shown.name, shown.caption, shown.duration_text]
    if shown.relevance is not None:
        parts.append(translate("ResultsModel", "match {steps} of 5").format(steps=shown.steps))
    if shown.is_weak:
        parts.append(translate("ResultsModel", "closest, but weak"))
    if shown.is_favourite:
        parts.append(translate("ResultsModel", "favourite"))
    return ", ".join(part for part in parts if part)
