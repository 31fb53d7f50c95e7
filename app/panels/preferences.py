"""The preferences. A change holds at once; what needs the library opened anew says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QLocale, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QPushButton,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.panels.model_page import ModelPage
from app.panels.shortcuts import ShortcutEditor
from app.phrase import size
from app.plain import PlainLabel
from app.theme import GRID
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
            (self.tr("Shortcuts"), self._padded(ShortcutEditor(shortcuts=shortcuts))),
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
        settings = self._settings
        self.watch = self._check(self.tr("Notice changes in the folders by themselves"), settings.indexing.watch)
        self.watch.toggled.connect(lambda on: self._set_indexing("watch", on))
        self.at_start = self._check(
            self.tr("Look at all folders when the window opens"), settings.indexing.index_at_start
        )
        self.at_start.toggled.connect(lambda on: self._set_indexing("index_at_start", on))
        self.captions = self._check(self.tr("Write captions in the background"), settings.captions.enabled)
        self.captions.toggled.connect(self._on_captions)
        self.captioner_facts = self._note("", name="preferences.captioner")
        self.jobs = self._spin(self.tr("Threads"), 0, 64, settings.indexing.jobs or 0)
        self.jobs.setSpecialValueText(self.tr("One per core"))
        self.jobs.valueChanged.connect(lambda value: self._set_indexing("jobs", value or None))
        self.library_facts = self._note("", name="preferences.library")
        self.cache_facts = self._note("", name="preferences.cache")
        self.regions = self._spin(self.tr("Rendered regions"), 50, 100_000, settings.caches.regions_mib, " MiB")
        self.regions.valueChanged.connect(lambda value: setattr(settings.caches, "regions_mib", value))
        self.region_days = self._spin(self.tr("Kept for"), 1, 365, settings.caches.region_days)
        self.region_days.setSuffix(self.tr(" days"))
        self.region_days.valueChanged.connect(lambda value: setattr(settings.caches, "region_days", value))
        self.decoded = self._spin(self.tr("Sounds in memory"), 32, 8_192, settings.caches.decoded_mib, " MiB")
        self.decoded.valueChanged.connect(lambda value: setattr(settings.caches, "decoded_mib", value))
        choose = QPushButton(self.tr("Another folder…"))
        choose.clicked.connect(lambda _=False: self._choose_cache())
        empty = QPushButton(self.tr("Empty the cache"))
        empty.clicked.connect(lambda _=False: self._empty_cache())
        form = self._form()
        for check in (self.watch, self.at_start, self.captions):
            form.addRow("", check)
        form.addRow("", self.captioner_facts)
        form.addRow(self.tr("Threads"), self.jobs)
        form.addRow(self.tr("Library"), self.library_facts)
        form.addRow(self.tr("Cache"), self.cache_facts)
        form.addRow("", self._row(choose, empty))
        form.addRow(self.tr("Rendered regions"), self._row(self.regions, self.region_days))
        form.addRow(self.tr("Sounds in memory"), self.decoded)
        return self._page(form)

    def _listening_page(self) -> QWidget:
        audio = self._settings.audio
        self.output = self._combo(self.tr("Output"))
        self.output.addItem(self.tr("The system's"), None)
        self.output.currentIndexChanged.connect(lambda _: self._on_audio("output_device", self.output))
        self.input = self._combo(self.tr("Microphone"))
        self.input.addItem(self.tr("The system's"), None)
        self.input.currentIndexChanged.connect(lambda _: self._on_audio("input_device", self.input))
        self.audio_facts = self._note("", name="preferences.audio")
        form = self._form()
        form.addRow(self.tr("Output"), self.output)
        form.addRow(self.tr("Microphone"), self.input)
        form.addRow("", self.audio_facts)
        for label, name in (
            (self.tr("Play while going through the list"), "auto_audition"),
            (self.tr("Begin at the moment that matches"), "from_moment"),
            (self.tr("Skip silence"), "skip_silence"),
        ):
            check = self._check(label, getattr(audio, name))
            check.setObjectName(f"preferences.{name}")
            check.toggled.connect(lambda on, name=name: self._on_audio_flag(name, on))
            form.addRow("", check)
        return self._page(form)

    def _look_page(self) -> QWidget:
        look = self._settings.look
        self.theme = self._combo(self.tr("Colours"))
        for label, value in (
            (self.tr("Dark"), "dark"),
            (self.tr("Light"), "light"),
            (self.tr("As the system"), "system"),
        ):
            self.theme.addItem(label, value)
        self.theme.setCurrentIndex(self.theme.findData(look.theme))
        self.theme.currentIndexChanged.connect(lambda _: self._on_theme())
        self.motion = self._check(self.tr("No motion"), look.reduced_motion)
        self.motion.toggled.connect(self._on_motion)
        self.language = self._combo(self.tr("Language"))
        self.language.addItem("English", "en")
        for code in self._languages:
            self.language.addItem(QLocale(code).nativeLanguageName() or code, code)
        self.language.setCurrentIndex(max(0, self.language.findData(look.language)))
        self.language.currentIndexChanged.connect(lambda _: setattr(look, "language", self.language.currentData()))
        form = self._form()
        form.addRow(self.tr("Colours"), self.theme)
        if self._languages:
            form.addRow(self.tr("Language"), self.language)
            form.addRow("", self._note(self.tr("Another language is used from the next start on.")))
        form.addRow("", self.motion)
        return self._page(form)

    def _privacy_page(self) -> QWidget:
        self.nothing_online = self._check(self.tr("Check nothing online"), not self._settings.check_online)
        self.nothing_online.setEnabled(False)
        form = self._form()
        form.addRow("", self.nothing_online)
        form.addRow(
            "",
            self._note(
                self.tr(
                    "Earshot has nothing that would use the network: no update check, no statistics, no download of "
                    "models. Searches, captions and recordings stay on this computer. Sound files are only read."
                )
            ),
        )
        return self._page(form)

    # What is found on this computer.

    def _find(self) -> None:
        self._runner.call(_audio_devices, on_result=self._show_audio, on_failed=self._on_no_audio, name="find audio")
        self._measure_cache()
        if self._library is not None:
            self.library_facts.setText(str(self._library.folder))
            card = self._library.captioner_card()
            self.captioner_facts.setText(
                self.tr("No captioner is installed.") if card is None else self.tr("Written by {0}.").format(card.id)
            )

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

    def _set_indexing(self, name: str, value: object) -> None:
        setattr(self._settings.indexing, name, value)
        if name == "watch":
            self.indexing_changed.emit()

    def _on_captions(self, on: bool) -> None:
        self._settings.captions.enabled = on
        self.indexing_changed.emit()

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

    def _choose_cache(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Folder of the cache"))
        if chosen:
            self._settings.caches.folder = chosen
            self._measure_cache()

    def _measure_cache(self) -> None:
        place = self._settings.caches.place()

        def show(used: int) -> None:
            self.cache_facts.setText(self.tr("{0}, {1} in use").format(place, size(used)))

        self._runner.call(lambda: _folder_bytes(place), on_result=show, name="measure the cache")

    def _empty_cache(self) -> None:
        place = self._settings.caches.place() / "regions"

        def done(_: object) -> None:
            self._measure_cache()

        self._runner.call(lambda: shutil.rmtree(place, ignore_errors=True), on_result=done, name="empty the cache")

    # Building blocks.

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(4 * GRID)
        form.setVerticalSpacing(2 * GRID)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        return form

    def _page(self, form: QFormLayout) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        layout.addLayout(form)
        layout.addStretch()
        return page

    def _padded(self, widget: QWidget) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(4 * GRID, 4 * GRID, 4 * GRID, 4 * GRID)
        layout.addWidget(widget)
        return page

    def _row(self, *widgets: QWidget) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * GRID)
        for widget in widgets:
            layout.addWidget(widget)
        layout.addStretch()
        return row

    def _combo(self, name: str) -> QComboBox:
        combo = QComboBox()
        combo.setAccessibleName(name)
        return combo

    def _check(self, label: str, is_on: bool) -> QCheckBox:
        check = QCheckBox(label)
        check.setChecked(is_on)
        return check

    def _spin(self, name: str, least: int, most: int, value: int, unit: str = "") -> QSpinBox:
        spin = QSpinBox()
        spin.setRange(least, most)
        spin.setValue(value)
        spin.setSuffix(unit)
        spin.setAccessibleName(name)
        return spin

    def _note(self, text: str, *, name: str = "") -> PlainLabel:
        label = PlainLabel(text, wraps=True, name=name)
        label.setProperty("role", "secondary")
        return label


def _audio_devices() -> tuple[list[SoundDevice], list[SoundDevice]]:
    """Outputs and inputs."""
    return output_devices(), input_devices()


def _folder_bytes(folder: Path) -> int:
    measure: Callable[[Path], int] = lambda path: path.stat().st_size if path.is_file() else 0  # noqa: E731
    return sum(measure(path) for path in folder.rglob("*")) if folder.is_dir() else 0
