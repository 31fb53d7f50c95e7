"""The line at the bottom: device and model, what the library holds, what is going on, and quiet notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal, SignalInstance
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QToolButton, QWidget

from app.jobs.indexing import Phase
from app.jobs.model import ModelState
from app.panels.sidebar_content import LibraryContent, work_note
from app.phrase import counted, sounds
from app.plain import PlainLabel, plain_tooltip
from app.theme import GRID, icon, icon_pixmap
from app.widgets.elided import ElidedLabel

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs.indexing import IndexController
    from app.jobs.model import ModelLoader
    from app.shortcut import ShortcutMap

NOTICE_MS = 8_000


class StatusLine(QWidget):
    """A calm line; everything in it is also reachable elsewhere.

    Attributes:
        indexing_requested: The indexing panel shall be shown.
        log_requested: The log shall be shown.
        model_requested: The preferences of the model shall be shown.
    """

    indexing_requested = Signal()
    log_requested = Signal()
    model_requested = Signal()

    def __init__(
        self,
        *,
        controller: IndexController,
        model: ModelLoader,
        errors: ErrorCentre,
        shortcuts: ShortcutMap,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("status")
        self._controller, self._model, self._shortcuts = controller, model, shortcuts
        self._content = LibraryContent()
        self._device_icon = QLabel()
        self.model_button = self._link("status.model", self.model_requested)
        self.held = PlainLabel(name="status.sounds")
        self.held.setProperty("role", "secondary")
        self.work_button = self._link("status.work", self.indexing_requested)
        self.bar = QProgressBar()
        self.bar.setObjectName("status.progress")
        self.bar.setFixedWidth(24 * GRID)
        self.bar.setTextVisible(False)
        self.pause_button = self._tool("pause", self.tr("Pause indexing"), controller.toggle_pause)
        self.pause_button.setObjectName("status.pause")
        self.stop_button = self._tool("stop", self.tr("Stop indexing"), controller.cancel)
        self.stop_button.setObjectName("status.stop")
        self.skipped_button = self._link("status.skipped", self.indexing_requested)
        # A long notice is cut, it never pushes the window wider.
        self.notice = ElidedLabel(name="status.notice", is_sentence=True)
        self.notice.setProperty("role", "secondary")
        self.notice.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3 * GRID, 0, 3 * GRID, 0)
        layout.setSpacing(2 * GRID)
        facts: tuple[QWidget, ...] = (self._device_icon, self.model_button, self.held, self.skipped_button)
        for widget in facts:
            layout.addWidget(widget)
        layout.addSpacing(2 * GRID)
        # What changes its width stands last, so that nothing else moves while it runs.
        work: tuple[QWidget, ...] = (self.bar, self.pause_button, self.stop_button, self.work_button)
        for widget in work:
            layout.addWidget(widget)
        layout.addWidget(self.notice, 1)
        self._forget = QTimer(self)
        self._forget.setSingleShot(True)
        self._forget.setInterval(NOTICE_MS)
        self._forget.timeout.connect(lambda: self._say(""))
        controller.changed.connect(self._show_work)
        model.changed.connect(self._show_model)
        errors.noticed.connect(self._on_noticed)
        self._show_model()
        self._show_work()
        self.show_content(self._content)

    def sizeHint(self) -> QSize:
        return QSize(600, 7 * GRID)

    def show_content(self, content: LibraryContent) -> None:
        """Say what the library holds."""
        self._content = content
        self.held.setText(f"·  {sounds(content.files)}")
        self.skipped_button.setText(f"·  {self.tr('{0} skipped').format(counted(content.skipped))}")
        self.skipped_button.setVisible(content.skipped > 0)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._show_icon()

    def _show_icon(self) -> None:
        failed = self._model.state is ModelState.FAILED
        name, colour = ("warning", "red") if failed else ("processor", "text_dim")
        self._device_icon.setPixmap(icon_pixmap(name, colour=colour, ratio=self.devicePixelRatioF()))

    def _show_model(self) -> None:
        model = self._model
        words = {
            ModelState.WAITING: self.tr("{0} · not loaded yet"),
            ModelState.LOADING: self.tr("{0} · loading, names can be searched"),
            ModelState.READY: f"{model.device} · {{0}}",
            ModelState.FAILED: self.tr("{0} cannot be loaded"),
        }
        self.model_button.setText(words[model.state].format(model.model_id))
        hint = self.tr("Device and model")
        if model.successor_id:
            hint = self.tr("{0} answers until {1} has listened to all sounds.").format(
                model.model_id, model.successor_id
            )
        self.model_button.setToolTip(plain_tooltip(model.message or hint))
        self._show_icon()

    def _show_work(self) -> None:
        controller, progress = self._controller, self._controller.progress
        note = work_note(controller)
        self.work_button.setText(note)
        self.work_button.setVisible(bool(note))
        can_pause = controller.phase in (Phase.INDEXING, Phase.CAPTIONING)
        self.pause_button.setVisible(can_pause)
        self.stop_button.setVisible(controller.phase in (Phase.SCANNING, Phase.INDEXING, Phase.CAPTIONING))
        self.bar.setVisible(can_pause and progress is not None and bool(progress.total))
        if progress is not None and progress.total:
            self.bar.setRange(0, progress.total)
            self.bar.setValue(progress.done)
        hint = self.tr("Resume indexing") if controller.is_paused else self.tr("Pause indexing")
        key = self._shortcuts.text("index.pause")
        self.pause_button.setIcon(icon("play" if controller.is_paused else "pause"))
        self.pause_button.setToolTip(f"{hint} ({key})" if key else hint)
        self.pause_button.setAccessibleName(hint)

    def _on_noticed(self, message: str) -> None:
        self._say(message)
        self._forget.start()

    def _say(self, message: str) -> None:
        self.notice.show_text(message)

    def _link(self, name: str, signal: SignalInstance) -> QPushButton:
        button = QPushButton()
        button.setObjectName(name)
        button.setProperty("role", "quiet")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.clicked.connect(lambda _=False: signal.emit())
        return button

    def _tool(self, name: str, hint: str, do: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name))
        button.setIconSize(QSize(12, 12))
        button.setToolTip(hint)
        button.setAccessibleName(hint)
        button.clicked.connect(lambda _=False: do())
        return button
