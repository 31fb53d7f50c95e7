"""A layout that sets widgets side by side and begins a new line where one is full."""

from __future__ import annotations

from PySide6.QtCore import QMargins, QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget


class FlowLayout(QLayout):
    """Lines of widgets, each as wide as it likes to be; one that asks to expand takes what is left of its line.

    Args:
        parent: The widget that is laid out.
        spacing: Pixels between widgets and between lines.
    """

    def __init__(self, parent: QWidget | None = None, *, spacing: int = 4) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(QMargins())
        self.setSpacing(spacing)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)
        self.invalidate()

    def insert(self, place: int, widget: QWidget) -> None:
        """Add a widget before the one at a place."""
        self.addWidget(widget)
        self._items.insert(place, self._items.pop())
        self.invalidate()

    def clear(self) -> None:
        """Take all widgets out and delete them."""
        for item in self._items:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._items.clear()
        self.invalidate()

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        if not 0 <= index < len(self._items):
            return None
        item = self._items.pop(index)
        self.invalidate()
        return item

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._lay_out(QRect(0, 0, width, 0), moves=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._lay_out(rect, moves=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._items:
            if not item.isEmpty():
                size = size.expandedTo(item.minimumSize())
        margins = self.contentsMargins()
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    def _lay_out(self, rect: QRect, *, moves: bool) -> int:
        """Place everything inside a rectangle's width; gives the height that is needed."""
        margins = self.contentsMargins()
        inner = rect.marginsRemoved(margins)
        lines: list[list[tuple[QLayoutItem, int]]] = [[]]
        used = 0
        for item in self._items:
            if item.isEmpty():
                continue
            width = min(self._least_width(item), max(1, inner.width()))
            if lines[-1] and used + self.spacing() + width > inner.width():
                lines.append([])
                used = 0
            used += width + (self.spacing() if lines[-1] else 0)
            lines[-1].append((item, width))
        needed = sum(max(item.sizeHint().height() for item, _ in line) for line in lines if line)
        needed += self.spacing() * (len(lines) - 1)
        # One line in a taller place stands in its middle.
        top = inner.top() + max(0, (inner.height() - needed) // 2 if moves else 0)
        for line in lines:
            if not line:
                continue
            height = max(item.sizeHint().height() for item, _ in line)
            if moves:
                self._place(line, QRect(inner.left(), top, inner.width(), height))
            top += height + self.spacing()
        return max(0, needed) + margins.top() + margins.bottom()

    def _place(self, line: list[tuple[QLayoutItem, int]], rect: QRect) -> None:
        spare = rect.width() - sum(width for _, width in line) - self.spacing() * (len(line) - 1)
        left = rect.left()
        for item, width in line:
            if _expands(item):
                width += max(0, spare)
            height = item.sizeHint().height()
            item.setGeometry(QRect(QPoint(left, rect.top() + (rect.height() - height) // 2), QSize(width, height)))
            left += width + self.spacing()

    def _least_width(self, item: QLayoutItem) -> int:
        return item.minimumSize().width() if _expands(item) else item.sizeHint().width()


def _expands(item: QLayoutItem) -> bool:
    return bool(item.expandingDirections() & Qt.Orientation.Horizontal)
