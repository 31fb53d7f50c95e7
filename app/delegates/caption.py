"""Rows of the reading view: the caption large, the name small, the category in the margin where it changes."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QModelIndex, QObject, QPersistentModelIndex, QPointF, QRect, QSize
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from app.delegates.ink import RELEVANCE_WIDTH_PX, Ink
from app.models.results import ResultsModel
from app.theme import icon_pixmap

# Spelled out at every text, so that lupdate finds it.
translate = QCoreApplication.translate

Index = QModelIndex | QPersistentModelIndex
CAPTION_ROW_PX = 84
_MARGIN_PX = 168
_NARROW_MARGIN_PX = 112
_NARROW_PX = 640
_PAD_PX = 12
_LINE_PX = 22
_NAME_LINE_PX = 16
_ICON_PX = 16
_LONGEST_LINE_PX = 720


class CaptionDelegate(QStyledItemDelegate):
    """Paints the cells of `ResultsModel` for reading. All rows are equally high.

    Args:
        model: Whose rows are painted.
        ink: Fonts and colours.
        parent: The view.
    """

    def __init__(self, model: ResultsModel, ink: Ink, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._ink = ink
        self.hovered_row = -1
        self.selected_rows: frozenset[int] = frozenset()
        self.top_row = 0

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(320, CAPTION_ROW_PX)

    def begin_frame(self, selected_rows: frozenset[int]) -> None:
        """Before the view paints; `selected_rows` are those of them that it will paint."""
        self.selected_rows = selected_rows

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        """Nothing of Qt's own is painted, so nothing is prepared for it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row, rect, ink = index.row(), option.rect, self._ink
        shown, colours = self._model.shown_at(row), self._ink.colours
        margin = _NARROW_MARGIN_PX if rect.width() < _NARROW_PX else _MARGIN_PX
        body = QRect(rect.left() + margin, rect.top(), rect.width() - margin, rect.height())
        if row in self.selected_rows:
            # Qt has painted the whole row as selected, the margin included.
            painter.fillRect(rect, colours.surface0)
            painter.fillRect(body, colours.selection)
            painter.fillRect(body.left(), body.top(), 3, body.height(), colours.accent)
        elif row == self.hovered_row:
            painter.fillRect(body, colours.of.surface1)
        self._paint_margin(painter, QRect(rect.left(), rect.top(), margin, rect.height()), row)
        text = QRect(
            body.left() + _PAD_PX, body.top(), min(_LONGEST_LINE_PX, body.width() - 2 * _PAD_PX), body.height()
        )
        sentence = shown.caption or ", ".join(shown.tags)
        colour = colours.text
        if not sentence:
            sentence = translate("CaptionDelegate", "No caption yet") if shown.is_known else ""
            colour = colours.text_dim
        lines = ink.lines(sentence, text.width(), ink.large)
        height = max(1, len(lines)) * _LINE_PX + 4 + _NAME_LINE_PX
        top = text.top() + (text.height() - height) // 2
        for number, line in enumerate(lines):
            place = QRect(text.left(), top + number * _LINE_PX, text.width(), _LINE_PX)
            ink.write(painter, line, place, ink.large, colour)
        place = QRect(text.left(), top + height - _NAME_LINE_PX, text.width(), _NAME_LINE_PX)
        self._paint_name_line(painter, place, row)

    def _paint_margin(self, painter: QPainter, rect: QRect, row: int) -> None:
        """The category: where it begins, and again at the top of what is in sight."""
        ink, colours = self._ink, self._ink.colours
        head = self._model.group_head(row)
        if head:
            painter.fillRect(rect.left() + _PAD_PX, rect.top(), rect.width() - _PAD_PX, 1, colours.border)
        elif row == self.top_row:
            head = self._model.group_name(row)
        if not head:
            return
        lines = ink.lines(head, rect.width() - 2 * _PAD_PX, ink.heading, most=3)
        for number, line in enumerate(lines):
            top = rect.top() + _PAD_PX + number * _NAME_LINE_PX
            place = QRect(rect.left() + _PAD_PX, top, rect.width() - 2 * _PAD_PX, _NAME_LINE_PX)
            ink.write(painter, line, place, ink.heading, colours.text_dim)

    def _paint_name_line(self, painter: QPainter, rect: QRect, row: int) -> None:
        ink, colours = self._ink, self._ink.colours
        shown, playing = self._model.shown_at(row), self._model.playing
        left, right = rect.left(), rect.right() + 1
        if playing is not None and playing[0] == shown.file_id:
            ratio = painter.device().devicePixelRatioF()
            painter.drawPixmap(left, rect.top(), icon_pixmap("play", _ICON_PX, colour="accent", ratio=ratio))
            left += _ICON_PX + 4
        if shown.relevance is not None:
            corner = QPointF(right - RELEVANCE_WIDTH_PX, rect.center().y() - 3)
            ink.relevance(painter, corner, shown.steps, is_weak=shown.is_weak)
            right -= RELEVANCE_WIDTH_PX + _PAD_PX
        facts = " · ".join(text for text in (shown.duration_text, shown.format_text) if text)
        name_width = min(right - left, ink.metrics(ink.secondary).horizontalAdvance(shown.name) + 1)
        facts_width = ink.metrics(ink.secondary).horizontalAdvance(facts) + _PAD_PX if facts else 0
        name_width = min(name_width, max(40, right - left - facts_width))
        place = QRect(left, rect.top(), name_width, rect.height())
        ink.write(painter, shown.name, place, ink.secondary, colours.text_dim, in_the_middle=True)
        place = QRect(left + name_width + _PAD_PX, rect.top(), right - left - name_width - _PAD_PX, rect.height())
        ink.write(painter, facts, place, ink.secondary, colours.text_dim)
