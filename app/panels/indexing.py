"""The window behind the status line: stages with pace and time left, and what was skipped and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.drag import file_url
from app.jobs.indexing import Phase
from app.models.row import plain
from app.panels.sidebar_content import LibraryContent, work_note
from app.phrase import counted, pace, time_left
from app.plain import PlainLabel, plain_tooltip
from app.theme import GRID

if TYPE_CHECKING:
    from app.jobs import JobRunner
    from app.jobs.indexing import IndexController
    from core.jobs import Progress
    from core.library import Library, SkippedItem

Index = QModelIndex | QPersistentModelIndex


class SkippedModel(QAbstractTableModel):
    """Files and folders that could not be used, with the reason."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._items: tuple[SkippedItem, ...] = ()

    def show(self, items: tuple[SkippedItem, ...]) -> None:
        """Show these; nothing moves when they are the same as before."""
        if items != self._items:
            self.beginResetModel()
            self._items = items
            self.endResetModel()

    def item(self, row: int) -> SkippedItem:
        """One of them."""
        return self._items[row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._items)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else 3

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return (self.tr("File"), self.tr("Reason"), self.tr("Folder"))[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        item = self._items[index.row()]
        path = Path(item.path)
        if role == Qt.ItemDataRole.DisplayRole:
            return (plain(path.name), item.reason, plain(str(path.parent)))[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(f"{plain(str(path))}\n{item.reason}")
        return None


class IndexingPanel(QDialog):
    """What is being done, stage by stage, and what was left out.

    Attributes:
        rescan_requested: All folders shall be looked at again, skipped files too.
    """

    rescan_requested = Signal()

    def __init__(
        self, *, library: Library, runner: JobRunner, controller: IndexController, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Indexing"))
        self.setObjectName("indexing")
        self.resize(180 * GRID, 130 * GRID)
        self._library, self._runner, self._controller = library, runner, controller
        self.headline = PlainLabel(name="indexing.headline")
        self._stages: dict[str, tuple[QProgressBar, PlainLabel]] = {}
        stages = self._make_stages()
        self.pause_button = QPushButton()
        self.pause_button.clicked.connect(lambda _=False: controller.toggle_pause())
        self.stop_button = QPushButton(self.tr("Stop"))
        self.stop_button.clicked.connect(lambda _=False: controller.cancel())
        self.rescan_button = QPushButton(self.tr("Look at the folders again"))
        self.rescan_button.clicked.connect(lambda _=False: controller.rescan())
        buttons = QHBoxLayout()
        for button in (self.pause_button, self.stop_button, self.rescan_button):
            buttons.addWidget(button)
        buttons.addStretch()
        self.skipped_heading = PlainLabel(name="indexing.skipped")
        self.skipped_heading.setProperty("role", "heading")
        self.skipped = SkippedModel(self)
        self.table = self._make_table()
        self.reveal_button = QPushButton(self.tr("Show in the file manager"))
        self.reveal_button.clicked.connect(lambda _=False: self._reveal())
        self.copy_button = QPushButton(self.tr("Copy the list"))
        self.copy_button.clicked.connect(lambda _=False: QGuiApplication.clipboard().setText(self.as_text()))
        below = QHBoxLayout()
        below.addStretch()
        below.addWidget(self.reveal_button)
        below.addWidget(self.copy_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        layout.setSpacing(3 * GRID)
        layout.addWidget(self.headline)
        layout.addLayout(stages)
        layout.addLayout(buttons)
        layout.addWidget(self.skipped_heading)
        layout.addWidget(self.table, 1)
        self._spare = QWidget()
        layout.addWidget(self._spare, 1)
        layout.addLayout(below)
        controller.changed.connect(self._show_work)
        controller.grew.connect(self._reload_if_shown)
        self._show_work()
        self._take(())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reload()

    def reload(self) -> None:
        """Read anew what was skipped."""
        self._runner.call(lambda: tuple(self._library.skipped()), on_result=self._take, name="skipped files")

    def show_content(self, content: LibraryContent) -> None:
        """Note how much waits."""
        self._waiting = content.waiting
        self._show_work()

    def as_text(self) -> str:
        """The list of skipped files for the clipboard, one line each."""
        rows = range(self.skipped.rowCount())
        return "\n".join(f"{plain(str(self.skipped.item(row).path))}\t{self.skipped.item(row).reason}" for row in rows)

    _waiting = 0

    def _make_stages(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(3 * GRID)
        grid.setVerticalSpacing(2 * GRID)
        grid.setColumnStretch(1, 1)
        for row, (stage, title) in enumerate(
            (
                ("scan", self.tr("Look at folders")),
                ("index", self.tr("Listen to sounds")),
                ("graph", self.tr("Prepare searching")),
                ("caption", self.tr("Write captions")),
            )
        ):
            bar = QProgressBar()
            bar.setTextVisible(False)
            bar.setAccessibleName(title)
            note = PlainLabel(name=f"indexing.{stage}")
            note.setProperty("role", "secondary")
            note.setMinimumWidth(64 * GRID)
            grid.addWidget(PlainLabel(title), row, 0)
            grid.addWidget(bar, row, 1)
            grid.addWidget(note, row, 2)
            self._stages[stage] = (bar, note)
        return grid

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.skipped)
        table.setAccessibleName(self.tr("Skipped files"))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(6 * GRID)
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.resizeSection(0, 52 * GRID)
        header.resizeSection(1, 72 * GRID)
        header.setStretchLastSection(True)
        return table

    def _show_work(self) -> None:
        controller = self._controller
        if controller.phase is Phase.IDLE:
            idle = self.tr("Everything is indexed.")
            waiting = self.tr("Stopped; {0} wait to be indexed.").format(counted(self._waiting))
            self.headline.setText(waiting if self._waiting else idle)
        else:
            self.headline.setText(work_note(controller))
        can_pause = controller.phase in (Phase.INDEXING, Phase.CAPTIONING)
        self.pause_button.setText(self.tr("Resume") if controller.is_paused else self.tr("Pause"))
        self.pause_button.setEnabled(can_pause)
        self.stop_button.setEnabled(controller.is_running and controller.phase is not Phase.STOPPING)
        for stage, (bar, note) in self._stages.items():
            progress = controller.stages.get(stage)
            is_now = progress is not None and progress is controller.progress and not controller.is_paused
            _show_stage(bar, progress, is_running=controller.is_running)
            note.setText(self._stage_note(progress, is_now=is_now))

    def _stage_note(self, progress: Progress | None, *, is_now: bool) -> str:
        if progress is None:
            return "–"
        if progress.total is None:
            return self.tr("{0} found").format(counted(progress.done))
        parts = [self.tr("{0} of {1}").format(counted(progress.done), counted(progress.total))]
        if is_now and progress.rate_per_s:
            parts.append(pace(progress.rate_per_s))
        if is_now and progress.audio_rate:
            parts.append(self.tr("{0} × real time").format(counted(round(progress.audio_rate))))
        if is_now and progress.left_s is not None:
            parts.append(time_left(progress.left_s))
        return ", ".join(parts)

    def _reload_if_shown(self) -> None:
        if self.isVisible():
            self.reload()

    def _take(self, items: tuple[SkippedItem, ...]) -> None:
        self.skipped.show(items)
        heading = self.tr("Skipped: {0}").format(counted(len(items))) if items else self.tr("Nothing was skipped")
        self.skipped_heading.setText(heading)
        for widget in (self.table, self.reveal_button, self.copy_button):
            widget.setVisible(bool(items))
        self._spare.setVisible(not items)

    def _reveal(self) -> None:
        row = self.table.currentIndex().row()
        if row >= 0:
            folder = Path(self.skipped.item(row).path).parent
            QDesktopServices.openUrl(file_url(folder))


def _show_stage(bar: QProgressBar, progress: Progress | None, *, is_running: bool) -> None:
    if progress is None:
        bar.setRange(0, 1)
        bar.setValue(0)
    elif progress.total is None:
        bar.setRange(0, 1)
        bar.setValue(0 if is_running else 1)
    else:
        bar.setRange(0, max(1, progress.total))
        bar.setValue(progress.done if progress.total else 1)
