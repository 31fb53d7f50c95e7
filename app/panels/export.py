"""Exporting sounds and regions to a folder: names, format, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QUrl
from PySide6.QtGui import QCloseEvent, QDesktopServices
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.plain import PlainLabel, plain_tooltip
from app.theme import GRID
from core.audio.naming import FIELDS, PatternError
from core.audio.render import ExportFormat, ExportItem, export, plan_names
from core.errors import KnownError
from core.jobs import CancelToken, Event, Progress, Skipped, Written

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobHandle, JobRunner
    from app.settings import Settings

Encoding = Literal["wav-16", "wav-24", "wav-32f", "flac"]

_FORMATS: dict[Encoding, ExportFormat] = {
    "wav-16": ExportFormat("wav", 16),
    "wav-24": ExportFormat("wav", 24),
    "wav-32f": ExportFormat("wav", 32),
    "flac": ExportFormat("flac"),
}
_RATES_HZ = (44_100, 48_000, 88_200, 96_000, 192_000)
_PREVIEWED = 3


class ExportDialog(QDialog):
    """Asks how, exports in the background, and lists what could not be exported with the reason.

    Args:
        items: The sounds, with the fields for their names; `ExportItem.span` for regions.
        runner: Does the work.
        settings: `export` is read and kept.
        errors: Where failures go that stop everything.
        parent: Owner.
    """

    def __init__(
        self,
        items: Sequence[ExportItem],
        *,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("export")
        self._items, self._runner, self._settings, self._errors = tuple(items), runner, settings, errors
        self._job: JobHandle | None = None
        self.written: list[Path] = []
        count = len(self._items)
        self.setWindowTitle(self.tr("Export 1 sound") if count == 1 else self.tr("Export {0} sounds").format(count))
        self.setMinimumWidth(130 * GRID)
        kept = settings.export
        self.folder = QLineEdit(kept.folder or str(Path.home()))
        self.pattern = QLineEdit(kept.pattern)
        self.encoding = QComboBox()
        self.rate = QComboBox()
        self.handles = QDoubleSpinBox()
        self.preview = PlainLabel(wraps=True, name="export.preview")
        self.progress = QProgressBar()
        self.summary = PlainLabel(wraps=True, name="export.summary")
        self.failures = QListWidget()
        self.browse_button = QPushButton(self.tr("Choose…"))
        self.export_button = QPushButton(self.tr("Export"))
        self.close_button = QPushButton(self.tr("Close"))
        self.show_button = QPushButton(self.tr("Show the folder"))
        self._build()
        self._connect()
        self._refresh()

    def output(self) -> ExportFormat:
        """The format chosen."""
        chosen = _FORMATS[self._encoding()]
        return ExportFormat(chosen.container, chosen.bit_depth, self.rate.currentData())

    @property
    def is_running(self) -> bool:
        """Whether files are being written."""
        return self._job is not None

    def start(self) -> None:
        """Export."""
        if self.is_running or not self.export_button.isEnabled():
            return
        self._keep()
        folder, pattern, output = Path(self.folder.text()), self.pattern.text(), self.output()
        items, handles_s = self._items, self.handles.value()
        self.written = []
        self.failures.clear()
        self.failures.hide()
        self.progress.setRange(0, len(items))
        self.progress.setValue(0)

        def job(cancel: CancelToken) -> Iterator[Event]:
            return export(items, folder=folder, pattern=pattern, output=output, handles_s=handles_s, cancel=cancel)

        self._job = self._runner.run(
            job, on_event=self._on_event, on_finished=self._on_finished, on_failed=self._on_failed, name="export"
        )
        self._show_running(True)
        self.summary.setText(self.tr("Exporting…"))

    def cancel(self) -> None:
        """Stop after the sound in hand, or close."""
        if self._job is not None:
            self._job.cancel()
        else:
            self.close()

    def reject(self) -> None:
        self.cancel()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._job is not None:
            self._job.cancel()
        super().closeEvent(event)

    def _build(self) -> None:
        for text, data in (
            (self.tr("WAV, 16 bit, dithered"), "wav-16"),
            (self.tr("WAV, 24 bit"), "wav-24"),
            (self.tr("WAV, 32 bit floating point"), "wav-32f"),
            (self.tr("FLAC"), "flac"),
        ):
            self.encoding.addItem(text, data)
        self.encoding.setCurrentIndex(self.encoding.findData(self._settings.export.encoding))
        self.rate.addItem(self.tr("As each sound has it"), None)
        for rate_hz in _RATES_HZ:
            self.rate.addItem(self.tr("{0} kHz").format(f"{rate_hz / 1000:g}"), rate_hz)
        self.rate.setCurrentIndex(max(0, self.rate.findData(self._settings.export.sample_rate_hz)))
        self.handles.setRange(0.0, 30.0)
        self.handles.setSingleStep(0.1)
        self.handles.setDecimals(2)
        self.handles.setSuffix(" s")
        self.handles.lineEdit().setTextMargins(GRID + 2, 0, 0, 0)
        self.handles.setValue(self._settings.export.handle_s)
        self.preview.setProperty("role", "secondary")
        # As wide as the line above it, so that names do not wrap for nothing.
        self.preview.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.export_button.setProperty("role", "primary")
        self.export_button.setDefault(True)
        self.pattern.setToolTip(plain_tooltip(" ".join(f"{{{field}}}" for field in FIELDS)))
        form = QFormLayout()
        form.setSpacing(2 * GRID)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        place = QHBoxLayout()
        place.addWidget(self.folder, 1)
        place.addWidget(self.browse_button)
        label = PlainLabel(self.tr("&Folder"))
        label.setBuddy(self.folder)
        form.addRow(label, place)
        form.addRow(self.tr("&Names"), self.pattern)
        form.addRow("", self.preview)
        form.addRow(self.tr("For&mat"), self.encoding)
        form.addRow(self.tr("Sample &rate"), self.rate)
        if any(item.span is not None for item in self._items):
            form.addRow(self.tr("&Handles"), self.handles)
        for widget, name in (
            (self.folder, self.tr("Folder")),
            (self.pattern, self.tr("Names")),
            (self.encoding, self.tr("Format")),
            (self.rate, self.tr("Sample rate")),
            (self.handles, self.tr("Handles before and after a region")),
            (self.progress, self.tr("Progress")),
            (self.failures, self.tr("Skipped")),
        ):
            widget.setAccessibleName(name)
        buttons = QHBoxLayout()
        buttons.addWidget(self.show_button)
        buttons.addStretch()
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.export_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        layout.setSpacing(3 * GRID)
        layout.addLayout(form)
        layout.addWidget(self.progress)
        layout.addWidget(self.summary)
        layout.addWidget(self.failures)
        layout.addStretch()
        layout.addLayout(buttons)
        self.failures.setMaximumHeight(40 * GRID)
        self.progress.hide()
        self.failures.hide()
        self.show_button.hide()

    def _connect(self) -> None:
        self.folder.textChanged.connect(self._refresh)
        self.pattern.textChanged.connect(self._refresh)
        self.encoding.currentIndexChanged.connect(self._refresh)
        self.browse_button.clicked.connect(self._browse)
        self.export_button.clicked.connect(self.start)
        self.close_button.clicked.connect(self.cancel)
        self.show_button.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(self.folder.text())))

    def _encoding(self) -> Encoding:
        chosen: Encoding = self.encoding.currentData()
        return chosen

    def _refresh(self) -> None:
        """Show the first names as they would be, or why there are none."""
        folder = Path(self.folder.text())
        problem, names = "", []
        try:
            names = plan_names(
                self._items[:_PREVIEWED],
                folder=folder,
                pattern=self.pattern.text(),
                container=self.output().container,
                total=len(self._items),
            )
        except PatternError as error:
            problem = str(error)
        if not self.folder.text().strip() or not folder.is_absolute():
            problem = self.tr("Choose a folder.")
        lines = [path.name for path in names] + (["…"] if len(self._items) > _PREVIEWED else [])
        self.preview.setText(problem or "\n".join(lines))
        self.preview.setProperty("role", "failed" if problem else "secondary")
        self.preview.style().unpolish(self.preview)
        self.preview.style().polish(self.preview)
        self.export_button.setEnabled(not problem and bool(self._items) and not self.is_running)

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Export to"), self.folder.text())
        if chosen:
            self.folder.setText(chosen)

    def _keep(self) -> None:
        kept = self._settings.export
        kept.folder, kept.pattern = self.folder.text(), self.pattern.text()
        kept.encoding, kept.sample_rate_hz = self._encoding(), self.rate.currentData()
        kept.handle_s = self.handles.value()

    def _show_running(self, is_running: bool) -> None:
        for widget in (self.folder, self.pattern, self.encoding, self.rate, self.handles, self.browse_button):
            widget.setEnabled(not is_running)
        self.progress.setVisible(is_running)
        self.close_button.setText(self.tr("Cancel") if is_running else self.tr("Close"))
        self._refresh()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.progress.setValue(event.done)
        elif isinstance(event, Written):
            self.written.append(Path(event.path))
        elif isinstance(event, Skipped):
            self.failures.addItem(f"{Path(event.path).name}: {event.reason}")
            self.failures.show()

    def _on_finished(self) -> None:
        was_cancelled = self._job is not None and self._job.is_cancelled
        self._job = None
        skipped = self.failures.count()
        parts = [self._count_written()]
        if skipped:
            parts.append(self.tr("{0} could not be exported:").format(skipped))
        elif was_cancelled:
            parts.append(self.tr("The rest was left out."))
        self._show_ended(" ".join(parts))

    def _on_failed(self, error: BaseException) -> None:
        self._job = None
        parts = [str(error)] if isinstance(error, KnownError) else []
        if self.written:
            # A disk may be full after many.
            parts.append(self._count_written())
        self._show_ended(" ".join(parts))
        if not isinstance(error, KnownError):
            self._errors.bug(error)

    def _show_ended(self, told: str) -> None:
        self.summary.setText(told)
        self.show_button.setVisible(bool(self.written))
        self._show_running(False)

    def _count_written(self) -> str:
        written = len(self.written)
        return self.tr("1 file was written.") if written == 1 else self.tr("{0} files were written.").format(written)
