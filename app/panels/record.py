"""Recording an example from the microphone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QComboBox, QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.plain import PlainLabel
from app.theme import GRID, icon
from app.widgets.level import LevelMeter
from app.widgets.ruler import tenth_clock
from core.audio.cache import CacheFolder
from core.audio.device import DeviceError, OpenInput, SoundDevice, input_devices, open_input
from core.audio.recording import MAX_S, Recorder
from core.errors import KnownError

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.settings import Settings

_LOOK_MS = 33
_RECORDINGS_BYTES = 200 << 20
# Beside those that the history or a saved search leads back to, which are kept however old they are.
_SPARED_S = 30 * 86_400


class RecordDialog(QDialog):
    """Records at once when it opens; the clip becomes part of the question.

    Args:
        runner: Opens the microphone and writes the clip in the background.
        settings: Which microphone.
        errors: Where bugs go.
        referred: The clips of the searches that are remembered; read in the background, before old ones are removed.
        open_stream: How to open a device; tests hand in their own.
        parent: Owner.

    Attributes:
        recorded: (Path) the clip, a WAV file that stays for a month, and as long as a remembered search refers to it.
    """

    recorded = Signal(object)

    def __init__(
        self,
        *,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        referred: Callable[[], Iterable[Path]] = tuple,
        open_stream: OpenInput = open_input,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("record")
        self.setWindowTitle(self.tr("Record an example"))
        self.setMinimumWidth(90 * GRID)
        self._runner, self._settings, self._errors = runner, settings, errors
        cache = CacheFolder(settings.caches.place() / "recordings", _RECORDINGS_BYTES, spared_s=_SPARED_S)

        def tidy() -> None:
            for path in referred():
                if path.is_relative_to(cache.folder):
                    cache.found(path)  # which counts as a use
            cache.trim()

        runner.call(tidy, on_result=lambda _: None, name="trim the recordings")
        self.recorder = Recorder(cache, open_stream=open_stream)
        self._is_opening = False
        self._is_keeping = False
        self._is_closed = False
        self.message = PlainLabel(wraps=True, name="record.message")
        self.time = PlainLabel(name="record.time")
        self.level = LevelMeter()
        self.device = QComboBox()
        self.again_button = QPushButton(icon("mic"), self.tr("Record again"))
        self.search_button = QPushButton(icon("search", colour="on_accent"), self.tr("Search by it"))
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self._look)
        self._build()
        self._show(self.tr("Opening the microphone…"))
        runner.call(input_devices, on_result=self.show_devices, on_failed=self._on_no_list, name="list microphones")

    def start(self) -> None:
        """Record from the beginning."""
        if self._is_opening or self._is_keeping:
            return
        self._is_opening = True
        device = self._settings.audio.input_device or ""
        self._show(self.tr("Opening the microphone…"))

        def work() -> None:
            self.recorder.start(device)
            if self._is_closed:
                self.recorder.cancel()  # the dialog was closed while the system opened the microphone

        self._runner.call(work, on_result=self._on_started, on_failed=self._on_failed, name="record")

    def keep(self) -> None:
        """Finish, and hand the clip over."""
        if self._is_opening or self._is_keeping:
            return
        self._is_keeping = True
        self._timer.stop()
        self.search_button.setEnabled(False)
        self._runner.call(
            self.recorder.stop, on_result=self._on_kept, on_failed=self._on_failed, name="keep a recording"
        )

    def show_devices(self, devices: list[SoundDevice]) -> None:
        """Offer these microphones."""
        chosen = self._settings.audio.input_device or ""
        self.device.blockSignals(True)
        self.device.clear()
        self.device.addItem(self.tr("The system's microphone"), "")
        for device in devices:
            self.device.addItem(device.name if device.name.isprintable() else repr(device.name), device.key)
        self.device.setCurrentIndex(max(0, self.device.findData(chosen)))
        self.device.blockSignals(False)

    def reject(self) -> None:
        self._close_down()
        super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._close_down()
        super().closeEvent(event)

    def _build(self) -> None:
        self.device.setAccessibleName(self.tr("Microphone"))
        self.device.currentIndexChanged.connect(self._on_device_chosen)
        self.search_button.setProperty("role", "primary")
        self.search_button.setDefault(True)
        self.search_button.clicked.connect(self.keep)
        self.again_button.clicked.connect(self.start)
        self.cancel_button.clicked.connect(self.reject)
        self.time.setAccessibleName(self.tr("Length"))
        row = QHBoxLayout()
        row.addWidget(self.level, 1)
        row.addWidget(self.time)
        buttons = QHBoxLayout()
        buttons.addWidget(self.again_button)
        buttons.addStretch()
        buttons.addWidget(self.cancel_button)
        buttons.addWidget(self.search_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        layout.setSpacing(3 * GRID)
        layout.addWidget(self.device)
        layout.addWidget(self.message)
        layout.addLayout(row)
        layout.addStretch()
        layout.addLayout(buttons)

    def _show(self, message: str, *, failed: bool = False) -> None:
        self.message.setText(message)
        self.message.setProperty("role", "failed" if failed else "")
        self.message.style().unpolish(self.message)
        self.message.style().polish(self.message)
        self.time.setText(tenth_clock(0.0) if not self._timer.isActive() else self.time.text())
        self.search_button.setEnabled(self._timer.isActive())
        self.again_button.setEnabled(not self._is_opening)

    def _on_started(self, _: None) -> None:
        self._is_opening = False
        if self._is_closed:
            return
        self.level.reset()
        self._timer.start()
        self._show(self.tr("Recording…"))

    def _look(self) -> None:
        status = self.recorder.status()
        self.level.show_peak(status.peak, has_clipped=status.has_clipped)
        self.time.setText(tenth_clock(status.duration_s))
        if not status.is_recording:
            self._timer.stop()
            problem = self.recorder.take_problem()
            longest = self.tr("{0} minutes are recorded, which is the longest.").format(round(MAX_S / 60))
            self._show(longest if problem is None else str(problem), failed=problem is not None)
            self.search_button.setEnabled(status.duration_s > 0)
        elif status.has_clipped:
            self.message.setText(self.tr("Recording… It is too loud: move away or turn the microphone down."))

    def _on_kept(self, path: Path) -> None:
        self._is_keeping = False
        self.recorded.emit(path)
        self.accept()

    def _on_failed(self, error: BaseException) -> None:
        self._is_opening = self._is_keeping = False
        if not isinstance(error, KnownError):
            self._errors.bug(error)
            return
        self._timer.stop()
        self._show(str(error), failed=True)

    def _on_no_list(self, error: BaseException) -> None:
        if not isinstance(error, DeviceError):
            self._errors.bug(error)
        self.show_devices([])

    def _on_device_chosen(self) -> None:
        self._settings.audio.input_device = self.device.currentData() or None
        self._timer.stop()
        self.recorder.cancel()
        self.start()

    def _close_down(self) -> None:
        self._is_closed = True
        self._timer.stop()
        if not self._is_keeping:
            self.recorder.cancel()
