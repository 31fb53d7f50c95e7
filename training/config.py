"""The recipe of the shipped retrieval model: everything that decides what its training makes, in one YAML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.encoders.card import DataSource, ModuleSpec
from training.losses import LOSSES
from training.recipe import RecipeError, load_any, recipe_path

__all__ = ["Recipe", "RecipeError", "load_recipe", "recipe_path"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Identity(_Part):
    """What the model will be called; goes onto its card."""

    name: str = Field(pattern=r"^[a-z0-9]+(?:[.-][a-z0-9]+)*$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str = Field(min_length=1)
    origin: str = Field(min_length=1)
    licence: str = "MIT"


class TrunkConfig(_Part):
    """The frozen audio encoder and what it is fed.

    Attributes:
        name: In the registry of encoders.
        taps: Blocks of it that the head is also told of (see `core.encoders.efficientat.MobileNetTrunk.summarise`).
        mel_summary: The head is also told of the log-mel itself.
        window_s: Longer clips are cut to this.
        hop_s: For the card.
        shortest_s: Shorter clips are followed by silence up to this.
        views: Views of every training clip beside the plain one: other cuts, levels, tilts and noise floors.
    """

    name: str = "mn04"
    taps: tuple[int, ...] = ()
    mel_summary: bool = False
    window_s: float = Field(default=10.0, gt=0, le=60)
    hop_s: float = Field(default=5.0, gt=0, le=60)
    shortest_s: float = Field(default=5.0, ge=0, le=60)
    views: int = Field(default=0, ge=0, le=16)

    @property
    def options(self) -> dict[str, Any]:
        """What builds the trunk, beside its name."""
        wanted = {"taps": list(self.taps), "mel_summary": self.mel_summary}
        return {name: value for name, value in wanted.items() if value}


class DataConfig(_Part):
    """Which clips and texts are learned from.

    Attributes:
        held_out_sources: Sources of the corpus none of whose clips is learned from, for the outside figures.
        duplicate_similarity: Training clips whose trunk embedding is this close (cosine) to a clip of a held-out
            source are left out too: the same recording travels from one project to another.
        titles: A clip's title counts as one more caption.
        extra_texts: CSV files (in the text folder) with a column "caption" whose texts are learned from without
            sounds: a teacher says which sounds of the batch they fit.
        class_name_frames: The class names are such texts too, put into each of these ("the sound of {}").
        class_name_share: How many of the extra texts in a batch are class names.
        background: How many training clips the model keeps to know how high a query scores by chance.
    """

    held_out_sources: tuple[str, ...] = ()
    duplicate_similarity: float = Field(default=0.95, gt=0, le=1)
    titles: bool = False
    extra_texts: tuple[str, ...] = ()
    class_name_frames: tuple[str, ...] = ("{}",)
    class_name_share: float = Field(default=0.0, ge=0, le=1)
    background: int = Field(default=512, ge=2)


class HeadConfig(_Part):
    """Both heads (see `core.encoders.profile_head`)."""

    dimension: int = Field(default=512, ge=8, le=527)
    hidden: int = Field(default=512, ge=1)
    power: float = Field(default=0.5, gt=0, le=1)
    temperature: float = Field(default=0.03, gt=0)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    input_dropout: float = Field(default=0.0, ge=0, lt=1)
    input_limit: float = Field(default=0.0, ge=0)


class TimbreConfig(_Part):
    """Numbers of the embedding for what a sound sounds like (`core.encoders.timbre`).

    Attributes:
        inputs: Ranges [first, end) of what the trunk's summary holds that are looked at.
        dimension: How many numbers.
        share: Of the embedding's squared length.
    """

    inputs: tuple[tuple[int, int], ...] = Field(min_length=1)
    dimension: int = Field(ge=1)
    share: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _holds_something(self) -> TimbreConfig:
        if not all(0 <= first < end for first, end in self.inputs):
            raise ValueError("a range of inputs begins at 0 or later and holds something")
        return self


class KnownConfig(_Part):
    """Texts that the heads know (`core.encoders.known_text`): means of the captions that were learned from.

    Attributes:
        texts: How many of them a text is read beside; at most as many as there are captions.
        text_temperature: Of the cosines to them.
        levels: How many of them tell a sound's level.
        level_temperature: Of its scores for them.
    """

    texts: int = Field(ge=1)
    text_temperature: float = Field(default=0.05, gt=0)
    levels: int = Field(ge=1)
    level_temperature: float = Field(default=0.04, gt=0)


class BlendConfig(_Part):
    """How far the heads are trusted and how far the score that needs no training (`core.encoders.blended_head`).

    Attributes:
        centres: Of what was learned from; at most as many as there are clips.
        embedding_dimension: Of the trunk's embedding, without what a summary adds.
        far: Cosine to the nearest centre of a sound that gets the largest share of the untrained score.
        near: Cosine of one that gets none.
        sound_most: The largest share on the sound's side.
        unnamed: Cosine to the nearest class name of a text that gets the least share of it.
        named: Cosine of one that gets the largest.
        text_least: The least share on the text's side.
        text_most: The largest.
        timbre: None: no numbers of the embedding are for it.
        known: None: the heads know no texts.
    """

    centres: int = Field(default=256, ge=1)
    embedding_dimension: int = Field(default=384, ge=1)
    far: float = Field(default=0.35, ge=-1, le=1)
    near: float = Field(default=0.75, ge=-1, le=1)
    sound_most: float = Field(default=0.5, ge=0, le=1)
    unnamed: float = Field(default=0.55, ge=-1, le=1)
    named: float = Field(default=0.75, ge=-1, le=1)
    text_least: float = Field(default=0.05, ge=0, le=1)
    text_most: float = Field(default=0.25, ge=0, le=1)
    timbre: TimbreConfig | None = None
    known: KnownConfig | None = None

    @model_validator(mode="after")
    def _is_in_order(self) -> BlendConfig:
        if not (self.far < self.near and self.unnamed < self.named and self.text_least <= self.text_most):
            raise ValueError("far is below near, unnamed below named, and text_least at most text_most")
        return self


class LossConfig(ModuleSpec):
    """A loss by name, its options and its weight.

    Attributes:
        texts: "captions" are those of the batch's clips; "extra" are texts without sounds of their own;
            "unheard" are texts that describe no sound at all.
    """

    weight: float = Field(default=1.0, gt=0)
    texts: str = Field(default="captions", pattern=r"^(captions|extra|unheard)$")

    @model_validator(mode="after")
    def _is_known(self) -> LossConfig:
        if self.name not in LOSSES:
            raise ValueError(f"there is no loss {self.name!r}, there are {', '.join(LOSSES)}")
        try:
            LOSSES[self.name](**self.options)
        except TypeError as error:
            raise ValueError(f"the loss {self.name} has no such option ({error})") from error
        return self


class ProfileLoopConfig(_Part):
    """Optimiser, schedule and batches; for `average` see `training.tasks.profile.ProfileTask`."""

    epochs: int = Field(default=25, ge=1)
    average: float = Field(default=0.0, ge=0, lt=1)
    batch: int = Field(default=512, ge=2)
    extra_batch: int = Field(default=512, ge=0)
    unheard_batch: int = Field(default=128, ge=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    warmup_steps: int = Field(default=50, ge=0)
    clip_norm: float = Field(default=5.0, gt=0)
    patience: int = Field(default=1000, ge=1)


class OutsideClass(_Part):
    """One class of the held-out evaluation: which clips belong to it and how people ask for it.

    A clip of a held-out source belongs to the class when every given pattern is found (`re.search`, lower case).
    """

    name: str
    queries: tuple[str, ...] = Field(min_length=1)
    title: str = ""
    captions: str = ""
    category: str = ""


class Recipe(_Part):
    """A training run."""

    task: Literal["profile"] = "profile"
    identity: Identity
    seed: int = Field(default=0, ge=0)
    trunk: TrunkConfig = TrunkConfig()
    data: DataConfig = DataConfig()
    head: HeadConfig = HeadConfig()
    blend: BlendConfig | None = None
    losses: tuple[LossConfig, ...] = Field(min_length=1)
    loop: ProfileLoopConfig = ProfileLoopConfig()
    outside: tuple[OutsideClass, ...] = ()
    absurd_queries: tuple[str, ...] = ()
    kept_matches: float = Field(default=0.9, gt=0, lt=1)
    starts_from: tuple[DataSource, ...] = ()


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe of the shipped model's kind (see `training.recipe.load_any`).

    Raises:
        RecipeError: The file cannot be read, a key is unknown or a value out of bounds, or it is of another kind.
    """
    recipe = load_any(path, overrides)
    if not isinstance(recipe, Recipe):
        raise RecipeError(f"The recipe {path} is of another kind: {recipe.task}.", "Give one like earshot-base.")
    return recipe
