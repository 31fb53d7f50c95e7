"""The log's newest lines in a window, to read and to copy."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, QUrl
from PySide6.QtGui import QCloseEvent, QDesktopServices, QGuiApplication, QHideEvent, QShowEvent, QTextCursor
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from app.theme import GRID

if TYPE_CHECKING:
    from app.errors import ErrorCentre

_LOOK_MS = 500
_MOST_LINES = 2_000


class LogWindow(QDialog):
    """Follows the log while it is open.

    Args:
        errors: Remembers the lines.
        folder: Where the log files lie, or None where none could be written.
        parent: Owner.
    """

    def __init__(self, *, errors: ErrorCentre, folder: Path | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Log"))
        self.setObjectName("log")
        self.resize(200 * GRID, 120 * GRID)
        self._recent, self._folder = errors.recent, folder
        self._shown = 0
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setMaximumBlockCount(_MOST_LINES)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setAccessibleName(self.tr("Log"))
        self.only_warnings = QCheckBox(self.tr("Only warnings and errors"))
        self.only_warnings.toggled.connect(self._begin_again)
        copy = QPushButton(self.tr("Copy all"))
        copy.clicked.connect(lambda _=False: QGuiApplication.clipboard().setText(self.text.toPlainText()))
        self.copy_button = copy
        open_folder = QPushButton(self.tr("Open the log's folder"))
        open_folder.clicked.connect(lambda _=False: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))))
        open_folder.setVisible(folder is not None)
        buttons = QHBoxLayout()
        buttons.addWidget(self.only_warnings)
        buttons.addStretch()
        buttons.addWidget(open_folder)
        buttons.addWidget(copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * GRID, 3 * GRID, 3 * GRID, 3 * GRID)
        layout.addWidget(self.text)
        layout.addLayout(buttons)
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.look()
        self._timer.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._timer.stop()
        super().closeEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        self._timer.stop()
        super().hideEvent(event)

    def look(self) -> None:
        """Show what has been logged since the last look."""
        lines = self._recent.since(self._shown)
        if not lines:
            return
        self._shown = lines[-1][0]
        least = logging.WARNING if self.only_warnings.isChecked() else logging.NOTSET
        texts = [text for _, level, text in lines if level >= least]
        if texts:
            self.text.appendPlainText("\n".join(texts))
            self.text.moveCursor(QTextCursor.MoveOperation.End)
            self.text.moveCursor(QTextCursor.MoveOperation.StartOfLine)

    def _begin_again(self) -> None:
        self.text.clear()
        self._shown = 0
        self.look()
