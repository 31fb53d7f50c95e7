"""Model folders: which there are, and opening one.

A folder holds `card.json` and the files that it lists: `audio.safetensors` (`trunk.*`, `head.*`), `text.safetensors`
(`tower.*`, `head.*`), `tokenizer.json` and `background.safetensors` (`embeddings`, and `example_turn` where the model
has one). Nothing in it is ever executed. This module does without torch until a half of the encoder is needed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.config import RESOURCES, user_models_folder
from core.encoders.card import BACKGROUND_FILE, CARD_FILE, CLAP, ModelCard, read_card
from core.encoders.relevance import Relevance
from core.errors import ModelError

if TYPE_CHECKING:
    from core.encoders.protocol import DualEncoder

_WAY_OUT = "Install the model again, or choose another."
DEFAULT_MODEL = "earshot-base"
ENCODER_KIND = "dual-encoder"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model folder and its card."""

    folder: Path
    card: ModelCard


def available_models() -> tuple[InstalledModel, ...]:
    """Models that ship with the program, then the user's own; newest version of a name first.

    A folder whose card cannot be read is left out and logged.
    """
    return (*models_in(RESOURCES / "models"), *models_in(user_models_folder()))


def models_in(place: Path) -> list[InstalledModel]:
    """The models whose folders lie in a folder, the default first, newest version of a name first.

    A folder whose card cannot be read is left out and logged.
    """
    models: list[InstalledModel] = []
    for card_file in place.glob(f"*/{CARD_FILE}"):
        # A folder with a dot is one that is being written.
        if card_file.parent.name.startswith(".") or card_kind(card_file.parent) != ENCODER_KIND:
            continue
        try:
            models.append(InstalledModel(card_file.parent, read_card(card_file.parent)))
        except ModelError as error:
            _logger.warning("model left out: %s", error)
    models.sort(key=lambda model: [-int(number) for number in model.card.version.split(".")])
    models.sort(key=lambda model: (model.card.name != DEFAULT_MODEL, model.card.name))
    return models


def is_bundled(model: InstalledModel) -> bool:
    """Whether a model lies where the program's own do, which an update of the program replaces."""
    return model.folder.parent == RESOURCES / "models"


def card_kind(folder: Path) -> str:
    """What sort of model a folder holds: "captioner" or whatever its card says, "dual-encoder" where it does not."""
    try:
        fields = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ENCODER_KIND  # What is wrong with it is told where it is read.
    kind = fields.get("kind") if isinstance(fields, dict) else None
    return kind if isinstance(kind, str) else ENCODER_KIND


def find_model(wanted: str | None = None) -> InstalledModel:
    """A model by its id or name; None: the one that ships as the default.

    Raises:
        ModelError: There is none.
    """
    models = available_models()
    for model in models:
        if (wanted or DEFAULT_MODEL) in (model.card.id, model.card.name):
            return model
    there = f"There are: {', '.join(model.card.id for model in models)}." if models else "No model is installed."
    raise ModelError(f"The model {wanted or DEFAULT_MODEL} is not installed.", there)


def load_relevance(folder: Path) -> Relevance:
    """The calibration of a model; does not need torch.

    Raises:
        ModelError: The folder is missing, incomplete or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    card = read_card(folder)
    try:
        tensors = load(read_checked(folder, card, BACKGROUND_FILE))
        background = tensors["embeddings"]
    except (SafetensorError, KeyError) as error:
        raise ModelError(
            f"The model file {folder / BACKGROUND_FILE} holds no background: {error}.", _WAY_OUT
        ) from error
    if background.ndim != 2 or background.shape[1] != card.dimension or len(background) < 2:
        message = f"The background of {card.id} has the shape {background.shape} and not (sounds, {card.dimension})."
        raise ModelError(message, _WAY_OUT)
    turn = tensors.get("example_turn")
    if turn is not None and turn.shape != (card.dimension, card.dimension):
        message = f"The turn of examples of {card.id} has the shape {turn.shape} and not twice {card.dimension}."
        raise ModelError(message, _WAY_OUT)
    return Relevance(
        card.calibration,
        background.astype("float32"),
        turn=None if turn is None else turn.astype("float32"),
    )


def load_dual_encoder(folder: Path, *, device: Literal["auto", "cpu", "cuda"] = "auto") -> DualEncoder:
    """Open a model folder. Files are checked for presence and size now, and for content when a half is needed.

    Args:
        folder: With a `card.json`.
        device: For the audio half; "auto" takes CUDA where there is one. Text is always done on the CPU.

    Raises:
        ModelError: The folder is missing, incomplete or of another kind; or CUDA was demanded and there is none.
    """
    card = read_card(folder)
    check_sizes(folder, card)
    if card.architecture.trunk.name == CLAP:
        from core.encoders.clap import ClapEncoder

        return ClapEncoder(card, lambda name: read_checked(folder, card, name), device=device)
    from core.encoders.assembly import assemble

    return assemble(card, read=lambda name: read_checked(folder, card, name), device=device)


def read_checked(folder: Path, card: ModelCard, name: str) -> bytes:
    """A file of a model, if it is the one that the card means.

    Raises:
        ModelError: It is missing, cannot be read, or was changed.
    """
    path = folder / name
    record = card.files[name]
    _check_size(path, record.bytes)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error}.", _WAY_OUT) from error
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise ModelError(f"The model file {path} is damaged: its checksum is not that of its card.", _WAY_OUT)
    return content


def check_sizes(folder: Path, card: ModelCard) -> None:
    """Look whether all files of a model are there and of their size; their content is not read.

    Raises:
        ModelError: One is missing or of another size.
    """
    for name, record in card.files.items():
        _check_size(folder / name, record.bytes)


def _check_size(path: Path, expected: int) -> None:
    try:
        size = path.stat().st_size
    except OSError:
        raise ModelError(f"The model is incomplete: {path} is missing.", _WAY_OUT) from None
    if size != expected:
        raise ModelError(f"The model file {path} is damaged: it has {size} bytes and not {expected}.", _WAY_OUT)
