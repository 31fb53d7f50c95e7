"""Rows of the results, as the list shows them: two lines of 52 pixels, painted, with no widget in them."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QPointF, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from app.delegates.ink import Ink
from app.delegates.waveform import Outline, WaveformCache
from app.models.results import ResultsModel
from app.models.roles import Column
from app.models.row import ShownRow, loudness_text
from app.theme import ROW_PX, icon_pixmap

Index = QModelIndex | QPersistentModelIndex
PAD_PX = 8
ICON_PX = 16
NAME_LEFT_PX = PAD_PX + ICON_PX + PAD_PX
_FIRST_LINE_PX, _SECOND_LINE_PX, _LINE_PX = 7, 27, 18
_WAVE_INSET_PX = 7
_STAR_PX = 14
# Looked up for every cell of every frame, where calling the class takes as long as painting a line.
_COLUMNS = tuple(Column)


class RowDelegate(QStyledItemDelegate):
    """Paints the cells of `ResultsModel`.

    A cell has a second line where the column that would show it is hidden: the caption under the name, the format
    under the length, the category under the match.

    Args:
        model: Whose rows are painted.
        ink: Fonts and colours.
        parent: The view.
    """

    def __init__(self, model: ResultsModel, ink: Ink, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._ink = ink
        self._waveforms = WaveformCache()
        self.hovered_row = -1
        self.selected_rows: frozenset[int] = frozenset()
        self.hidden: frozenset[Column] = frozenset()
        self._painters = {
            Column.NAME: self._paint_name,
            Column.WAVEFORM: self._paint_waveform,
            Column.CAPTION: self._paint_caption,
            Column.DURATION: self._paint_duration,
            Column.RELEVANCE: self._paint_relevance,
            Column.RATING: self._paint_rating,
        }

    def begin_frame(self, selected_rows: frozenset[int]) -> None:
        """Before the view paints; `selected_rows` are those of them that it will paint."""
        self.selected_rows = selected_rows
        self._waveforms.begin_frame()

    def end_frame(self, painter: QPainter, rows: Iterable[QRect]) -> None:
        """After the view has painted: a line below every row, all of its cells at once."""
        border = self._ink.colours.border
        for rect in rows:
            painter.fillRect(rect.left(), rect.bottom(), rect.width(), 1, border)

    @property
    def is_behind(self) -> bool:
        """Whether something was left out of the frame, so that another is needed."""
        return self._waveforms.is_behind

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(120, ROW_PX)

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        """Nothing of Qt's own is painted, so nothing is prepared for it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row, column = index.row(), _COLUMNS[index.column()]
        shown = self._model.shown_at(row)
        rect = option.rect
        colours = self._ink.colours
        is_selected = row in self.selected_rows
        if is_selected:
            painter.fillRect(rect, colours.selection)
        elif row == self.hovered_row:
            painter.fillRect(rect, colours.of.surface1)
        if column is Column.NAME and is_selected:
            painter.fillRect(rect.left(), rect.top(), 3, rect.height() - 1, colours.accent)
        paint = self._painters.get(column)
        if paint is None:
            text = _plain_text(column, shown)
            inner = rect.adjusted(PAD_PX, 0, -PAD_PX, -1)
            middle = column is Column.FOLDER
            self._ink.write(painter, text, inner, self._ink.secondary, colours.text_dim, in_the_middle=middle)
            return
        paint(painter, rect, shown, row)

    def _lines(self, rect: QRect, left: int = PAD_PX) -> tuple[QRect, QRect]:
        width = rect.width() - left - PAD_PX
        return (
            QRect(rect.left() + left, rect.top() + _FIRST_LINE_PX, width, _LINE_PX),
            QRect(rect.left() + left, rect.top() + _SECOND_LINE_PX, width, _LINE_PX),
        )

    def _paint_name(self, painter: QPainter, rect: QRect, shown: ShownRow, row: int) -> None:
        ink, colours = self._ink, self._ink.colours
        has_second = Column.CAPTION in self.hidden
        first, second = self._lines(rect, NAME_LEFT_PX)
        if not has_second:
            first = QRect(first.left(), rect.top(), first.width(), rect.height() - 1)
        playing = self._model.playing
        is_playing = playing is not None and playing[0] == shown.file_id
        if is_playing or row == self.hovered_row:
            top = first.top() + (first.height() - ICON_PX) // 2
            self._icon(painter, "play", rect.left() + PAD_PX, top, "accent" if is_playing else "text_dim")
        right = first.right() + 1
        for name in _marks(shown):
            right -= ICON_PX
            self._icon(painter, name, right, first.top() + (first.height() - ICON_PX) // 2, "text_dim")
            right -= PAD_PX // 2
        first = QRect(first.left(), first.top(), right - first.left(), first.height())
        dim = shown.is_weak or shown.is_offline or bool(shown.skip_reason)
        ink.write(painter, shown.name, first, ink.body, colours.text_dim if dim else colours.text, in_the_middle=True)
        if has_second:
            ink.write(painter, _second_line(shown), second, ink.secondary, colours.text_dim)

    def _paint_caption(self, painter: QPainter, rect: QRect, shown: ShownRow, row: int) -> None:
        ink = self._ink
        text = shown.caption or ", ".join(shown.tags)
        lines = ink.lines(text, rect.width() - 2 * PAD_PX, ink.secondary)
        places = self._lines(rect)
        if len(lines) == 1:
            places = (rect.adjusted(PAD_PX, 0, -PAD_PX, -1), places[1])
        for line, place in zip(lines, places, strict=False):
            ink.write(painter, line, place, ink.secondary, ink.colours.text)

    def _paint_waveform(self, painter: QPainter, rect: QRect, shown: ShownRow, row: int) -> None:
        colours = self._ink.colours
        inner = rect.adjusted(PAD_PX // 2, _WAVE_INSET_PX, -PAD_PX // 2, -_WAVE_INSET_PX - 1)
        if inner.width() <= 0:
            return
        peaks = self._model.peaks_at(row)
        if peaks is None:
            middle = inner.top() + inner.height() // 2
            painter.fillRect(inner.left(), middle, inner.width(), 1, colours.border)
            return
        ratio = painter.device().devicePixelRatioF() if painter.device() is not None else 1.0
        lit = () if shown.moment is None else shown.moments or (shown.moment,)
        outline = Outline(
            shown.file_id, round(inner.width() * ratio), round(inner.height() * ratio), lit, is_dim=shown.is_weak
        )
        pixmap = self._waveforms.pixmap(outline, peaks, ratio=ratio)
        if pixmap is not None:
            painter.drawPixmap(inner.topLeft(), pixmap)
        playing = self._model.playing
        if playing is not None and playing[0] == shown.file_id and peaks.duration_s > 0:
            share = min(1.0, max(0.0, playing[1] / peaks.duration_s))
            painter.fillRect(inner.left(), rect.bottom() - 3, round(inner.width() * share), 2, colours.accent)
            painter.fillRect(
                inner.left() + round((inner.width() - 1) * share), inner.top(), 1, inner.height(), colours.accent
            )

    def _paint_duration(self, painter: QPainter, rect: QRect, shown: ShownRow, row: int) -> None:
        ink, colours = self._ink, self._ink.colours
        first, second = self._lines(rect)
        if Column.FORMAT not in self.hidden:
            first = rect.adjusted(PAD_PX, 0, -PAD_PX, -1)
        ink.write(painter, shown.duration_text, first, ink.body, colours.text)
        if Column.FORMAT in self.hidden:
            text = shown.format_text or shown.container.upper()
            ink.write(painter, text, second, ink.secondary, colours.text_dim)

    def _paint_relevance(self, painter: QPainter, rect: QRect, shown: ShownRow, row: int) -> None:
        ink, colours = self._ink, self._ink.colours
        first, second = self._lines(rect)
        has_second = Column.CATEGORY in self.hidden
        if shown.relevance is not None:
            top = first.center().y() - 3 if has_second else rect.center().y() - 4
            ink.relevance(painter, QPointF(first.left(), top), shown.steps, is_weak=shown.is_weak)
        if has_second:
            place = second if shown.relevance is not None else rect.adjusted(PAD_PX, 0, -PAD_PX, -1)
            ink.write(painter, shown.category, place, ink.secondary, colours.text_dim)

    def _paint_rating(self, painter: QPainter, rect: QRect, shown: ShownRow, row: int) -> None:
        if not shown.rating and row != self.hovered_row:
            return
        top = rect.top() + (rect.height() - _STAR_PX) // 2
        for star in range(5):
            name, colour = ("star-filled", "text") if star < shown.rating else ("star", "text_faint")
            self._icon(painter, name, rect.left() + PAD_PX + star * _STAR_PX, top, colour, _STAR_PX)

    @staticmethod
    def rating_at(x_in_cell: int) -> int:
        """Which rating a click in the rating column means, 1 to 5."""
        return min(5, max(1, (x_in_cell - PAD_PX) // _STAR_PX + 1))

    def _icon(self, painter: QPainter, name: str, left: int, top: int, colour: str, size: int = ICON_PX) -> None:
        ratio = painter.device().devicePixelRatioF() if painter.device() is not None else 1.0
        painter.drawPixmap(left, top, icon_pixmap(name, size, colour=colour, ratio=ratio))


def _marks(shown: ShownRow) -> tuple[str, ...]:
    """Icons at the right end of the name, from right to left."""
    marks = []
    if shown.is_favourite:
        marks.append("star-filled")
    if shown.is_offline:
        marks.append("folder-offline")
    return tuple(marks)


def _second_line(shown: ShownRow) -> str:
    """Below the name: the caption, else tags, else where the file lies."""
    return shown.skip_reason or shown.caption or ", ".join(shown.tags) or shown.folder


def _plain_text(column: Column, shown: ShownRow) -> str:
    if column is Column.CATEGORY:
        return shown.category
    if column is Column.FORMAT:
        return f"{shown.container.upper()} {shown.format_text}".strip()
    if column is Column.LOUDNESS:
        return loudness_text(shown.loudness_lufs)
    return shown.folder
