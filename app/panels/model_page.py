"""The page of the preferences for the device and the models: which there are, which is used, import and removal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QFileDialog,
    QMessageBox,
    QPushButton,
    QWidget,
)

from app.phrase import size, sounds
from app.plain import PlainLabel
from app.widgets.form import choice, form_on, note, side_by_side
from core.config import user_models_folder
from core.errors import CancelledError, KnownError
from core.jobs import CancelToken, Event, Progress

if TYPE_CHECKING:
    from app.errors import ErrorCentre
    from app.jobs import JobRunner
    from app.jobs.runner import JobHandle
    from app.settings import Settings
    from core.encoders.card import ModelCard
    from core.encoders.device import FoundDevice
    from core.library import Library


class ModelPage(QWidget):
    """What listens to the sounds. Another choice holds when it is applied, since the library is opened anew for it.

    Attributes:
        applied: The library shall be opened anew with the model and the device that the settings now name.
    """

    applied = Signal()

    def __init__(self, *, runner: JobRunner, settings: Settings, errors: ErrorCentre, library: Library | None) -> None:
        super().__init__()
        self._runner, self._settings, self._errors, self._library = runner, settings, errors, library
        self._cards: dict[str, ModelCard] = {}
        self._own: frozenset[str] = frozenset()
        self._default = ""
        self._import: JobHandle | None = None
        self._build()
        self._find()

    def import_folder(self, folder: Path) -> None:
        """Copy a trained model or a CLAP checkpoint into the user's models, in the background."""
        from core.library import import_model

        known = set(self._cards)

        def job(cancel: CancelToken) -> Iterator[Event]:
            yield from import_model(folder, cancel=cancel)

        def done() -> None:
            self._end_import("")
            self._read_models(choose_other_than=known)

        def failed(error: BaseException) -> None:
            if isinstance(error, CancelledError):
                self._end_import(self.tr("The import was cancelled; nothing was kept."))
            elif isinstance(error, KnownError):
                self._end_import(str(error))
            else:
                self._end_import(self.tr("The import failed."))
                self._errors.raised(error)

        self._say(self.import_facts, self.tr("Importing {0}…").format(folder.name))
        self._form.setRowVisible(self._cancelling, True)
        self.import_button.setEnabled(False)
        self._import = self._runner.run(
            job, on_event=self._on_import_event, on_finished=done, on_failed=failed, name="import a model"
        )

    def remove_chosen(self) -> None:
        """Delete the chosen model, which is one of the user's own, from disk."""
        from core.library import remove_model

        chosen = self.model.currentData() or ""

        def failed(error: BaseException) -> None:
            if isinstance(error, KnownError):
                self._say(self.import_facts, str(error))
            else:
                self._errors.raised(error)

        self._runner.call(
            lambda: remove_model(chosen), on_result=lambda _: self._on_removed(chosen), on_failed=failed, name="remove"
        )

    # How it is put together.

    def _build(self) -> None:
        self.device = choice(self.tr("Device"))
        for label, value in (
            (self.tr("The fastest that there is"), "auto"),
            (self.tr("Graphics card (CUDA)"), "cuda"),
            (self.tr("Processor (CPU)"), "cpu"),
        ):
            self.device.addItem(label, value)
        self.device.setCurrentIndex(self.device.findData(self._settings.device))
        self.devices_found = note(self.tr("Looking for devices…"), name="preferences.devices")
        self.model = choice(self.tr("Model"))
        self.model_facts = note("", name="preferences.model")
        self.change_facts = note("", name="preferences.change")
        self.import_facts = note("", name="preferences.import")
        self.apply_button = self._button(self.tr("Use these now"), self._apply)
        self.apply_button.setEnabled(False)
        self.import_button = self._button(self.tr("Import a model…"), self._choose_import)
        self.cancel_button = self._button(self.tr("Cancel the import"), self._cancel_import)
        self.remove_button = self._button(self.tr("Remove this model…"), self._ask_removal)
        self.folder_button = self._button(self.tr("Open the folder of models"), self._open_folder)
        self.device.currentIndexChanged.connect(lambda _: self._show_choice())
        self.model.currentIndexChanged.connect(lambda _: self._show_choice())
        self._form = form = form_on(self)
        form.addRow(self.tr("Device"), self.device)
        form.addRow("", self.devices_found)
        form.addRow(self.tr("Model"), self.model)
        form.addRow("", self.model_facts)
        form.addRow("", self.change_facts)
        form.addRow("", side_by_side(self.apply_button))
        form.addRow(self.tr("Your models"), side_by_side(self.import_button, self.remove_button, self.folder_button))
        self._cancelling = side_by_side(self.cancel_button)
        form.addRow("", self._cancelling)
        form.addRow("", self.import_facts)
        form.addRow(
            "",
            note(
                self.tr(
                    "A folder with a model that you trained, or with a CLAP checkpoint as transformers saves it "
                    "(config.json, model.safetensors, tokenizer), can be imported. It is copied."
                ),
                name="preferences.import_hint",
            ),
        )
        form.setRowVisible(self._cancelling, False)
        self._say(self.change_facts, "")
        self._say(self.import_facts, "")

    def _say(self, line: PlainLabel, text: str) -> None:
        """Put a sentence; without one its line is not there at all."""
        line.setText(text)
        self._form.setRowVisible(line, bool(text))

    # What is found.

    def _find(self) -> None:
        from core.encoders.device import found_devices

        self._runner.call(found_devices, on_result=self._show_devices, name="find devices")
        self._read_models()

    def _read_models(self, *, choose_other_than: set[str] | None = None) -> None:
        from core.library import models, own_models

        def show(found: tuple[tuple[ModelCard, ...], frozenset[str]]) -> None:
            cards, self._own = found
            new = [card.id for card in cards if choose_other_than is not None and card.id not in choose_other_than]
            self._show_models(cards, chosen=new[0] if new else "")
            if new:
                self._say(
                    self.import_facts, self.tr("{0} is imported and chosen. “Use these now” takes it.").format(new[0])
                )

        self._runner.call(lambda: (models(), own_models()), on_result=show, name="find models")

    def _show_devices(self, devices: tuple[FoundDevice, ...]) -> None:
        cuda = [device for device in devices if device.kind == "cuda"]
        lines = [self.tr("Found: {0} ({1})").format(device.name, size(device.memory_bytes)) for device in cuda]
        lines += [self.tr("Processor: {0}").format(device.name) for device in devices if device.kind == "cpu"]
        if not cuda:
            lines.insert(0, self.tr("No CUDA device was found; the processor is used."))
        self.devices_found.setText("\n".join(lines))

    def _show_models(self, cards: tuple[ModelCard, ...], *, chosen: str) -> None:
        self._cards = {card.id: card for card in cards}
        self._default = next((card.id for card in cards if card.id not in self._own), "")
        blocked = self.model.blockSignals(True)
        self.model.clear()
        for card in cards:
            own = self.tr("{0} (yours)").format(card.id) if card.id in self._own else card.id
            self.model.addItem(own, card.id)
        wanted = chosen or self._settings.model or self._model_in_use()
        self.model.setCurrentIndex(max(0, self.model.findData(wanted)))
        self.model.blockSignals(blocked)
        self._show_choice()

    def _show_choice(self) -> None:
        chosen, in_use = self.model.currentData() or "", self._model_in_use()
        card = self._cards.get(chosen)
        is_other = chosen not in ("", self._settings.model or in_use)
        self.apply_button.setEnabled(self.device.currentData() != self._settings.device or is_other)
        self.remove_button.setEnabled(chosen in self._own and chosen not in (in_use, self._settings.model))
        self._say(self.change_facts, self._cost_of_change() if is_other else "")
        if card is None:
            self.model_facts.setText(self.tr("No model is installed."))
            return
        facts = self.tr(
            "{0}\nWindows of {1} s every {2} s at {3} kHz, {4} numbers each. "
            "They belong to the model and cannot be set. Licence: {5}."
        )
        self.model_facts.setText(
            facts.format(
                card.description,
                f"{card.window_s:g}",
                f"{card.hop_s:g}",
                f"{card.sample_rate_hz / 1000:g}",
                card.dimension,
                card.licence,
            )
        )

    def _cost_of_change(self) -> str:
        if self._library is None:
            return self.tr("With another model all sounds are listened to again.")
        files = sum(sum(root.files_by_state.values()) for root in self._library.roots())
        return self.tr(
            "With this model all of the library ({0}) is listened to again. Until that is done the present model "
            "answers, and its index stays, so that you can go back."
        ).format(sounds(files))

    def _model_in_use(self) -> str:
        return self._library.wanted_card.id if self._library is not None else ""

    # What is done.

    def _apply(self) -> None:
        self._settings.device = self.device.currentData()
        chosen = self.model.currentData() or ""
        # The one that ships has no version here: an update brings another, which is to be used then.
        self._settings.model = "" if chosen == self._default else chosen
        self._show_choice()
        self.apply_button.setEnabled(False)
        self.applied.emit()

    def _choose_import(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Folder of a model"))
        if chosen:
            self.import_folder(Path(chosen))

    def _cancel_import(self) -> None:
        if self._import is not None:
            self._import.cancel()

    def _on_import_event(self, event: Event) -> None:
        if isinstance(event, Progress) and event.total:
            self._say(
                self.import_facts,
                self.tr("Importing: {0} of {1}, {2}").format(event.done, event.total, event.item or ""),
            )

    def _end_import(self, message: str) -> None:
        self._import = None
        self._say(self.import_facts, message)
        self.import_button.setEnabled(True)
        self._form.setRowVisible(self._cancelling, False)

    def _ask_removal(self) -> None:
        chosen = self.model.currentData() or ""
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(self.tr("Delete the model {0} from this computer?").format(chosen))
        box.setInformativeText(self.tr("The folder that it was imported from stays as it is."))
        remove = box.addButton(self.tr("Delete"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        remove.clicked.connect(lambda _=False: self.remove_chosen())
        box.open()

    def _on_removed(self, model_id: str) -> None:
        self._say(self.import_facts, self.tr("{0} was removed.").format(model_id))
        self._read_models()

    def _open_folder(self) -> None:
        folder = user_models_folder()
        folder.mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _button(self, text: str, do: Callable[[], object]) -> QPushButton:
        button = QPushButton(text)
        button.clicked.connect(lambda _=False: do())
        return button
