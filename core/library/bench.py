"""The models that a library works with: the one that answers, and the one that is being brought in."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from core.catalogue.catalogue import Catalogue
from core.catalogue.model import (
    files_by_model,
    files_left_behind,
    files_of_one_model,
    holds_files,
    remove_model_gently,
)
from core.encoders.load import InstalledModel, available_models, is_bundled
from core.encoders.safekeeping import discard_models, keep_model, kept_models
from core.errors import ModelError
from core.index import index_folder
from core.jobs import CancelToken
from core.library.serving import Device, ServedModel
from core.library.shelf import Shelf

if TYPE_CHECKING:
    from core.encoders.card import ModelCard
    from core.encoders.protocol import DualEncoder

_Answer = TypeVar("_Answer")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A library on its way from one model to another; searches are answered by the old one until it is done.

    Attributes:
        old_id: The model that answers.
        new_id: The model that files are being embedded with.
        files_left: Reachable files that only the old one knows.
    """

    old_id: str
    new_id: str
    files_left: int


class ModelBench(Shelf):
    """Holds the model that answers and the one that was asked for; mostly they are the same.

    Args:
        catalogue: The library's database.
        folder: The library's own folder.
        wanted: The model that was asked for.
        device: Where sounds are embedded.
    """

    def __init__(self, catalogue: Catalogue, folder: Path, wanted: InstalledModel, *, device: Device) -> None:
        super().__init__(catalogue, folder)
        self._device: Device = device
        self._kept_models = folder / "models"
        self._is_lack_told = False
        self._target = ServedModel(catalogue, folder, wanted, device=device)
        self._serving = self._old_model() or self._target

    @property
    def card(self) -> ModelCard:
        """The card of the model that answers searches."""
        return self._serving.card

    @property
    def wanted_card(self) -> ModelCard:
        """The card of the model that was asked for; it answers as soon as `embed` has been through with it."""
        return self._target.card

    def model_change(self) -> ModelChange | None:
        """How far the library is on its way to another model, or None where it is not on any."""
        old, new = self._serving.card.id, self._target.card.id
        if old == new:
            return None
        return ModelChange(old, new, files_left_behind(self._catalogue, old_id=old, new_id=new))

    def encoder(self) -> DualEncoder:
        """The encoder that answers searches, loaded when it is first needed.

        Raises:
            ModelError: Its files are damaged, or the device is not there.
        """
        return self._ask(lambda serving: serving.encoder())

    def _ask(self, ask: Callable[[ServedModel], _Answer]) -> _Answer:
        """Ask the model that answers; once more if another took over meanwhile, since the old one may be gone by now.

        Raises:
            ModelError: Its files are damaged.
        """
        while True:
            serving = self._serving
            try:
                answer = ask(serving)
            except ModelError:
                if serving is self._serving:
                    raise
            else:
                if serving is self._serving:
                    return answer

    def _keep_model(self, cancel: CancelToken) -> None:
        """Put the wanted model by if it ships: the library can still be searched when an update has replaced it."""
        model = self._target.model
        if not is_bundled(model) or not holds_files(self._catalogue):
            return
        try:
            keep_model(model, self._kept_models, cancel=cancel)
        except ModelError as error:
            # Told once; every change in a folder tries again.
            level = logging.INFO if self._is_lack_told else logging.WARNING
            self._is_lack_told = True
            _log.log(
                level,
                "%s cannot be kept: %s After an update of Earshot meaning would join file by file.",
                model.card.id,
                error,
            )

    def _finish_model_change(self) -> None:
        """Let the new model answer if it knows all files that can be reached; forget older versions of it."""
        change = self.model_change()
        if change is not None and change.files_left == 0:
            _log.info("%s takes over from %s", change.new_id, change.old_id)
            self._serving = self._target
        if self._serving is self._target:
            self._forget_older_versions()
        discard_models(self._kept_models, needed={self._target.card.id, *files_by_model(self._catalogue)})

    def _forget_older_versions(self) -> None:
        own = self._target.card
        for model_id in files_by_model(self._catalogue):
            is_older = model_id != own.id and model_id.rpartition("-")[0] == own.name
            # Files of a volume that is not there now would be lost to searching by sound when it comes back.
            if is_older and not files_of_one_model(self._catalogue, model_id):
                remove_model_gently(self._catalogue, model_id)
                shutil.rmtree(index_folder(self._folder, model_id), ignore_errors=True)

    def _old_model(self) -> ServedModel | None:
        """The model that knows most of what the wanted one does not know yet, installed or kept, or None."""
        own = self._target.card.id
        counts = files_by_model(self._catalogue)
        counts.pop(own, None)
        if not counts:
            return None
        present = {model.card.id: model for model in (*kept_models(self._kept_models), *available_models())}
        for model_id in sorted(counts.keys() & present.keys(), key=lambda model_id: -counts[model_id]):
            if not files_left_behind(self._catalogue, old_id=model_id, new_id=own):
                return None
            try:
                return ServedModel(self._catalogue, self._folder, present[model_id], device=self._device)
            except ModelError as error:
                _log.warning("%s cannot answer until %s knows all files: %s", model_id, own, error)
        return None
