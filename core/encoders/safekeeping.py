"""A library's own copies of models, out of reach of updates.

An update replaces the model that ships in its place. What was embedded by the old one can then be asked only by the old
one, until everything is embedded anew; so a library keeps a copy of each model that ships and that it is embedded by.

It is a copy and no link, since an installer may write the new files into the old ones. It lies with the one library
that it is for, so that nobody has to know which other libraries there are before it can be deleted.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection
from pathlib import Path

from core.encoders.card import read_card
from core.encoders.install import copy_model
from core.encoders.load import InstalledModel, check_sizes, models_in
from core.errors import ModelError
from core.jobs import CancelToken

# What a copy leaves free on a disk, for the library to grow.
SPARE_BYTES = 200_000_000
_log = logging.getLogger(__name__)


def kept_models(place: Path) -> tuple[InstalledModel, ...]:
    """The copies in a folder; one that is not whole is left out and logged."""
    whole = []
    for model in models_in(place):
        try:
            check_sizes(model.folder, model.card)
        except ModelError as error:
            _log.warning("kept model left out: %s", error)
        else:
            whole.append(model)
    return tuple(whole)


def keep_model(model: InstalledModel, place: Path, *, cancel: CancelToken | None = None) -> None:
    """Copy a model into a folder of copies, unless it is there already. One process at a time may do so.

    Args:
        model: What is copied.
        place: The folder of copies; the copy's own folder has the model's id as its name.
        cancel: Checked between files.

    Raises:
        CancelledError: The token was set; nothing is left behind.
        ModelError: The model is damaged, or there is no room.
    """
    folder = place / model.card.id
    if _is_copy(folder, model):
        return
    size = sum(record.bytes for record in model.card.files.values())
    try:
        place.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(place).free
        if free < size + SPARE_BYTES:
            raise ModelError(f"{place} has {free // 10**6} MB left, too few for a copy of {size // 10**6} MB.")
        _take_away(folder)
    except OSError as error:
        raise ModelError(f"No model can be kept in {place}: {error.strerror or error}.") from error
    for _ in copy_model(model, folder, cancel=cancel):
        pass
    _log.info("%s is kept in %s", model.card.id, place)


def discard_models(place: Path, *, needed: Collection[str]) -> None:
    """Delete the copies whose ids are not needed, and what copying or deleting left behind when it was broken off.

    What cannot be deleted at present is left to the next time.
    """
    try:
        folders = [path for path in place.iterdir() if path.is_dir()]
    except OSError:
        return
    for folder in folders:
        if folder.name in needed:
            continue
        try:
            _take_away(folder)
        except OSError as error:
            _log.info("%s cannot be deleted yet: %s", folder, error)
        else:
            _log.info("%s is not needed any more", folder.name)


def _is_copy(folder: Path, model: InstalledModel) -> bool:
    try:
        card = read_card(folder)
        check_sizes(folder, card)
    except ModelError:
        return False
    return card.files == model.card.files


def _take_away(folder: Path) -> None:
    """Delete a folder, which is nobody's copy from the first moment on."""
    if not folder.exists():
        return
    gone = folder
    if not folder.name.startswith("."):
        gone = folder.with_name(f".{folder.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        folder.replace(gone)
    shutil.rmtree(gone)
