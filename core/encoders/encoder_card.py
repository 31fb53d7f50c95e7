"""Our own format of an audio encoder on disk: a folder with `encoder.safetensors` and `card.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from core.encoders.checkpoint import LoadReport, load_state
from core.encoders.registry import create_encoder, encoder_config
from core.errors import ModelError

WEIGHTS_NAME = "encoder.safetensors"
CARD_NAME = "card.json"
_HASH_BLOCK_BYTES = 1 << 20


class EncoderCard(BaseModel):
    """What an imported encoder is and where it came from.

    Attributes:
        architecture: Name in the registry.
        options: Keyword arguments beyond those that the name stands for.
        sample_rate_hz: Rate of its waveforms.
        dimension: Length of its embedding.
        parameters: Number of trainable ones.
        paper: Who described it.
        origin: Where its checkpoints are published.
        licence: Of the checkpoint, as far as is known.
        licence_basis: Where that is written, or that nobody has looked it up at its source.
        source_file: Name of the file that was imported.
        source_sha256: Of that file.
        missing: Our tensors that it did not hold.
        left_over: Its tensors that have no place here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: str
    options: dict[str, Any] = Field(default_factory=dict)
    sample_rate_hz: int = Field(gt=0)
    dimension: int = Field(gt=0)
    parameters: int = Field(gt=0)
    paper: str
    origin: str
    licence: str
    licence_basis: str = "Unverified."
    source_file: str
    source_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    missing: tuple[str, ...] = ()
    left_over: tuple[str, ...] = ()


def describe_encoder(
    name: str, encoder: nn.Module, source: Path, report: LoadReport, *, options: Mapping[str, Any] | None = None
) -> EncoderCard:
    """Write the card of an encoder that was loaded from `source`."""
    config = encoder_config(name)
    return EncoderCard(
        architecture=name,
        options=dict(options or {}),
        sample_rate_hz=config.sample_rate_hz,
        dimension=config.dimension,
        parameters=sum(parameter.numel() for parameter in encoder.parameters()),
        paper=config.paper,
        origin=config.source,
        licence=config.licence,
        licence_basis=config.licence_basis,
        source_file=source.name,
        source_sha256=_sha256(source),
        missing=report.missing,
        left_over=report.left_over,
    )


def save_encoder(encoder: nn.Module, card: EncoderCard, folder: Path) -> None:
    """Write weights and card; each file appears whole or not at all, the card last."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()}
    unfinished = folder / f"{WEIGHTS_NAME}.part"
    save_file(state, unfinished, metadata={"architecture": card.architecture})
    unfinished.replace(folder / WEIGHTS_NAME)
    unfinished = folder / f"{CARD_NAME}.part"
    unfinished.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    unfinished.replace(folder / CARD_NAME)


def load_encoder(folder: Path) -> tuple[nn.Module, EncoderCard]:
    """Read an encoder back, in evaluation mode.

    Raises:
        ModelError: The folder is missing, incomplete or of another kind than its card says.
        UnknownEncoderError: The card names an architecture that this version does not have.
    """
    way_out = "Import the checkpoint again with python -m training import-checkpoint."
    try:
        card = EncoderCard.model_validate_json((folder / CARD_NAME).read_bytes())
        state = load_file(folder / WEIGHTS_NAME)
    except OSError as error:
        raise ModelError(f"There is no whole encoder in {folder}: {error}.", way_out) from error
    except ValidationError as error:
        raise ModelError(f"The card in {folder} is not of an encoder: {error}.", way_out) from error
    except SafetensorError as error:
        raise ModelError(f"The weights in {folder} cannot be read: {error}.", way_out) from error
    encoder = create_encoder(card.architecture, **card.options)
    load_state(encoder, state, expected=card.architecture)
    return encoder.eval(), card


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
