"""The card of a model: one JSON file that says what it is and how its files are to be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator, model_validator

from core.errors import ModelError

CARD_FILE = "card.json"
AUDIO_FILE = "audio.safetensors"
TEXT_FILE = "text.safetensors"
TOKENIZER_FILE = "tokenizer.json"
BACKGROUND_FILE = "background.safetensors"
WEIGHT_FILES = (AUDIO_FILE, TEXT_FILE, TOKENIZER_FILE, BACKGROUND_FILE)
CLAP = "clap"
CLAP_FILES = ("config.json", "preprocessor_config.json", "model.safetensors", TOKENIZER_FILE)
"""Trunk and files of a checkpoint that was imported (see `core.encoders.clap`)."""

_SLUG = r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSource(_Part):
    """Something that the model was trained on or starts from.

    Attributes:
        name: What it is called.
        licence: Under which it came, or "mixed" with the details in `note`.
        hours: Of sound; 0 where it is none (weights, text).
        items: Recordings, captions or whatever it is made of.
        note: Where it came from, and anything that matters for its use.
    """

    name: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    hours: float = Field(default=0.0, ge=0)
    items: int = Field(default=0, ge=0)
    note: str = ""


class ModuleSpec(_Part):
    """A module by its name in a registry and the keyword arguments that build it."""

    name: str = Field(pattern=_SLUG)
    options: dict[str, JsonValue] = Field(default_factory=dict)


class Architecture(_Part):
    """The modules of a dual encoder."""

    trunk: ModuleSpec
    text_tower: ModuleSpec
    audio_head: ModuleSpec
    text_head: ModuleSpec


class FileRecord(_Part):
    """Size and SHA-256 of a file beside the card."""

    bytes: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class QualityFigure(_Part):
    """A measured figure and the command that prints it."""

    value: float
    command: str = Field(min_length=1)
    note: str = ""


class LogisticFit(_Part):
    """Log-odds of a match = `score` * s + `surprise` * z + `bias` (see `core.encoders.relevance`).

    Neither factor is negative: more similar is never less relevant.
    """

    score: float = Field(ge=0)
    surprise: float = Field(ge=0)
    bias: float


class Calibration(_Part):
    """From scores to probabilities, for queries by text and by example clip.

    Attributes:
        clip_whitening: How far an example is turned away from what most sounds have in common before it is compared,
            0 (not at all) to 1 (see `core.encoders.relevance.Relevance.example`); `clip` is fitted with it.
        contest_lead: By how much, in log-odds, a sound must be what is wanted rather than what is not, to stay where
            a query has a negative (see `core.search.fusion.contest`).
    """

    text: LogisticFit
    clip: LogisticFit
    clip_whitening: float = Field(default=0.0, ge=0.0, le=1.0)
    contest_lead: float = Field(default=0.5, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_asked_no_more(cls, fields: Any) -> Any:
        """Models up to 1.4 judged texts by a third fit; those that a library still keeps are judged by `text`."""
        if not isinstance(fields, dict):
            return fields
        return {name: value for name, value in fields.items() if name != "verified"}


class ModelCard(_Part):
    """Everything there is to know about a model.

    Attributes:
        id: Written beside every embedding in a library: name and version.
        origin: How the model came about, in a sentence or two.
        data: What it was trained on and starts from.
        licence: Of the weights themselves.
        sample_rate_hz: Of the mono sound that it takes.
        window_s: Longest piece that becomes one embedding.
        hop_s: From one window of a long sound to the next.
        shortest_s: Shorter pieces are followed by silence up to this, as they were in training.
        dimension: Length of an embedding.
        files: Size and checksum by file name.
        seed: Of the training run.
        command: That trained and exported it.
    """

    format: Literal[1] = 1
    id: str = Field(pattern=_SLUG)
    name: str = Field(pattern=_SLUG)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str = Field(min_length=1)
    origin: str = Field(min_length=1)
    data: tuple[DataSource, ...]
    licence: str = Field(min_length=1)
    architecture: Architecture
    sample_rate_hz: int = Field(ge=8000, le=384000)
    window_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    hop_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    shortest_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    dimension: int = Field(ge=1, le=4096)
    files: dict[str, FileRecord]
    quality: dict[str, QualityFigure]
    calibration: Calibration
    seed: int = Field(ge=0)
    command: str = Field(min_length=1)

    @field_validator("files")
    @classmethod
    def _files_are_plain_names(cls, files: dict[str, FileRecord]) -> dict[str, FileRecord]:
        for name in files:
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
                raise ValueError(f"{name!r} is no plain file name")
        return files

    @model_validator(mode="after")
    def _parts_agree(self) -> ModelCard:
        if self.id != f"{self.name}-{self.version}":
            raise ValueError(f"the id of {self.name} {self.version} is {self.name}-{self.version}, not {self.id}")
        if self.hop_s > self.window_s:
            raise ValueError(f"a hop of {self.hop_s} s leaves gaps between windows of {self.window_s} s")
        if self.shortest_s > self.window_s:
            raise ValueError(f"nothing of {self.shortest_s} s fits into a window of {self.window_s} s")
        needed: tuple[str, ...] = CLAP_FILES if self.architecture.trunk.name == CLAP else WEIGHT_FILES
        missing = sorted(set(needed) - set(self.files))
        if missing:
            raise ValueError(f"not listed: {', '.join(missing)}")
        return self


def read_card(folder: Path) -> ModelCard:
    """Read the card of a model folder.

    Raises:
        ModelError: There is no card, or it is damaged or of another kind.
    """
    try:
        text = (folder / CARD_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ModelError(f"{folder} is no model folder: it has no {CARD_FILE}.", _WAY_OUT) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The model card {folder / CARD_FILE} cannot be read: {error}.", _WAY_OUT) from error
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(
            f"The model card {folder / CARD_FILE} is damaged or of another version: {place}: {first['msg']}.", _WAY_OUT
        ) from error


_WAY_OUT = "Install the model again, or choose another."
