"""The preferences. A change holds at once; what needs the library opened anew says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QLocale, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.panels.indexing_page import IndexingPage
from app.panels.model_page import ModelPage
from app.panels.shortcuts import ShortcutEditor
from app.theme import GRID
from app.widgets.form import choice, form_on, note, switch
from core.audio.device import SoundDevice, input_devices, output_devices
from core.errors import KnownError

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.settings import Settings
    from app.shortcut import ShortcutMap
    from core.library import Library

PAGES = ("search", "indexing", "listening", "look", "shortcuts", "privacy")


class PreferencesDialog(QDialog):
    """One page a subject.

    Attributes:
        theme_changed: Dark, light or the system's was chosen.
        reopen_requested: The library shall be opened anew, with another model or device.
        indexing_changed: Watching or captioning was switched.
        audio_changed: Another output or input was chosen.
    """

    theme_changed = Signal()
    reopen_requested = Signal()
    indexing_changed = Signal()
    audio_changed = Signal()

    def __init__(
        self,
        *,
        runner: JobRunner,
        settings: Settings,
        errors: ErrorCentre,
        shortcuts: ShortcutMap,
        library: Library | None,
        languages: Sequence[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._languages = languages
        self.setWindowTitle(self.tr("Preferences"))
        self.setObjectName("preferences")
        self.resize(170 * GRID, 140 * GRID)
        self._runner, self._settings, self._errors = runner, settings, errors
        self._library = library
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName(self.tr("Pages"))
        for title, page in (
            (self.tr("Search"), self._search_page()),
            (self.tr("Indexing"), self._indexing_page()),
            (self.tr("Listening"), self._listening_page()),
            (self.tr("Look"), self._look_page()),
            (self.tr("Shortcuts"), _padded(ShortcutEditor(shortcuts=shortcuts))),
            (self.tr("Privacy"), self._privacy_page()),
        ):
            self.tabs.addTab(page, title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.addWidget(self.tabs)
        self._find()

    def show_page(self, name: str) -> None:
        """Show a page by its name; see `PAGES`."""
        if name in PAGES:
            self.tabs.setCurrentIndex(PAGES.index(name))

    def closeEvent(self, event: QCloseEvent) -> None:
        self._keep()
        super().closeEvent(event)

    def _keep(self) -> None:
        problem = self._settings.save()
        if problem:
            self._errors.notice(problem)

    # Pages.

    def _search_page(self) -> QWidget:
        self.models = ModelPage(
            runner=self._runner, settings=self._settings, errors=self._errors, library=self._library
        )
        self.models.applied.connect(self._on_applied)
        return self.models

    def _indexing_page(self) -> QWidget:
        self.indexing = IndexingPage(runner=self._runner, settings=self._settings, library=self._library)
        self.indexing.changed.connect(self.indexing_changed)
        return self.indexing

    def _listening_page(self) -> QWidget:
        audio = self._settings.audio
        self.output = choice(self.tr("Output"))
        self.output.addItem(self.tr("The system's"), None)
        self.output.currentIndexChanged.connect(lambda _: self._on_audio("output_device", self.output))
        self.input = choice(self.tr("Microphone"))
        self.input.addItem(self.tr("The system's"), None)
        self.input.currentIndexChanged.connect(lambda _: self._on_audio("input_device", self.input))
        self.audio_facts = note("", name="preferences.audio")
        page = QWidget()
        form = form_on(page)
        form.addRow(self.tr("Output"), self.output)
        form.addRow(self.tr("Microphone"), self.input)
        form.addRow("", self.audio_facts)
        for label, name in (
            (self.tr("Play while going through the list"), "auto_audition"),
            (self.tr("Begin at the moment that matches"), "from_moment"),
            (self.tr("Skip silence"), "skip_silence"),
        ):
            check = switch(label, getattr(audio, name))
            check.setObjectName(f"preferences.{name}")
            check.toggled.connect(lambda on, name=name: self._on_audio_flag(name, on))
            form.addRow("", check)
        return page

    def _look_page(self) -> QWidget:
        look = self._settings.look
        self.theme = choice(self.tr("Colours"))
        for label, value in (
            (self.tr("Dark"), "dark"),
            (self.tr("Light"), "light"),
            (self.tr("As the system"), "system"),
        ):
            self.theme.addItem(label, value)
        self.theme.setCurrentIndex(self.theme.findData(look.theme))
        self.theme.currentIndexChanged.connect(lambda _: self._on_theme())
        self.motion = switch(self.tr("No motion"), look.reduced_motion)
        self.motion.toggled.connect(self._on_motion)
        self.language = choice(self.tr("Language"))
        self.language.addItem("English", "en")
        for code in self._languages:
            self.language.addItem(QLocale(code).nativeLanguageName() or code, code)
        self.language.setCurrentIndex(max(0, self.language.findData(look.language)))
        self.language.currentIndexChanged.connect(lambda _: setattr(look, "language", self.language.currentData()))
        page = QWidget()
        form = form_on(page)
        form.addRow(self.tr("Colours"), self.theme)
        if self._languages:
            form.addRow(self.tr("Language"), self.language)
            form.addRow("", note(self.tr("Another language is used from the next start on.")))
        form.addRow("", self.motion)
        return page

    def _privacy_page(self) -> QWidget:
        self.nothing_online = switch(self.tr("Check nothing online"), not self._settings.check_online)
        self.nothing_online.setEnabled(False)
        page = QWidget()
        form = form_on(page)
        form.addRow("", self.nothing_online)
        form.addRow(
            "",
            note(
                self.tr(
                    "Earshot has nothing that would use the network: no update check, no statistics, no download of "
                    "models. Searches, captions and recordings stay on this computer. Sound files are only read."
                )
            ),
        )
        return page

    # What is found on this computer.

    def _find(self) -> None:
        self._runner.call(_audio_devices, on_result=self._show_audio, on_failed=self._on_no_audio, name="find audio")

    def _show_audio(self, devices: tuple[list[SoundDevice], list[SoundDevice]]) -> None:
        for combo, found, chosen in (
            (self.output, devices[0], self._settings.audio.output_device),
            (self.input, devices[1], self._settings.audio.input_device),
        ):
            blocked = combo.blockSignals(True)
            for device in found:
                combo.addItem(device.name if device.name.isprintable() else repr(device.name), device.key)
            if chosen is not None and combo.findData(chosen) < 0:
                combo.addItem(self.tr("{0} (not connected)").format(chosen), chosen)
            combo.setCurrentIndex(max(0, combo.findData(chosen)))
            combo.blockSignals(blocked)
        if not devices[0]:
            self.audio_facts.setText(self.tr("No output was found. Connect one, or check the system's sound settings."))

    def _on_no_audio(self, error: BaseException) -> None:
        if isinstance(error, KnownError):
            self.audio_facts.setText(str(error))
        else:
            self._errors.raised(error)

    # What is changed.

    def _on_applied(self) -> None:
        self._keep()
        self.reopen_requested.emit()

    def _on_audio(self, name: str, combo: QComboBox) -> None:
        setattr(self._settings.audio, name, combo.currentData())
        self.audio_changed.emit()

    def _on_audio_flag(self, name: str, on: bool) -> None:
        setattr(self._settings.audio, name, on)
        self.audio_changed.emit()

    def _on_theme(self) -> None:
        self._settings.look.theme = self.theme.currentData()
        self.theme_changed.emit()

    def _on_motion(self, on: bool) -> None:
        self._settings.look.reduced_motion = on
        self.theme_changed.emit()


def _padded(widget: QWidget) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
    layout.addWidget(widget)
    return page


def _audio_devices() -> tuple[list[SoundDevice], list[SoundDevice]]:
    """Outputs and inputs."""
    return output_devices(), input_devices()
