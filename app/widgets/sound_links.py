"""A few other sounds by name, each a button that goes to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.models.row import plain
from app.plain import PlainLabel, plain_tooltip
from app.theme import GRID
from app.widgets.relevance import RelevanceBar


@dataclass(frozen=True, slots=True)
class SoundLink:
    """Another sound.

    Attributes:
        path: Where it lies.
        file_id: Its row in the catalogue.
        note: A few words beside its name.
        relevance: How alike it is, as a bar instead of a note.
    """

    path: Path
    file_id: int = 0
    note: str = ""
    relevance: float | None = None


class SoundLinks(QWidget):
    """Attributes: opened (Path, int): the sound and its id."""

    opened = Signal(object, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)

    def buttons(self) -> list[ElidedButton]:
        """One for each sound."""
        return [button for button in self.findChildren(ElidedButton) if not button.isHidden()]

    def show_links(self, links: Sequence[SoundLink], *, otherwise: str) -> None:
        """Show sounds, or a sentence where there are none."""
        while (item := self._layout.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                for button in widget.findChildren(ElidedButton):
                    button.hide()
                widget.deleteLater()
        if not links:
            words = PlainLabel(otherwise, wraps=True)
            words.setProperty("role", "secondary")
            self._layout.addWidget(words)
        for link in links:
            self._layout.addWidget(self._row(link))

    def _row(self, link: SoundLink) -> QWidget:
        row = QWidget()
        button = ElidedButton(plain(link.path.name))
        button.setToolTip(plain_tooltip(plain(str(link.path))))
        button.clicked.connect(lambda: self.opened.emit(link.path, link.file_id))
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * GRID)
        layout.addWidget(button, 1)
        if link.relevance is not None:
            layout.addWidget(RelevanceBar(link.relevance))
        if link.note:
            words = PlainLabel(link.note)
            words.setProperty("role", "secondary")
            layout.addWidget(words)
        return row


class ElidedButton(QPushButton):
    """A link whose text is cut in the middle where it does not fit."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole = text
        self.setProperty("role", "link")
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._cut()

    @property
    def whole(self) -> str:
        """The text, uncut."""
        return self._whole

    def sizeHint(self) -> QSize:
        return QSize(120, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._cut()

    def _cut(self) -> None:
        room = max(24, self.width() - 4 * GRID)
        shown = QFontMetrics(self.font()).elidedText(self._whole, Qt.TextElideMode.ElideMiddle, room)
        self.setText(shown.replace("&", "&&"))
