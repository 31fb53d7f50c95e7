"""What the results model tells beside Qt's own roles, and which columns it has."""

from __future__ import annotations

from enum import IntEnum

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, Qt


class Role(IntEnum):
    """Roles of the results model."""

    FILE_ID = Qt.ItemDataRole.UserRole + 1
    """Id of the row's file in the catalogue."""
    SHOWN = Qt.ItemDataRole.UserRole + 2
    """All that is painted of a row: a `app.models.row.ShownRow`, known in part while it is being fetched."""
    PEAKS = Qt.ItemDataRole.UserRole + 3
    """The overview peaks of the file, or None."""
    GROUP_HEAD = Qt.ItemDataRole.UserRole + 4
    """The category's name on the first row of a group of equal categories, otherwise an empty string."""


class Column(IntEnum):
    """Columns of the results model, in their first order. The names are what a sort order is called, too."""

    NAME = 0
    WAVEFORM = 1
    CAPTION = 2
    CATEGORY = 3
    DURATION = 4
    FORMAT = 5
    RELEVANCE = 6
    RATING = 7
    LOUDNESS = 8
    FOLDER = 9

    @property
    def title(self) -> str:
        """The heading."""
        return QCoreApplication.translate("Column", str(_TITLES[self]))

    @property
    def is_sortable(self) -> bool:
        """Whether rows can be brought into an order by it."""
        return self is not Column.WAVEFORM


_TITLES = {
    Column.NAME: QT_TRANSLATE_NOOP("Column", "Name"),
    Column.WAVEFORM: QT_TRANSLATE_NOOP("Column", "Waveform"),
    Column.CAPTION: QT_TRANSLATE_NOOP("Column", "Caption"),
    Column.CATEGORY: QT_TRANSLATE_NOOP("Column", "Category"),
    Column.DURATION: QT_TRANSLATE_NOOP("Column", "Length"),
    Column.FORMAT: QT_TRANSLATE_NOOP("Column", "Format"),
    Column.RELEVANCE: QT_TRANSLATE_NOOP("Column", "Match"),
    Column.RATING: QT_TRANSLATE_NOOP("Column", "Rating"),
    Column.LOUDNESS: QT_TRANSLATE_NOOP("Column", "Loudness"),
    Column.FOLDER: QT_TRANSLATE_NOOP("Column", "Folder"),
}
