"""The caption of a sound: read, doubted, mended, taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.plain import PlainLabel, plain_tooltip
from app.theme import GRID, icon
from app.widgets.flow import FlowLayout
from app.widgets.plain_text import PlainText

if TYPE_CHECKING:
    from core.library import CaptionRow

_EDIT_PX = 72
_LONGEST = 2_000


class CaptionCard(QWidget):
    """Shows one file's caption, with what the model also considered.

    Attributes:
        edited: (str) another sentence is wanted.
        restored: The model's sentence is wanted again.
        regenerated: The model is to write anew.
        copied: (str) to the clipboard.
    """

    edited = Signal(str)
    restored = Signal()
    regenerated = Signal()
    copied = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._caption: CaptionRow | None = None
        self.sentence = PlainText()
        self.facts = PlainLabel(wraps=True, name="caption.facts")
        self.facts.setProperty("role", "secondary")
        self.original = PlainText(secondary=True)
        self.edit = QPlainTextEdit()
        self.edit.setFixedHeight(_EDIT_PX)
        self.edit.setTabChangesFocus(True)
        self.edit.setAccessibleName(self.tr("Caption"))
        self.edit.installEventFilter(self)
        self.save_button = QPushButton(self.tr("Keep this"))
        self.save_button.setProperty("role", "primary")
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.edit_button = self._button("edit", self.tr("Edit the caption"), self.begin_edit)
        self.copy_button = self._button("copy", self.tr("Copy the caption"), self._copy)
        self.anew_button = self._button("rescan", self.tr("Have the model write it anew"), self.regenerated.emit)
        self.restore_button = self._button("undo", self.tr("Restore what the model wrote"), self.restored.emit)
        self._others = QVBoxLayout()
        self._others.setSpacing(0)
        self._build()
        self.show_caption(None)

    def _build(self) -> None:
        buttons, editing = QWidget(), QWidget()
        row, edit_row = FlowLayout(buttons, spacing=GRID), FlowLayout(editing, spacing=2 * GRID)
        for button in (self.edit_button, self.copy_button, self.anew_button, self.restore_button):
            row.addWidget(button)
        for push in (self.save_button, self.cancel_button):
            edit_row.addWidget(push)
        self._buttons, self._editing = buttons, editing
        self.save_button.clicked.connect(lambda _=False: self.save_edit())
        self.cancel_button.clicked.connect(self.end_edit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        for widget in (self.sentence, self.edit, editing, self.facts, self.original, buttons):
            layout.addWidget(widget)
        layout.addLayout(self._others)

    @property
    def is_editing(self) -> bool:
        """Whether a sentence is being written."""
        return not self.edit.isHidden()

    def show_caption(self, caption: CaptionRow | None) -> None:
        """Show another file's caption; what was being written is dropped."""
        before, self._caption = self._caption, caption
        shown = "" if caption is None else caption.shown
        self.sentence.set_text(shown or self.tr("No caption yet"))
        self.facts.setText("" if caption is None else self._facts(caption))
        self.facts.setVisible(bool(self.facts.text()))
        original = "" if caption is None or caption.original is None else caption.original
        self.original.set_text(self.tr("The model wrote: {text}").format(text=original) if original else "")
        self.original.setVisible(bool(original))
        self.copy_button.setEnabled(bool(shown))
        self.restore_button.setVisible(caption is not None and caption.origin == "user")
        if caption is None or caption != before:
            self._show_others(() if caption is None else _others(caption))
        self.end_edit()

    def begin_edit(self, text: str | None = None) -> None:
        """Let the sentence be written, beginning with the present one."""
        present = "" if self._caption is None else self._caption.text or self._caption.shown
        self.edit.setPlainText(present if text is None else text)
        self._show_editing(True)
        self.edit.selectAll()
        self.edit.setFocus()

    def end_edit(self) -> None:
        """Stop writing and keep nothing of it."""
        self._show_editing(False)

    def save_edit(self) -> None:
        """Keep what is being written; nothing where nothing was changed, or all of it was erased."""
        if not self.is_editing:
            return
        text = " ".join(self.edit.toPlainText().split())[:_LONGEST]
        before = "" if self._caption is None else self._caption.text
        self.end_edit()
        if text and text != before:
            self.edited.emit(text)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.edit and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
                self.save_edit()
                return True
            if event.key() == Qt.Key.Key_Escape:
                self.end_edit()
                return True
        is_claim = watched is self.edit and event.type() == QEvent.Type.ShortcutOverride
        if is_claim and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().eventFilter(watched, event)

    def _copy(self) -> None:
        if self._caption is not None:
            self.copied.emit(self._caption.shown)

    def _facts(self, caption: CaptionRow) -> str:
        if caption.origin == "user":
            return self.tr("Written by you")
        facts = []
        if caption.confidence is not None:
            facts.append(self.tr("The model is {percent} sure").format(percent=f"{caption.confidence:.0%}"))
        if not caption.is_sure:
            facts.append(self.tr("tags, because the sentence is doubtful"))
        elif caption.tags:
            facts.append(", ".join(caption.tags))
        return " · ".join(facts)

    def _show_others(self, sentences: tuple[str, ...]) -> None:
        while (item := self._others.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        if not sentences:
            return
        heading = PlainLabel(self.tr("Or:"))
        heading.setProperty("role", "secondary")
        self._others.addWidget(heading)
        for sentence in sentences:
            other = AlternativeRow(sentence)
            other.chosen.connect(self.edited)
            self._others.addWidget(other)

    def _show_editing(self, editing: bool) -> None:
        self.edit.setVisible(editing)
        self._editing.setVisible(editing)
        self.sentence.setVisible(not editing)
        self._buttons.setVisible(not editing)

    def _button(self, name: str, hint: str, do: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setToolTip(hint)
        button.setAccessibleName(hint)
        button.setAutoRaise(True)
        button.clicked.connect(lambda: do())
        return button


def _others(caption: CaptionRow) -> tuple[str, ...]:
    """What the model would say instead: first of all the sentence it is not sure of, where its tags are shown."""
    doubtful = () if caption.is_sure or not caption.text or not caption.tags else (caption.text,)
    return tuple(dict.fromkeys((*doubtful, *caption.alternatives)))


class AlternativeRow(QWidget):
    """Another sentence of the model, and a button that takes it.

    Attributes:
        chosen: (str)
    """

    chosen = Signal(str)

    def __init__(self, sentence: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        words = PlainText(sentence, secondary=True)
        self.button = QToolButton()
        self.button.setIcon(icon("check"))
        self.button.setAutoRaise(True)
        hint = self.tr("Use this caption")
        self.button.setToolTip(plain_tooltip(hint))
        self.button.setAccessibleName(f"{hint}: {sentence}")
        self.button.clicked.connect(lambda: self.chosen.emit(sentence))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(words, 1, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)
