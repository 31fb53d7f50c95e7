"""The recipe of a published retrieval model, and that of the captioner behind auxiliary captions."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from core.encoders.card import ModuleSpec
from core.encoders.registry import encoder_names
from core.encoders.text import text_encoder_names
from training.data.layout import Layout
from training.data.text_augmentation import TextAugmentation
from training.loop import LoopConfig
from training.losses import LOSSES
from training.optim import OptimiserConfig
from training.recipe import PaperRow

SHIPPED = "earshot-base"
"""In place of a checkpoint: the encoder inside the model that ships with the program."""
_PAIR_LOSSES = ("nt-xent", "info-nce", "triplet-sum", "triplet-max", "triplet-weighted", "sigmoid")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SetConfig(_Part):
    """One data set.

    Attributes:
        folder: Below the data folder of the command line; ".": that folder itself.
        layout: See `training.data.layout`.
        version: Of AudioCaps.
        splits: Which of its splits are used.
        exclude: See `training.data.layout.load_dataset`; folders below the data folder.
    """

    folder: str = "."
    layout: Layout = "auto"
    version: Literal["1", "2"] | None = None
    splits: tuple[Literal["train", "valid", "test"], ...] = ("train", "valid", "test")
    exclude: tuple[str, ...] = ()


class DataPart(_Part):
    """What is learned from, and how it is dealt into batches.

    Attributes:
        sets: Together they are one.
        batch: Pairs, of all processes together.
        sampler: "every": each caption a pair of its own; "one": one random caption of each clip an epoch.
        apart: No two captions of one group in a batch.
        keep_rest: Use the pairs that do not fill a batch.
        synthetic: JSON lines `{"id", "captions"}`: more captions for training clips (see `training.synthesise`).
        learned: Learn from so many clips at most, the first by a seeded order; None: all.
    """

    sets: tuple[SetConfig, ...] = (SetConfig(),)
    batch: int = Field(default=32, ge=2)
    sampler: Literal["every", "one"] = "every"
    apart: bool = False
    keep_rest: bool = False
    synthetic: str = ""
    learned: int | None = Field(default=None, ge=2)


class SpecAugmentConfig(_Part):
    """Stripes that are blanked on the log-mel while training (Park et al. 2019); zero stripes: none."""

    time_stripes: int = Field(default=2, ge=0)
    time_frames: int = Field(default=64, ge=1)
    mel_stripes: int = Field(default=2, ge=0)
    mel_bins: int = Field(default=8, ge=1)


class WaveAugmentConfig(_Part):
    """What happens to a waveform while training (see `training.data.wave_augmentation`).

    Attributes:
        gain_db: Louder or softer by so much at most; 0: neither.
        noise_share: Share of the sounds that get a noise floor; 0: none.
        noise_snr_db: How far below the sound it lies, from and to.
    """

    gain_db: float = Field(default=7.0, ge=0, le=40)
    noise_share: float = Field(default=0.0, ge=0, le=1)
    noise_snr_db: tuple[float, float] = (10.0, 40.0)

    @model_validator(mode="after")
    def _goes_up(self) -> WaveAugmentConfig:
        if self.noise_snr_db[0] > self.noise_snr_db[1]:
            raise ValueError("noise_snr_db goes from the smaller distance to the larger one")
        return self


class AudioPart(_Part):
    """The audio encoder.

    Attributes:
        encoder: In the registry.
        options: Keyword arguments beyond those that its name stands for.
        checkpoint: A published file below the weights folder, or a folder of `import-checkpoint`; "earshot-base": from
            the model that ships; "": fresh parameters.
        tuned: "none": frozen, its features are computed once and kept; "last": the last `tuned_blocks` of a MobileNet
            learn, on maps that are kept; "all": it learns, from waveforms.
        tuned_blocks: See there.
        cached: False: run a frozen encoder on waveforms in every epoch, for augmentation's sake.
        learning_rate_factor: Of the encoder, to that of the recipe.
        seconds: Longer clips are cut: in training at random, else from their beginning.
        shortest_s: Shorter clips are followed by silence.
        spec_augment: None: none. Only on waveforms, and only where the encoder has a log-mel of its own.
        wave_augment: None: none. Only on waveforms.
    """

    encoder: str = "mn04"
    options: dict[str, JsonValue] = Field(default_factory=dict)
    checkpoint: str = SHIPPED
    tuned: Literal["none", "last", "all"] = "none"
    tuned_blocks: int = Field(default=2, ge=1, le=2)
    cached: bool = True
    learning_rate_factor: float = Field(default=1.0, gt=0)
    seconds: float = Field(default=10.0, gt=0, le=60)
    shortest_s: float = Field(default=5.0, ge=0, le=60)
    spec_augment: SpecAugmentConfig | None = None
    wave_augment: WaveAugmentConfig | None = None

    @field_validator("encoder")
    @classmethod
    def _encoder_is_known(cls, name: str) -> str:
        if name not in encoder_names():
            raise ValueError(f"there is no audio encoder {name!r}, there are {', '.join(encoder_names())}")
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> AudioPart:
        if self.tuned == "last" and not self.encoder.startswith("mn"):
            raise ValueError("only the last blocks of a MobileNet (mn04, mn10, mn40) can be tuned by themselves")
        for name in ("spec_augment", "wave_augment"):
            if getattr(self, name) is not None and self.is_cached:
                raise ValueError(f"{name} needs waveforms: set tuned to all, or cached to false")
        return self

    @property
    def is_cached(self) -> bool:
        """Whether features are kept in place of waveforms."""
        return self.tuned == "last" or (self.tuned == "none" and self.cached)


class TextPart(_Part):
    """The text encoder.

    Attributes:
        encoder: See `core.encoders.text`.
        folder: Below the weights folder; "earshot-base": from the model that ships (MiniLM only).
        dimension: Of the folder's model, where it is not the usual one.
        layers: Likewise.
        tuned: "none": frozen, its embeddings are computed once and kept; "all": it learns.
        learning_rate_factor: Of the encoder, to that of the recipe.
        dropout: Of the encoder while training; None: as its paper has it.
        augmentation: Changes of the captions while training; None: none. Only with an encoder that learns.
    """

    encoder: str = "minilm-l6"
    folder: str = SHIPPED
    dimension: int | None = Field(default=None, ge=8)
    layers: int | None = Field(default=None, ge=1)
    tuned: Literal["none", "all"] = "none"
    learning_rate_factor: float = Field(default=1.0, gt=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    augmentation: TextAugmentation | None = None

    @model_validator(mode="after")
    def _is_known(self) -> TextPart:
        if self.augmentation is not None and self.tuned == "none":
            raise ValueError("augmentation needs the words themselves: set tuned to all")
        if self.encoder not in text_encoder_names():
            raise ValueError(f"there is no text encoder {self.encoder!r}, there are {', '.join(text_encoder_names())}")
        if self.folder == SHIPPED and (self.encoder != "minilm-l6" or self.tuned == "all"):
            raise ValueError(f"only a frozen minilm-l6 comes from {SHIPPED}; give the folder of {self.encoder}")
        return self


class HeadPart(_Part):
    """Both projections (see `core.encoders.retrieval_head`).

    Attributes:
        hidden: Width inside the MLP; None: `dimension`.
    """

    dimension: int = Field(default=1024, ge=8, le=4096)
    projection: Literal["linear", "mlp"] = "mlp"
    hidden: int | None = Field(default=None, ge=8)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    pooling: Literal["clip", "mean", "mean-max", "aggregated"] = "clip"


class LossPart(ModuleSpec):
    """The loss between sounds and texts."""

    name: str = "nt-xent"

    @model_validator(mode="after")
    def _is_known(self) -> LossPart:
        if self.name not in _PAIR_LOSSES:
            raise ValueError(f"there is no loss {self.name!r} of pairs, there are {', '.join(_PAIR_LOSSES)}")
        try:
            LOSSES[self.name](**self.options)
        except TypeError as error:
            raise ValueError(f"the loss {self.name} has no such option ({error})") from error
        return self


class HciPart(_Part):
    """Hierarchical cross-modal interaction in place of the loss (Xin and Zou).

    Attributes:
        alpha: Weight of frames and words; 0: off.
        beta: Weight of segments and phrases; 0: off.
        temperature: Of all levels.
        parts: Segments of a sound and phrases of a text.
        exclude_same_audio: See `training.losses.hci`.
        score: How a text and a sound are compared in the end: "levels": the levels' similarities added with the same
            weights; "vector": clip and sentence alone. The paper does not say.
    """

    alpha: float = Field(default=0.5, ge=0)
    beta: float = Field(default=0.1, ge=0)
    temperature: float = Field(default=0.07, gt=0)
    parts: int = Field(default=10, ge=1)
    exclude_same_audio: bool = False
    score: Literal["levels", "vector"] = "levels"


class TapPart(_Part):
    """Text-aware attention pooling (Tymofieiev)."""

    projection: int = Field(default=2048, ge=8)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    shared_norm: bool = False


class AuxiliaryPart(_Part):
    """Auxiliary captions (Xin and Zou), written beforehand by a run of an `AuxiliaryRecipe`.

    Attributes:
        captions: JSON lines `{"id", "caption"}`, a file or the run's folder that holds it; beside the run's folder
            where it is no whole path.
        augmentation: Sounds and their generated captions are training pairs, too.
        interaction: Frames listen to the generated caption.
        keys: See `core.encoders.auxiliary_caption.CaptionInteraction`.
        heads: Of the interaction.
        matching: Texts are matched with the generated captions, too.
        matching_weight: Of that loss.
        matching_temperature: Of that loss.
        matching_space: "tower": with the frozen encoder's caption vectors, as in the paper, which needs a text encoder
            that learns; "joint": both through the text head.
        score_weights: At test time score = sound + weight * caption; the weight that is best on validation data is
            taken from these.
    """

    captions: str = Field(min_length=1)
    augmentation: bool = True
    interaction: bool = True
    keys: Literal["sentence", "words"] = "sentence"
    heads: int = Field(default=8, ge=1)
    matching: bool = True
    matching_weight: float = Field(default=1.0, gt=0)
    matching_temperature: float = Field(default=0.07, gt=0)
    matching_space: Literal["tower", "joint"] = "tower"
    score_weights: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


class DistillationPart(_Part):
    """Learning from estimated correspondences (Primus et al. 2024).

    Attributes:
        teachers: Folders of trained runs, M of them; beside the run's folder where they are no whole paths.
        temperature: Of the targets and of the student.
        supervised_weight: w_sup of the loss that knows who belongs to whom.
        distilled_weight: w_dist.
    """

    teachers: tuple[str, ...] = Field(min_length=1)
    temperature: float = Field(default=0.05, gt=0)
    supervised_weight: float = Field(default=0.0, ge=0)
    distilled_weight: float = Field(default=1.0, gt=0)


class RetrievalRecipe(_Part):
    """A retrieval model.

    Attributes:
        description: For the card of an exported model.
        paper: The published row, if there is one.
        starts_from: Folder of a trained run whose weights this one starts with; beside the run's folder where it is no
            whole path.
        tap: Scores by text-aware pooling; needs frames ("mean" pooling is what one vector for a sound is made by).
    """

    task: Literal["retrieval"]
    description: str = Field(min_length=1)
    paper: PaperRow | None = None
    seed: int = Field(default=0, ge=0)
    data: DataPart = DataPart()
    audio: AudioPart = AudioPart()
    text: TextPart = TextPart()
    head: HeadPart = HeadPart()
    loss: LossPart = LossPart()
    hci: HciPart | None = None
    tap: TapPart | None = None
    auxiliary: AuxiliaryPart | None = None
    distillation: DistillationPart | None = None
    starts_from: str = ""
    loop: LoopConfig = LoopConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> RetrievalRecipe:
        frames = self.head.pooling != "clip"
        listens = self.auxiliary is not None and self.auxiliary.interaction
        for what, wanted in (("hci", self.hci), ("tap", self.tap), ("auxiliary.interaction", listens or None)):
            if wanted is not None and not frames:
                raise ValueError(f"{what} works on frames: choose another head.pooling than clip")
        if self.hci is not None and self.head.pooling != "aggregated" and self.hci.beta:
            raise ValueError("segments come from the pooling aggregated")
        if self.hci is not None and self.tap is not None:
            raise ValueError("hci and tap are two ways to score; choose one")
        auxiliary = self.auxiliary
        in_tower = auxiliary is not None and auxiliary.matching and auxiliary.matching_space == "tower"
        if in_tower and self.text.tuned == "none":
            raise ValueError("with a frozen text encoder the matching learns in the joint space only")
        return self

    @property
    def needs_frames(self) -> bool:
        """Whether the encoder's vector is not enough."""
        return self.head.pooling != "clip"

    @property
    def needs_words(self) -> bool:
        """Whether tokens are looked at one by one."""
        return self.hci is not None


