"""The page of the preferences for indexing: folders, captions, threads, and the size and place of the cache."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QPushButton, QWidget

from app.phrase import size
from app.widgets.form import form_on, note, number, side_by_side, switch

if TYPE_CHECKING:
    from app.jobs import JobRunner
    from app.settings import Settings
    from core.library import Library

# Recordings are no cache: questions of the past refer to them.
_EMPTIED = ("regions", "waveforms")
_CACHE_NAME = "Earshot cache"


class IndexingPage(QWidget):
    """How sounds come into the library, and what is kept of them beside it.

    Attributes:
        changed: Watching or captioning was switched.
    """

    changed = Signal()

    def __init__(self, *, runner: JobRunner, settings: Settings, library: Library | None) -> None:
        super().__init__()
        self._runner, self._settings = runner, settings
        self._build(settings)
        self._measure_cache()
        if library is not None:
            self.library_facts.setText(str(library.folder))
            card = library.captioner_card()
            self.captioner_facts.setText(
                self.tr("No captioner is installed.") if card is None else self.tr("Written by {0}.").format(card.id)
            )

    def put_cache_in(self, folder: Path) -> None:
        """Have the cache in a folder of its own there, so that emptying it touches nothing that lies beside it."""
        place = folder if folder.name == _CACHE_NAME else folder / _CACHE_NAME
        self._settings.caches.folder = str(place)
        self._measure_cache()

    def _build(self, settings: Settings) -> None:
        self.watch = switch(self.tr("Notice changes in the folders by themselves"), settings.indexing.watch)
        self.watch.toggled.connect(lambda on: self._set_indexing("watch", on))
        self.at_start = switch(self.tr("Look at all folders when the window opens"), settings.indexing.index_at_start)
        self.at_start.toggled.connect(lambda on: self._set_indexing("index_at_start", on))
        self.captions = switch(self.tr("Write captions in the background"), settings.captions.enabled)
        self.captions.toggled.connect(self._on_captions)
        self.captioner_facts = note("", name="preferences.captioner")
        self.jobs = number(self.tr("Threads"), 0, 64, settings.indexing.jobs or 0)
        self.jobs.setSpecialValueText(self.tr("One per core"))
        self.jobs.valueChanged.connect(lambda value: self._set_indexing("jobs", value or None))
        self.library_facts = note("", name="preferences.library")
        self.cache_facts = note("", name="preferences.cache")
        self.regions = number(self.tr("Rendered regions"), 50, 100_000, settings.caches.regions_mib, " MiB")
        self.regions.valueChanged.connect(lambda value: setattr(settings.caches, "regions_mib", value))
        self.region_days = number(self.tr("Kept for"), 1, 365, settings.caches.region_days)
        self.region_days.setSuffix(self.tr(" days"))
        self.region_days.valueChanged.connect(lambda value: setattr(settings.caches, "region_days", value))
        self.decoded = number(self.tr("Sounds in memory"), 32, 8_192, settings.caches.decoded_mib, " MiB")
        self.decoded.valueChanged.connect(lambda value: setattr(settings.caches, "decoded_mib", value))
        choose = QPushButton(self.tr("Another folder…"))
        choose.clicked.connect(lambda _=False: self._choose_cache())
        self.empty_button = QPushButton(self.tr("Empty the cache…"))
        self.empty_button.clicked.connect(lambda _=False: self._ask_emptying())
        form = form_on(self)
        for check in (self.watch, self.at_start, self.captions):
            form.addRow("", check)
        form.addRow("", self.captioner_facts)
        form.addRow(self.tr("Threads"), side_by_side(self.jobs))
        form.addRow(self.tr("Library"), self.library_facts)
        form.addRow(self.tr("Cache"), self.cache_facts)
        form.addRow("", side_by_side(choose, self.empty_button))
        form.addRow(self.tr("Rendered regions"), side_by_side(self.regions, self.region_days))
        form.addRow(self.tr("Sounds in memory"), side_by_side(self.decoded))
        form.addRow("", note(self.tr("Another place or size of the cache is used from the next start on.")))

    def _set_indexing(self, name: str, value: object) -> None:
        setattr(self._settings.indexing, name, value)
        if name == "watch":
            self.changed.emit()

    def _on_captions(self, on: bool) -> None:
        self._settings.captions.enabled = on
        self.changed.emit()

    def _choose_cache(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Folder of the cache"))
        if chosen:
            self.put_cache_in(Path(chosen))

    def _measure_cache(self) -> None:
        place = self._settings.caches.place()

        def show(used: int) -> None:
            self.cache_facts.setText(self.tr("{0}, {1} in use").format(place, size(used)))

        self._runner.call(lambda: _folder_bytes(place), on_result=show, name="measure the cache")

    def _ask_emptying(self) -> None:
        box = QMessageBox(self)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(self.tr("Empty the cache?"))
        box.setInformativeText(
            self.tr(
                "Regions that were dragged into other programs lie in it. A project that refers to one of them without "
                "having copied it would miss it."
            )
        )
        agree = box.addButton(self.tr("Empty it"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(self.tr("Cancel"), QMessageBox.ButtonRole.RejectRole)
        agree.clicked.connect(lambda _=False: self._empty_cache())
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def _empty_cache(self) -> None:
        place = self._settings.caches.place()

        def work() -> None:
            for name in _EMPTIED:
                shutil.rmtree(place / name, ignore_errors=True)

        self._runner.call(work, on_result=lambda _: self._measure_cache(), name="empty the cache")


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
