"""The task behind the shipped model: profile heads on cached features, several losses, texts without sounds.

Shape legend: n clips, k captions, x extra texts, b batch, e trunk embedding, c classes, s sentence embedding.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from core.types import FloatArray, IntArray
from training.config import LossConfig
from training.data.batch import OngoingSampler, PairBatch
from training.losses import Batch, create_loss
from training.optim import ParameterGroup, decay_groups
from training.start import training_free_scores


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Features of everything that is learned from.

    Attributes:
        embeddings: One (n, e) for each view of the clips.
        logits: One (n, c) for each view.
        sentences: (k, s) of the distinct captions.
        profiles: (k, c) what they say of the classes.
        carries: (n, k) True where a clip carries a caption.
        groups: (n,) numbers; clips of one group are variants of one sound.
        extra_sentences: (x, s) of texts without sounds, class names first.
        named: How many of them are class names.
        class_phrases: (c, s) mean of the phrases that name each class.
        extra_profiles: (x, c).
        unheard_sentences: (u, s) of texts that describe no sound.
        ids: Of the n clips, for messages.
    """

    embeddings: tuple[Tensor, ...]
    logits: tuple[Tensor, ...]
    sentences: Tensor
    profiles: Tensor
    carries: Tensor
    groups: Tensor
    extra_sentences: Tensor
    extra_profiles: Tensor
    named: int
    class_phrases: Tensor
    unheard_sentences: Tensor
    ids: tuple[str, ...]

    def caption_lists(self) -> list[list[int]]:
        """For each clip the numbers of its captions."""
        return [row.nonzero()[:, 0].tolist() for row in self.carries]


Validate = Callable[[nn.Module, nn.Module], float]


