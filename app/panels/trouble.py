"""Dialogs for what went wrong: a known error with its way out, and a bug with a report to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from app.plain import PlainLabel
from app.theme import GRID, icon_pixmap

if TYPE_CHECKING:
    from core.errors import KnownError


class KnownErrorDialog(QDialog):
    """What happened, in a sentence, and what to do about it, in another."""

    def __init__(self, error: KnownError, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Earshot"))
        self.setObjectName("trouble.known")
        picture = QLabel()
        picture.setPixmap(icon_pixmap("warning", 6 * GRID, colour="red", ratio=self.devicePixelRatioF()))
        self.message = PlainLabel(error.message, wraps=True, selectable=True, name="trouble.message")
        self.way_out = PlainLabel(error.way_out, wraps=True, selectable=True, name="trouble.way_out")
        self.way_out.setProperty("role", "secondary")
        self.way_out.setVisible(bool(error.way_out))
        words = QVBoxLayout()
        words.setSpacing(2 * GRID)
        words.addWidget(self.message)
        words.addWidget(self.way_out)
        words.addStretch()
        top = QHBoxLayout()
        top.setSpacing(4 * GRID)
        top.addWidget(picture, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(words, 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(5 * GRID, 5 * GRID, 5 * GRID, 4 * GRID)
        layout.setSpacing(4 * GRID)
        layout.addLayout(top)
        layout.addWidget(buttons)
        self.setMinimumWidth(100 * GRID)
        self.setMaximumWidth(160 * GRID)


class BugDialog(QDialog):
    """Says that something of ours failed, and offers the report to copy. Nothing is sent anywhere."""

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Something went wrong"))
        self.setObjectName("trouble.bug")
        text = PlainLabel(
            self.tr(
                "This is a fault of Earshot. Your sounds and your library are untouched, and you can go on. If you "
                "report it, this text helps to find it; it may name files of yours, so read it first."
            ),
            wraps=True,
        )
        self.report = QPlainTextEdit(report)
        self.report.setReadOnly(True)
        self.report.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.report.setAccessibleName(self.tr("Report"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy_button = buttons.addButton(self.tr("Copy the report"), QDialogButtonBox.ButtonRole.ActionRole)
        self.copy_button.clicked.connect(lambda _=False: QGuiApplication.clipboard().setText(report))
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(5 * GRID, 5 * GRID, 5 * GRID, 4 * GRID)
        layout.setSpacing(3 * GRID)
        layout.addWidget(text)
        layout.addWidget(self.report, 1)
        layout.addWidget(buttons)
        self.resize(QSize(160 * GRID, 100 * GRID))
