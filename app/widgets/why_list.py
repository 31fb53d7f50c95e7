"""Why a sound is an answer: every part of the question with how well it is met, and the words that were found."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.models.row import plain
from app.plain import PlainLabel, plain_tooltip
from app.theme import GRID, icon_pixmap
from app.widgets.chip import weight_text
from app.widgets.plain_text import PlainText
from app.widgets.relevance import RelevanceBar
from core.search.result import LexicalHit, PartScore, Why

_ICONS = {"text": "ear", "clip": "waveform", "not": "not"}


class WhyList(QWidget):
    """The reasons for a hit."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(GRID)
        self._lines: list[str] = []

    @property
    def lines(self) -> list[str]:
        """Every reason in words."""
        return list(self._lines)

    def show_why(self, why: Why | None) -> None:
        """Show the reasons for another hit."""
        self._lines = []
        while (item := self._layout.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        if why is None:
            return
        for part in (*why.parts, *why.negatives):
            self._add_part(part)
        for found in why.lexical:
            self._add_words(found)

    def _add_part(self, part: PartScore) -> None:
        kind = {
            "text": self.tr("Sounds like"),
            "clip": self.tr("Like the clip"),
            "not": self.tr("Sounds like, but should not"),
        }
        meant = f"{kind.get(part.kind, part.kind)}: {plain(part.label)}"
        self._lines.append(f"{meant}, {part.relevance:.0%}")
        row = self._row(_ICONS.get(part.kind, "ear"), plain(part.label), meant)
        weight = weight_text(part.weight)
        if weight:
            words = PlainLabel(weight)
            words.setProperty("role", "secondary")
            row.addWidget(words)
        row.addWidget(RelevanceBar(part.relevance))

    def _add_words(self, found: LexicalHit) -> None:
        fields = {
            "name": self.tr("the name"),
            "folder": self.tr("the folder"),
            "metadata": self.tr("the metadata"),
            "captions": self.tr("the caption"),
        }
        where = fields.get(found.field, found.field)
        line = self.tr("“{words}” in {field}").format(words="”, “".join(found.words), field=where)
        self._lines.append(line)
        self._row("search", line, line)

    def _row(self, image: str, text: str, meant: str) -> QHBoxLayout:
        holder = QWidget()
        holder.setToolTip(plain_tooltip(meant))
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * GRID)
        mark = QLabel()
        mark.setPixmap(icon_pixmap(image, 14, ratio=self.devicePixelRatioF()))
        mark.setFixedWidth(16)
        words = PlainText(text)
        words.setAccessibleName(meant)
        row.addWidget(mark)
        row.addWidget(words, 1)
        self._layout.addWidget(holder)
        return row
