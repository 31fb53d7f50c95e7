"""The card of a captioning model: one JSON file that says what it is and how its files are to be read. Without torch.

A model folder holds `card.json`, `captioner.safetensors` (`trunk.*`, `head.*`, `decoder.*`, `kinds.*` in float16, and
`memory.*` where there is one) and `words.json` (the vocabulary, the tagger's class names and the kinds of sound).
Nothing in it is ever executed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.encoders.card import DataSource, FileRecord, ModuleSpec, QualityFigure
from core.errors import ModelError

CARD_FILE = "card.json"
WEIGHTS_FILE = "captioner.safetensors"
WORDS_FILE = "words.json"

# So many numbers speak for what stands in front (see `OrderFit.front`).
_FRONT_LEADS, _OLDER_FRONT_LEADS = 8, 4

_SLUG = r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$"
_WAY_OUT = "Install the captioning model again, or choose another."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CaptionArchitecture(_Part):
    """The modules of a captioner: what listens, what places the clip among texts, what writes, and what remembers what
    was said of sounds that are known (`core.captioning.memory`; None: nothing does)."""

    trunk: ModuleSpec
    audio_head: ModuleSpec
    decoder: ModuleSpec
    memory: ModuleSpec | None = None


class Remembering(_Part):
    """How known sounds vote on a caption (see `core.captioning.memory`).

    Attributes:
        share: Of all votes that is theirs; the rest is that of the captions that the search found.
        nearest: So many of them vote.
        sharpness: The higher, the more the nearest of them count.
    """

    share: float = Field(default=0.0, ge=0, le=1)
    nearest: int = Field(default=20, ge=1, le=100)
    sharpness: float = Field(default=20.0, ge=0)


class Writing(_Part):
    """How captions are written.

    Attributes:
        beams: Of the search; 1 is greedy.
        shortest: Words before a caption may end.
        longest: Tokens after which it has to.
        consensus: How sharply the likelier captions count where the one comes first that all agree with (see
            `core.captioning.consensus`); 0: the likeliest comes first.
        memory: How known sounds vote, where the captioner has a memory.
    """

    beams: int = Field(default=3, ge=1, le=16)
    shortest: int = Field(default=3, ge=1)
    longest: int = Field(default=24, ge=2, le=64)
    consensus: float = Field(default=0.0, ge=0)
    memory: Remembering = Remembering()


class ConfidenceFit(_Part):
    """Log-odds that a caption says what is heard, from what the search and the tagger say.

    Attributes:
        log_probability: Factor of the caption's mean log-probability.
        agreement: Factor of the share of content words that all beams have in common with it.
        kind: Factor of the probability of the likeliest kind of sound.
        bias: Constant.
        threshold: Below this confidence tags are shown instead.
    """

    log_probability: float
    agreement: float
    kind: float
    bias: float
    threshold: float = Field(gt=0, lt=1)


class OrderFit(_Part):
    """How much each witness weighs in a judgement on two sounds of a scene (see `training.captioning.order`).

    Attributes:
        relation: Log-odds that one sound follows the other: factors of how much the scene changes, of how alike its
            parts are, of the pause between them and of both witnesses' leads, and a constant.
        order: Factors of the captioner's and the search model's leads, for the one that comes first.
        front: For the one that stands in front, of the leads of the search model's known texts, then of the tagger's,
            in the whole, the loudest quarter, the loudest third and the softer half. Older cards have four factors,
            of leads that are no longer asked for.
        weights: Of the log-probabilities of words, relation and order, of the propositions' fit by the captioner and by
            the search model, and of the latter's word on the caption as a whole.
    """

    relation: tuple[float, float, float, float, float, float]
    order: tuple[float, float]
    front: tuple[float, ...]
    weights: tuple[float, float, float, float, float, float]

    @field_validator("front")
    @classmethod
    def _of_this_or_older_cards(cls, front: tuple[float, ...]) -> tuple[float, ...]:
        if len(front) not in (_FRONT_LEADS, _OLDER_FRONT_LEADS):
            raise ValueError(f"there are {_FRONT_LEADS} factors, or on older cards {_OLDER_FRONT_LEADS}")
        return front

    @property
    def is_outdated(self) -> bool:
        """Whether it is an older card's, with which scenes can no longer be judged."""
        return len(self.front) != _FRONT_LEADS