class AuxiliaryRecipe(_Part):
    """The captioner behind auxiliary captions: a GRU on a frozen encoder's frames (Xin and Zou, section 3.2.1).

    Attributes:
        width: Of words, attention and state.
        dropout: See `core.captioning.gru`.
        smoothing: Of the labels.
        beams: When the captions are written.
        longest: Tokens of a caption.
    """

    task: Literal["auxiliary-captions"]
    description: str = Field(min_length=1)
    paper: PaperRow | None = None
    seed: int = Field(default=0, ge=0)
    data: DataPart = DataPart(sampler="one")
    audio: AudioPart = AudioPart(encoder="cnn10", checkpoint="Cnn10_mAP=0.380.pth")
    width: int = Field(default=512, ge=8)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    smoothing: float = Field(default=0.1, ge=0, lt=1)
    beams: int = Field(default=3, ge=1)
    longest: int = Field(default=20, ge=4)
    loop: LoopConfig = LoopConfig(epochs=20, optimiser=OptimiserConfig(learning_rate=5e-4))

    @model_validator(mode="after")
    def _is_frozen(self) -> AuxiliaryRecipe:
        if not self.audio.is_cached or self.audio.tuned != "none":
            raise ValueError("the captioner's encoder is frozen and its features are kept")
        return self