class ProfileTask:
    """Puts a batch through both heads and every loss; see `training.loop.Task`.

    It draws extra texts while it computes a loss, from a generator of its own: it is `Resumable`.

    Args:
        data: What is learned from.
        audio_head: (b, e), (b, c) -> (b, d).
        text_head: (b, s) -> (b, d).
        losses: With their weights.
        extra_batch: Extra texts drawn for a batch.
        class_name_share: How many of these are class names.
        unheard_batch: The same of texts that describe no sound.
        batch: Clips in a batch.
        rng: Where chance comes from.
        validate: A figure of (audio head, text head), higher is better.
        average: Validate and keep a running mean of the weights in place of the weights; each step moves the mean by
            one minus this. 0: the weights themselves.
    """

    def __init__(
        self,
        data: TrainingSet,
        *,
        audio_head: nn.Module,
        text_head: nn.Module,
        losses: Sequence[LossConfig],
        extra_batch: int,
        class_name_share: float,
        unheard_batch: int,
        batch: int,
        rng: np.random.Generator,
        validate: Validate,
        average: float = 0.0,
    ) -> None:
        self._data = data
        self.audio_head = audio_head
        self.text_head = text_head
        self._losses = [(config, create_loss(config.name, **config.options)) for config in losses]
        self._extra_batch = extra_batch if len(data.extra_sentences) else 0
        self._class_name_share = class_name_share
        self._unheard_batch = unheard_batch if len(data.unheard_sentences) else 0
        self._rng = rng
        self._sampler = OngoingSampler(data.caption_lists(), batch=batch, rng=rng)
        self._validate = validate
        self._heads = nn.ModuleDict({"audio": audio_head, "text": text_head})
        self.module: nn.Module = self._heads
        self._mean: AveragedModel | None = None
        if average:
            step = 1.0 - average
            self._mean = AveragedModel(self._heads, avg_fn=lambda mean, now, _count: torch.lerp(mean, now, step))
            self.module = nn.ModuleDict({"heads": self._heads, "mean": self._mean})

    @property
    def kept_heads(self) -> nn.ModuleDict:
        """What is validated and kept: "audio" and "text"."""
        if self._mean is None:
            return self._heads
        assert isinstance(self._mean.module, nn.ModuleDict)
        return self._mean.module

    def steps_per_epoch(self) -> int:
        """See `training.loop.Task`."""
        return len(self._sampler)

    def batches(self, epoch: int) -> Iterator[PairBatch]:
        """Numbers of clips and of captions; the next epoch's, whatever its number."""
        return self._sampler.batches()

    def describe(self, batch: PairBatch) -> list[str]:
        """Ids of a batch's clips."""
        return [self._data.ids[row] for row in batch.clips]

    def validate(self) -> dict[str, float]:
        """See `training.loop.Task`."""
        heads = self.kept_heads
        return {"validation": self._validate(heads["audio"], heads["text"])}

    def parameter_groups(self) -> list[ParameterGroup]:
        """See `training.loop.Task`."""
        return decay_groups("heads", self._heads)

    def state(self) -> str:
        """See `training.loop.Resumable`."""
        return json.dumps(self._rng.bit_generator.state)

    def restore(self, state: str) -> None:
        """See `training.loop.Resumable`."""
        self._rng.bit_generator.state = json.loads(state)

    def loss(self, batch: PairBatch) -> tuple[Tensor, dict[str, float]]:
        """The weighted sum of all losses over a batch, and each part by name."""
        if self._mean is not None:
            # What the last step left.
            self._mean.update_parameters(self._heads)
        clips, captions = batch.clips, batch.captions
        data = self._data
        view = int(self._rng.integers(len(data.embeddings)))
        logits = data.logits[view][clips]
        audio = self.audio_head(data.embeddings[view][clips], logits)
        batches = {"captions": self._caption_batch(audio, logits, clips, captions)}
        if self._extra_batch:
            batches["extra"] = self._extra_text_batch(audio, logits)
        if self._unheard_batch:
            batches["unheard"] = self._unheard_text_batch(audio)
        total = torch.zeros(())
        parts: dict[str, float] = {}
        for config, loss in self._losses:
            if config.texts not in batches:
                continue
            for name, value in loss(batches[config.texts]).items():
                total = total + config.weight * value
                parts[f"{config.name}/{config.texts}/{name}"] = value.item()
        return total, parts

    def _caption_batch(self, audio: Tensor, logits: Tensor, clips: IntArray, captions: IntArray) -> Batch:
        data = self._data
        groups = data.groups[clips]
        # A caption belongs to every clip that carries these very words, and to every variant of its own sound.
        matches = data.carries[clips][:, captions].T | (groups[:, None] == groups[None, :])
        estimates = training_free_scores(data.profiles[captions], logits)
        return Batch(self.text_head(data.sentences[captions]), audio, matches, estimates)

    def _extra_text_batch(self, audio: Tensor, logits: Tensor) -> Batch:
        data = self._data
        drawn = self._draw_extra()
        estimates = training_free_scores(data.extra_profiles[drawn], logits)
        unknown = torch.zeros(estimates.shape, dtype=torch.bool)
        return Batch(self.text_head(data.extra_sentences[drawn]), audio, unknown, estimates)

    def _draw_extra(self) -> IntArray:
        data = self._data
        names = round(self._class_name_share * self._extra_batch)
        if not data.named or data.named == len(data.extra_sentences):
            return self._rng.integers(len(data.extra_sentences), size=self._extra_batch)
        others = self._rng.integers(data.named, len(data.extra_sentences), size=self._extra_batch - names)
        return np.concatenate([self._rng.integers(data.named, size=names), others])

    def _unheard_text_batch(self, audio: Tensor) -> Batch:
        data = self._data
        drawn = self._rng.integers(len(data.unheard_sentences), size=self._unheard_batch)
        nothing = torch.zeros(len(drawn), len(audio))
        return Batch(self.text_head(data.unheard_sentences[drawn]), audio, nothing.bool(), nothing)


def as_tensor(array: FloatArray) -> Tensor:
    """A float32 tensor over the same memory."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
