"""Brings models from folders into the user's own, and takes them out again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from core.config import user_models_folder
from core.encoders.card import CARD_FILE, read_card
from core.encoders.load import InstalledModel, available_models, read_checked
from core.errors import ModelError
from core.jobs import CancelToken, Event, Progress


def install_model(
    source: Path, *, name: str | None = None, target: Path | None = None, cancel: CancelToken | None = None
) -> Iterator[Event]:
    """A job: copy a model that was trained by `python -m training`, or a CLAP checkpoint, into the user's models.

    Args:
        source: Its folder.
        name: For a checkpoint; a trained model has its name in its card.
        target: Where models lie; the user's models if None.
        cancel: Stops the job; nothing is left behind.

    Raises:
        CancelledError: The token was set.
        ModelError: The folder holds no model, it is damaged, or its name is taken.
    """
    if not (source / CARD_FILE).is_file():
        from core.encoders.clap_import import import_clap

        yield from import_clap(source, name=name, target=target, cancel=cancel)
        return
    card = read_card(source)
    folder = (target or user_models_folder()) / card.id
    if folder.exists() or any(model.card.id == card.id for model in available_models()):
        raise ModelError(f"There is a model {card.id} already.", "Train it under another version, or remove that one.")
    yield from copy_model(InstalledModel(source, card), folder, cancel=cancel)


def copy_model(model: InstalledModel, folder: Path, *, cancel: CancelToken | None = None) -> Iterator[Event]:
    """A job: copy a model to a folder that is not there yet; whatever happens, it appears whole or not at all.

    Args:
        model: What is copied. Its files are checked against its card.
        folder: Where to.
        cancel: Stops the job; nothing is left behind.

    Raises:
        CancelledError: The token was set.
        ModelError: The model is damaged, or there is no room for a copy.
    """
    cancel = cancel or CancelToken()
    card = model.card
    partial = folder.with_name(f".{card.id}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        for done, file in enumerate(card.files):
            cancel.check()
            yield Progress("import", done, len(card.files), file)
            _write(partial / file, read_checked(model.folder, card, file))
        _write(partial / CARD_FILE, (card.model_dump_json(indent=2) + "\n").encode("utf-8"))
        partial.replace(folder)
        yield Progress("import", len(card.files), len(card.files), card.id)
    except OSError as error:
        raise ModelError(f"The model cannot be copied: {error.strerror or error}.", "Free some space.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    """Write a file and have it on the disk before its folder gets its name."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def uninstall_model(model_id: str, *, target: Path | None = None) -> None:
    """Delete one of the user's own models.

    Raises:
        ModelError: It is none of the user's.
    """
    place = (target or user_models_folder()).resolve()
    for model in available_models():
        if model.card.id == model_id and model.folder.resolve().parent == place:
            shutil.rmtree(model.folder)
            return
    raise ModelError(f"{model_id} is none of your own models.", "Models that ship with Earshot cannot be removed.")
