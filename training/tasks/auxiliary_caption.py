"""The captioner behind auxiliary captions: a GRU decoder on a frozen encoder's frames (Xin and Zou, section 3.2.1).

Shape legend: b clips, t frames, e features, l tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from core.captioning.generation import GenerationConfig, generate_captions
from core.captioning.gru import GruCaptionDecoder
from core.captioning.protocol import AudioFeatures
from core.captioning.vocabulary import BOS, PAD, Vocabulary
from core.types import IntArray
from training.data.batch import OneCaptionSampler, Shard
from training.distributed import rank, world_size
from training.losses.caption_cross_entropy import CaptionBatch, CaptionCrossEntropy
from training.optim import ParameterGroup, decay_groups
from training.retrieval.config import AuxiliaryRecipe
from training.retrieval.material import RetrievalMaterial
from training.retrieval.sound import SoundBatch, Sounds

_WRITTEN_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class CaptionedSounds:
    """A batch.

    Attributes:
        clips: (b,) numbers.
        sounds: Of them.
        tokens: (b, l + 1) from bos to eos, then padding.
    """

    clips: Tensor
    sounds: SoundBatch
    tokens: Tensor


class AuxiliaryCaptionTask:
    """See `training.loop.Task`.

    Args:
        recipe: What is trained and how.
        material: From which clips and captions.
        sounds: The clips, through the frozen encoder, with frames.
    """

    def __init__(self, recipe: AuxiliaryRecipe, material: RetrievalMaterial, sounds: Sounds) -> None:
        self._recipe = recipe
        self._material = material
        self._sounds = sounds
        captions = [material.captions[row] for row in material.learned]
        self.vocabulary = Vocabulary.from_captions(material.texts[number] for own in captions for number in own)
        self._tokens = [self.vocabulary.encode(text) for text in material.texts]
        self.decoder = GruCaptionDecoder(
            vocabulary_size=len(self.vocabulary),
            frame_dimension=sounds.dimension,
            clip_dimension=sounds.dimension,
            width=recipe.width,
            dropout=recipe.dropout,
        )
        self.module: nn.Module = self.decoder
        self._loss = CaptionCrossEntropy(smoothing=recipe.smoothing)
        data = recipe.data
        self._sampler = OneCaptionSampler(
            captions, batch=data.batch, seed=recipe.seed, shard=Shard(rank(), world_size()), keep_rest=data.keep_rest
        )

    def steps_per_epoch(self) -> int:
        """See `training.loop.Task`."""
        return len(self._sampler)

    def batches(self, epoch: int) -> Iterator[CaptionedSounds]:
        """See `training.loop.Task`."""
        for drawn in self._sampler.batches(epoch):
            clips = self._material.learned[drawn.clips]
            yield self._batch(clips, [self._tokens[number] for number in drawn.captions])

    def _batch(self, clips: IntArray, captions: list[list[int]]) -> CaptionedSounds:
        tokens = torch.full((len(captions), max(map(len, captions)) + 1), PAD)
        tokens[:, 0] = BOS
        for row, caption in enumerate(captions):
            tokens[row, 1 : len(caption) + 1] = torch.tensor(caption)
        return CaptionedSounds(torch.from_numpy(clips), self._sounds.batch(clips), tokens)

    def describe(self, batch: CaptionedSounds) -> list[str]:
        """Ids of a batch's clips."""
        return [self._material.clips[int(row)].id for row in batch.clips]

    def loss(self, batch: CaptionedSounds) -> tuple[Tensor, dict[str, float]]:
        """See `training.loop.Task`."""
        logits = self.decoder(self._features(batch.sounds), batch.tokens[:, :-1])
        parts = self._loss(CaptionBatch(logits, batch.tokens[:, 1:]))
        return parts["caption"], {}

    def _features(self, batch: SoundBatch) -> AudioFeatures:
        output = self._sounds(batch)
        return AudioFeatures(output.frames, output.frame_mask, output.embedding)

    def parameter_groups(self) -> list[ParameterGroup]:
        """See `training.loop.Task`."""
        return decay_groups("decoder", self.decoder, undecayed=self._recipe.loop.optimiser.undecayed)

    @torch.inference_mode()
    def validate(self) -> dict[str, float]:
        """Mean loss over the validation split, each clip with its first caption, without smoothing."""
        rows = self._material.rows("valid")
        plain = CaptionCrossEntropy(smoothing=0.0)
        total = 0.0
        for begin in range(0, len(rows), self._recipe.data.batch):
            clips = rows[begin : begin + self._recipe.data.batch]
            batch = self._batch(clips, [self._tokens[self._material.captions[row][0]] for row in clips])
            logits = self.decoder(self._features(batch.sounds), batch.tokens[:, :-1])
            total += float(plain(CaptionBatch(logits, batch.tokens[:, 1:]))["caption"]) * len(clips)
        return {"valid_loss": total / len(rows)}

    def write(self) -> dict[str, str]:
        """A caption for every clip, by its id: the best of the beams."""
        settings = GenerationConfig(beams=self._recipe.beams, longest=self._recipe.longest)
        rows = np.arange(len(self._material.clips), dtype=np.int64)
        once = self.vocabulary.content_words()
        written: dict[str, str] = {}
        for begin in range(0, len(rows), _WRITTEN_AT_ONCE):
            part = rows[begin : begin + _WRITTEN_AT_ONCE]
            features = self._features(self._sounds.batch(part)).to(device=next(self.decoder.parameters()).device)
            found = generate_captions(self.decoder, features, content_words=once, config=settings)
            for row, beams in zip(part, found, strict=True):
                written[self._material.clips[row].id] = self.vocabulary.decode(beams[0].tokens)
        return written
