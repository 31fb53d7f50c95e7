"""What an empty library shows: three ways to begin."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.drag import classify_drop
from app.plain import PlainLabel
from app.theme import GRID, icon, icon_pixmap, tokens


class FolderTarget(QFrame):
    """A field with a dashed edge that takes folders.

    Attributes:
        folders_dropped: The folders, as a list of paths.
    """

    folders_dropped = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome.target")
        self.setAcceptDrops(True)
        self.setMinimumSize(QSize(90 * GRID, 36 * GRID))
        self._is_over = False
        picture = QLabel()
        picture.setPixmap(icon_pixmap("folder-add", 8 * GRID, ratio=self.devicePixelRatioF()))
        picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.words = PlainLabel(self.tr("Drop a folder here"))
        self.words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.words.setProperty("role", "secondary")
        layout = QVBoxLayout(self)
        layout.addStretch()
        layout.addWidget(picture)
        layout.addWidget(self.words)
        layout.addStretch()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = tokens()
        pen = QPen(colours.colour("accent" if self._is_over else "outline"), 1, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        if self._is_over:
            painter.setBrush(colours.colour("selection"))
        painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), 2 * GRID, 2 * GRID)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if classify_drop(event.mimeData()).kind == "folders":
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._set_over(True)
        else:
            event.ignore()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._set_over(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._set_over(False)
        drop = classify_drop(event.mimeData())
        if drop.kind == "folders":
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.folders_dropped.emit(list(drop.paths))

    def _set_over(self, is_over: bool) -> None:
        self._is_over = is_over
        self.update()


class WelcomePage(QWidget):
    """The first thing a new user sees.

    Attributes:
        add_requested: A folder shall be chosen.
        folders_dropped: Folders to add, as a list of paths.
        samples_requested: The sample sounds that ship with the program shall be added.
    """

    add_requested = Signal()
    folders_dropped = Signal(list)
    samples_requested = Signal()

    def __init__(self, *, samples: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        title = PlainLabel(self.tr("Find sounds by describing them"))
        title.setProperty("role", "title")
        text = PlainLabel(
            self.tr(
                "Add the folders that hold your sounds. Their names can be searched at once; what they sound like "
                "follows while you work. Everything stays on this computer, and your files are never changed."
            ),
            wraps=True,
        )
        text.setFixedWidth(120 * GRID)
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.target = FolderTarget()
        self.target.folders_dropped.connect(self.folders_dropped)
        self.add_button = QPushButton(icon("folder-add", colour="on_accent"), self.tr("Add a folder"))
        self.add_button.setProperty("role", "primary")
        self.add_button.setObjectName("welcome.add")
        self.add_button.clicked.connect(lambda _=False: self.add_requested.emit())
        self.samples_button = QPushButton(self.tr("Try the sample sounds"))
        self.samples_button.setObjectName("welcome.samples")
        self.samples_button.clicked.connect(lambda _=False: self.samples_requested.emit())
        self.samples_button.setVisible(samples.is_dir())
        buttons = _centred(self.add_button, self.samples_button)
        layout = QVBoxLayout(self)
        layout.setSpacing(4 * GRID)
        layout.addStretch(2)
        layout.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addLayout(_centred(text))
        layout.addWidget(self.target, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addLayout(buttons)
        layout.addStretch(3)


def _centred(*widgets: QWidget) -> QHBoxLayout:
    """Widgets in the middle of a row; unlike an alignment it lets wrapped text have the height it needs."""
    row = QHBoxLayout()
    row.setSpacing(2 * GRID)
    row.addStretch()
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch()
    return row
