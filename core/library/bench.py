"""The models that a library works with: the one that answers, and the one that is being brought in."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.catalogue.catalogue import Catalogue
from core.catalogue.model import files_by_model, files_left_behind, files_of_one_model, remove_model_gently
from core.encoders.load import InstalledModel, available_models
from core.index import index_folder
from core.library.serving import Device, ServedModel
from core.library.shelf import Shelf

if TYPE_CHECKING:
    from core.encoders.card import ModelCard
    from core.encoders.protocol import DualEncoder

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
        self._target = ServedModel(catalogue, folder, wanted, device=device)
        old = _model_to_serve_meanwhile(catalogue, wanted)
        self._serving = self._target if old is None else ServedModel(catalogue, folder, old, device=device)

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
        return self._serving.encoder()

    def _finish_model_change(self) -> None:
        """Let the new model answer if it knows all files that can be reached; forget older versions of it."""
        change = self.model_change()
        if change is not None and change.files_left == 0:
            _log.info("%s takes over from %s", change.new_id, change.old_id)
            self._serving = self._target
        if self._serving is self._target:
            self._forget_older_versions()

    def _forget_older_versions(self) -> None:
        own = self._target.card
        for model_id in files_by_model(self._catalogue):
            is_older = model_id != own.id and model_id.rpartition("-")[0] == own.name
            # Files of a volume that is not there now would be lost to searching by sound when it comes back.
            if is_older and not files_of_one_model(self._catalogue, model_id):
                remove_model_gently(self._catalogue, model_id)
                shutil.rmtree(index_folder(self._folder, model_id), ignore_errors=True)


def _model_to_serve_meanwhile(catalogue: Catalogue, wanted: InstalledModel) -> InstalledModel | None:
    """The installed model that knows most of what the wanted one does not know yet, or None."""
    counts = files_by_model(catalogue)
    others = [model for model in available_models() if model.card.id != wanted.card.id and model.card.id in counts]
    if not others:
        return None
    best = max(others, key=lambda model: counts[model.card.id])
    left = files_left_behind(catalogue, old_id=best.card.id, new_id=wanted.card.id)
    return best if left else None
