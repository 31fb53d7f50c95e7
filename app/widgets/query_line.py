"""The text of a question: a line that knows what stands to its left, and what to do with pasted files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QStringListModel, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QCompleter, QLineEdit, QSizePolicy, QWidget

_LEAST_WIDTH_PX = 160
_COMPLETIONS = 8


class QueryLine(QLineEdit):
    """A line without a frame of its own.

    Attributes:
        went_left: The cursor wants to leave at the beginning.
        erased_at_start: Backspace was pressed where there is nothing to erase.
        weight_stepped: (int) Alt+Up or Alt+Down.
        went_down: The results are wanted.
        files_pasted: (list[Path])
    """

    went_left = Signal()
    erased_at_start = Signal()
    weight_stepped = Signal(int)
    went_down = Signal()
    files_pasted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrame(False)
        self.setMinimumWidth(_LEAST_WIDTH_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        # What is dropped is the whole bar's business.
        self.setAcceptDrops(False)
        self._history = QStringListModel(self)
        completer = QCompleter(self._history, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setMaxVisibleItems(_COMPLETIONS)
        self.setCompleter(completer)

    def set_history(self, texts: list[str]) -> None:
        """Lines typed before, the latest first; they are offered while typing."""
        self._history.setStringList(texts)

    def history(self) -> list[str]:
        """What is offered."""
        return self._history.stringList()

    def insert_mime(self, mime: QMimeData) -> None:
        """Take what was pasted or dropped: files as examples, anything else as one line of text."""
        files = local_files(mime)
        if files:
            self.files_pasted.emit(files)
        elif mime.hasText():
            self.insert(" ".join(mime.text().split()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, modifiers = event.key(), event.modifiers()
        at_start = self.cursorPosition() == 0 and not self.hasSelectedText()
        if event.matches(QKeySequence.StandardKey.Paste):
            self.insert_mime(QGuiApplication.clipboard().mimeData())
        elif key == Qt.Key.Key_Backspace and at_start and not event.isAutoRepeat():
            self.erased_at_start.emit()
        elif key == Qt.Key.Key_Left and at_start and not modifiers:
            self.went_left.emit()
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and modifiers & Qt.KeyboardModifier.AltModifier:
            self.weight_stepped.emit(1 if key == Qt.Key.Key_Up else -1)
        elif key == Qt.Key.Key_Down:
            self.went_down.emit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        # Esc belongs to the window (stop), unless it closes the list of completions, which takes it by itself.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            alt = event.modifiers() & Qt.KeyboardModifier.AltModifier
            if event.matches(QKeySequence.StandardKey.Paste) or (
                alt and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down)
            ):
                event.accept()
                return True
        return super().event(event)


def local_files(mime: QMimeData) -> list[Path]:
    """Files of this machine that a clipboard or a drag holds; folders are not meant."""
    paths = (Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile())
    return [path for path in paths if not path.is_dir()]
