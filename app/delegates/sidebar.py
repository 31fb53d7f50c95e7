"""Paints the lines of the sidebar: a title, a count at the right, and a small second line where something goes on."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QIcon, QPainter
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.models.folders import NodeKind, SidebarRole
from app.phrase import counted
from app.theme import GRID, ICON_PX, body_font, secondary_font, tokens

Index = QModelIndex | QPersistentModelIndex
LINE_PX, NOTED_PX, SECTION_PX = 28, 44, 32


class SidebarDelegate(QStyledItemDelegate):
    """One painter for all kinds of lines."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        node = index.data(SidebarRole.NODE)
        if node.kind is NodeKind.SECTION:
            return QSize(80, SECTION_PX)
        return QSize(80, NOTED_PX if node.note else LINE_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        node = index.data(SidebarRole.NODE)
        self.initStyleOption(option, index)
        option.text, option.icon = "", QIcon()
        style = option.widget.style() if option.widget is not None else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        painter.save()
        rect = option.rect.adjusted(GRID, 0, -2 * GRID, 0)
        if node.kind in (NodeKind.SECTION, NodeKind.HINT):
            self._paint_small(painter, rect, node.title, is_heading=node.kind is NodeKind.SECTION)
        else:
            self._paint_line(painter, rect, index)
        painter.restore()

    def _paint_small(self, painter: QPainter, rect: QRect, text: str, *, is_heading: bool) -> None:
        font = secondary_font()
        font.setBold(is_heading)
        painter.setFont(font)
        painter.setPen(tokens().colour("text_dim"))
        shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)

    def _paint_line(self, painter: QPainter, rect: QRect, index: Index) -> None:
        node = index.data(SidebarRole.NODE)
        colours = tokens()
        line = QRect(rect.left(), rect.top(), rect.width(), LINE_PX)
        decoration = index.data(Qt.ItemDataRole.DecorationRole)
        if decoration is not None:
            top = line.top() + (LINE_PX - ICON_PX) // 2
            decoration.paint(painter, QRect(line.left(), top, ICON_PX, ICON_PX))
            line.setLeft(line.left() + ICON_PX + 2 * GRID)
        small, body = secondary_font(), body_font()
        if node.count is not None:
            text = counted(node.count)
            painter.setFont(small)
            painter.setPen(colours.colour("text_dim"))
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, text)
            line.setRight(line.right() - QFontMetrics(small).horizontalAdvance(text) - 2 * GRID)
        painter.setFont(body)
        painter.setPen(colours.colour("text"))
        title = QFontMetrics(body).elidedText(node.title, Qt.TextElideMode.ElideMiddle, line.width())
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, title)
        if node.note:
            below = QRect(line.left(), rect.top() + LINE_PX - GRID, rect.right() - line.left(), NOTED_PX - LINE_PX)
            painter.setFont(small)
            painter.setPen(colours.colour("red" if node.failed else "text_dim"))
            note = QFontMetrics(small).elidedText(node.note, Qt.TextElideMode.ElideRight, below.width())
            painter.drawText(below, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, note)
        if node.share is not None:
            bar = QRect(line.left(), rect.bottom() - 2, rect.right() - line.left(), 2)
            painter.fillRect(bar, colours.colour("surface2"))
            painter.fillRect(QRect(bar.topLeft(), QSize(round(bar.width() * node.share), 2)), colours.colour("accent"))