class Tagging(_Part):
    """When a class or a kind becomes a tag.

    Attributes:
        class_probability: Of the tagger's classes.
        kind_probability: Of the kinds of sound.
        most: Tags at most.
    """

    class_probability: float = Field(default=0.2, gt=0, lt=1)
    kind_probability: float = Field(default=0.5, gt=0, lt=1)
    most: int = Field(default=5, ge=1)


class CaptionerCard(_Part):
    """Everything there is to know about a captioner.

    Attributes:
        kind: Tells it from a search model's card.
        id: Written beside every caption in a library: name and version.
        origin: How the model came about, in a sentence or two.
        licence: Of the weights themselves.
        data: What it was trained on and starts from.
        sample_rate_hz: Of the mono sound that it takes.
        window_s: Longest piece that gets one caption.
        shortest_s: Shorter pieces are followed by silence up to this, as they were in training.
        files: Size and checksum by file name.
        order: For judging captions of two sounds; None: this was not fitted.
        seed: Of the training run.
        command: That trained and exported it.
    """

    format: Literal[1] = 1
    kind: Literal["captioner"] = "captioner"
    id: str = Field(pattern=_SLUG)
    name: str = Field(pattern=_SLUG)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str = Field(min_length=1)
    origin: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    data: tuple[DataSource, ...]
    architecture: CaptionArchitecture
    sample_rate_hz: int = Field(ge=8000, le=384000)
    window_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    shortest_s: Annotated[float, Field(ge=0, le=60)] = 5.0
    writing: Writing = Writing()
    tagging: Tagging = Tagging()
    confidence: ConfidenceFit
    order: OrderFit | None = None
    files: dict[str, FileRecord]
    quality: dict[str, QualityFigure]
    seed: int = Field(ge=0)
    command: str = Field(min_length=1)

    @model_validator(mode="after")
    def _parts_agree(self) -> CaptionerCard:
        if self.id != f"{self.name}-{self.version}":
            raise ValueError(f"the id of {self.name} {self.version} is {self.name}-{self.version}, not {self.id}")
        if set(self.files) != {WEIGHTS_FILE, WORDS_FILE}:
            raise ValueError(f"a captioner has the files {WEIGHTS_FILE} and {WORDS_FILE}")
        if self.shortest_s > self.window_s:
            raise ValueError(f"nothing of {self.shortest_s} s fits into a window of {self.window_s} s")
        return self


def read_captioner_card(folder: Path) -> CaptionerCard:
    """Read the card of a captioner's folder.

    Raises:
        ModelError: There is no card, or it is damaged or of another kind.
    """
    path = folder / CARD_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ModelError(f"{folder} is no model folder: it has no {CARD_FILE}.", _WAY_OUT) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The model card {path} cannot be read: {error}.", _WAY_OUT) from error
    try:
        return CaptionerCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(
            f"The card {path} is damaged, of another version or of no captioner: {place}: {first['msg']}.", _WAY_OUT
        ) from error


def read_captioner_file(folder: Path, card: CaptionerCard, name: str) -> bytes:
    """A file of a captioner, if it is the one that the card means.

    Raises:
        ModelError: It is missing, cannot be read, or was changed.
    """
    path, record = folder / name, card.files[name]
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"The captioning model is incomplete: {path} is missing.", _WAY_OUT) from None
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error}.", _WAY_OUT) from error
    if len(content) != record.bytes or hashlib.sha256(content).hexdigest() != record.sha256:
        raise ModelError(f"The model file {path} is damaged: its checksum is not that of its card.", _WAY_OUT)
    return content
