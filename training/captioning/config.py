"""The recipe of a captioner (see `training.recipe`)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.captioning.card import Remembering
from core.encoders.card import DataSource
from training.captioning.scene import FRONT_DB
from training.config import Identity
from training.loop import LoopConfig, MonitorConfig
from training.optim import OptimiserConfig
from training.recipe import PaperRow
from training.retrieval.config import AudioPart, DataPart
from training.schedule import ScheduleConfig


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HeldOutPart(_Part):
    """What is not learned from although it is in a training split.

    Attributes:
        recipe: Whose held-out sources are left out, and training clips that are copies of theirs; "": nobody's.
        duplicate_similarity: From this cosine of the encoder's embeddings on, two clips count as one recording.
    """

    recipe: str = ""
    duplicate_similarity: float = Field(default=0.95, gt=0, le=1)


class DecoderPart(_Part):
    """The decoder.

    Attributes:
        name: "transformer": CNext-trans (`core.captioning.decoder`); "prefixed-transformer": before the frames comes
            the clip's embedding in the shipped search model's space (`core.captioning.prefixed`).
        prefix: Places of that embedding, and of each stretch's.
        stretches: Of the clip, whose embeddings come next.
        summary_dropout: Of what the encoder tells of the clip beyond its last block (`audio.options`).
    """

    name: Literal["transformer", "prefixed-transformer"] = "transformer"
    heads: int = Field(default=4, ge=1)
    layers: int = Field(default=6, ge=1)
    width: int = Field(default=256, ge=8)
    hidden: int = Field(default=2048, ge=8)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    projection_dropout: float = Field(default=0.5, ge=0, lt=1)
    prefix: int = Field(default=4, ge=1)
    stretches: int = Field(default=4, ge=0)
    summary_dropout: float = Field(default=0.4, ge=0, lt=1)


class WordsPart(_Part):
    """The vocabulary, and which captions are learned.

    Attributes:
        least: Words of fewer training captions are left out.
        consensus: Of a clip's captions those that agree with the others are drawn more often: a caption's share grows
            by e for each 1 / consensus of CIDEr-D that it has against the others; 0: all are drawn alike.
    """

    least: int = Field(default=1, ge=1)
    consensus: float = Field(default=0.0, ge=0)


class AugmentationPart(_Part):
    """What happens to a batch before the decoder sees it.

    Attributes:
        smoothing: Of the labels.
        mixup: Alpha of the Beta distribution; 0: none. One lambda a batch, frames and words alike, targets unmixed.
        mixup_share: Share of the batches that are mixed.
        time_stripes: Stripes of frames that are blanked.
        time_widest: Frames of a stripe at most.
        feature_stripes: The same of features.
        feature_widest: See there.
        deaf: Share of clips whose frames are all hidden, so that the embeddings alone have to do.
    """

    smoothing: float = Field(default=0.2, ge=0, lt=1)
    mixup: float = Field(default=0.4, ge=0)
    mixup_share: float = Field(default=1.0, ge=0, le=1)
    time_stripes: int = Field(default=6, ge=0)
    time_widest: int = Field(default=4, ge=1)
    feature_stripes: int = Field(default=2, ge=0)
    feature_widest: int = Field(default=2, ge=1)
    deaf: float = Field(default=0.0, ge=0, lt=1)


class ScenesPart(_Part):
    """Scenes of two training clips, for order (see `training.captioning.scene`).

    Attributes:
        count: So many are made; 0: none.
        an_epoch: So many of them are learned from in an epoch.
        superposed: Share in which both sound at once.
        front_db: How much louder the first of these is, from and to.
        far: Share of these whose second is far away.
        front_words: Also say "in front of" and the like (`training.captioning.relation.FRONT`).
        batch: Scenes in a batch.
        untruth_weight: Of a second loss: the true caption should be likelier than one whose relation is replaced or
            whose propositions are swapped; 0: none.
        unprefixed: Share of scenes whose embedding as a whole is hidden, since it tells what is heard, but not when.
        judged: Scenes of validation and of test clips each, for the perturbation tests.
    """

    count: int = Field(default=0, ge=0)
    an_epoch: int = Field(default=0, ge=0)
    superposed: float = Field(default=0.4, ge=0, le=1)
    front_db: tuple[float, float] = FRONT_DB
    far: float = Field(default=0.0, ge=0, le=1)
    front_words: bool = False
    batch: int = Field(default=64, ge=1)
    untruth_weight: float = Field(default=0.0, ge=0)
    unprefixed: float = Field(default=0.0, ge=0, lt=1)
    judged: int = Field(default=800, ge=4)

    @model_validator(mode="after")
    def _are_enough(self) -> ScenesPart:
        if self.an_epoch > self.count:
            raise ValueError(f"of {self.count} scenes an epoch cannot have {self.an_epoch}")
        return self


class WritingPart(_Part):
    """How captions are written (see `core.captioning.card.Writing`).

    Only an exported captioner has a memory, of the clips that it learned from, if these have a share of the votes.
    """

    beams: int = Field(default=3, ge=1)
    shortest: int = Field(default=3, ge=1)
    longest: int = Field(default=20, ge=2, le=64)
    consensus: float = Field(default=0.0, ge=0)
    memory: Remembering = Remembering()


class CaptioningRecipe(_Part):
    """A captioner.

    Attributes:
        identity: For the card of an exported captioner; only one with a prefixed decoder can be exported.
        paper: The published row, if there is one.
        starts_from: For the card.
    """

    task: Literal["captioning"]
    description: str = Field(min_length=1)
    identity: Identity | None = None
    paper: PaperRow | None = None
    seed: int = Field(default=0, ge=0)
    data: DataPart = DataPart(sampler="one")
    held_out: HeldOutPart = HeldOutPart()
    audio: AudioPart = AudioPart(encoder="convnext-tiny", checkpoint="convnext_tiny_465mAP_BL_AC_70kit.pth")
    words: WordsPart = WordsPart()
    decoder: DecoderPart = DecoderPart()
    augmentation: AugmentationPart = AugmentationPart()
    scenes: ScenesPart = ScenesPart()
    writing: WritingPart = WritingPart()
    loop: LoopConfig = LoopConfig(
        epochs=400,
        clip_norm=1.0,
        optimiser=OptimiserConfig(learning_rate=5e-4, weight_decay=2.0, undecayed="biases"),
        schedule=ScheduleConfig(kind="cosine", per="epoch"),
        monitor=MonitorConfig(name="sbert_sim"),
    )
    starts_from: tuple[DataSource, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> CaptioningRecipe:
        if not self.audio.is_cached or self.audio.tuned != "none":
            raise ValueError("a captioner's encoder is frozen and its frames are kept")
        if self.data.sampler != "one":
            raise ValueError("a captioner draws one caption of each clip: data.sampler is one")
        if self.decoder.name == "transformer" and (self.augmentation.deaf or self.scenes.unprefixed):
            raise ValueError("only a decoder with a prefix can have it, or all frames, hidden")
        if self.decoder.name != "transformer" and not self.audio.encoder.startswith("mn"):
            raise ValueError("the prefix is made of a MobileNet's classes: choose the encoder of the shipped model")
        return self
