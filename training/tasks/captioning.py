"""The captioning task: the next word of a caption, from the frames of a frozen encoder.

Labbé, Pellegrini, Pinquier 2023, sections 2.1, 2.2 and 3.3; with scenes of two clips for order where a recipe says so.

Shape legend: b batch, t frames, d features, e clip embedding, m memory, w width, l tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from core.captioning.decoder import TransformerCaptionDecoder
from core.captioning.generation import generate_captions
from core.captioning.prefixed import PrefixedCaptionDecoder
from core.captioning.protocol import AudioFeatures
from core.captioning.tokenizer import normalise_caption
from core.captioning.vocabulary import BOS, EOS, PAD, UNK
from core.captioning.writer import agreed, generation_config
from core.encoders.efficientat import MobileNetEncoder
from core.types import FloatArray, IntArray
from training.captioning.config import AugmentationPart, CaptioningRecipe
from training.captioning.material import CaptionMaterial, scene_relations
from training.captioning.relation import Related, infix_and_tail, related, untruth
from training.captioning.scene import scene_words
from training.data.augmentation import SpecAugment, draw_mixture
from training.data.batch import Shard
from training.distributed import rank, world_size
from training.losses.caption_cross_entropy import CaptionBatch, CaptionCrossEntropy
from training.metrics.cider import cider_d
from training.metrics.fense import SentenceEncoder, sentence_similarity
from training.metrics.rouge import rouge_l
from training.optim import ParameterGroup, decay_groups

_AT_ONCE = 128
_LARGEST_STRIPE = 0.25
_SAMPLED = 4


@dataclass(frozen=True, slots=True)
class SpokenBatch:
    """Clips or scenes with a caption each.

    Attributes:
        frames: (b, t, d) padded with zeros.
        frame_mask: (b, t) True where a frame is no padding.
        clip: (b, e), or (b, 0) for a decoder without a prefix.
        inputs: (b, l) tokens, bos first.
        targets: (b, l) tokens, eos last, then padding.
        untrue_inputs: The same of a caption that is not so, (b, m); None: there is none.
        untrue_targets: See there.
        ids: Of the clips, two of each scene, for messages.
    """

    frames: Tensor
    frame_mask: Tensor
    clip: Tensor
    inputs: Tensor
    targets: Tensor
    untrue_inputs: Tensor | None = None
    untrue_targets: Tensor | None = None
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Item:
    """One clip or scene of an epoch, with the caption that was drawn for it, and of a scene one that is not so."""

    row: int
    frames: int
    tokens: tuple[int, ...]
    untrue: tuple[int, ...] = ()


class CaptioningTask:
    """See `training.loop.Task`.

    Args:
        recipe: Says how.
        material: What is learned from.
        sentences: For the figure "sbert_sim" of validation; None: it is left out.
    """

    def __init__(
        self, recipe: CaptioningRecipe, material: CaptionMaterial, *, sentences: SentenceEncoder | None = None
    ) -> None:
        self.recipe = recipe
        self.material = material
        self._sentences = sentences
        self.decoder = create_decoder(recipe, material)
        self.module: nn.Module = self.decoder
        self._loss = CaptionCrossEntropy(smoothing=recipe.augmentation.smoothing)
        self._blank = blanking(recipe.augmentation)
        encode = material.vocabulary.encode
        self._tokens = {
            int(row): [tuple(encode(text)) for text in material.clips[row].captions] for row in material.learned
        }
        self._related = {
            words: tuple(tuple(encode(part)[:-1]) if part else () for part in infix_and_tail(words))
            for words in scene_relations(recipe)
        }

    @cached_property
    def _shares(self) -> dict[int, FloatArray]:
        """How often each caption of a clip is drawn, where not all are drawn alike; only training asks for it."""
        sharpness, learned = self.recipe.words.consensus, self.material.learned
        if not sharpness:
            return {}
        captions = [self.material.clips[row].captions for row in learned]
        return dict(zip(learned.tolist(), consensus_shares(captions, sharpness=sharpness), strict=True))

    def steps_per_epoch(self) -> int:
        """See `training.loop.Task`."""
        clips, scenes = len(self.material.learned), self.recipe.scenes.an_epoch
        return -(-clips // self.recipe.data.batch) + -(-scenes // self.recipe.scenes.batch)

    def batches(self, epoch: int) -> Iterator[SpokenBatch]:
        """Batches of clips and batches of scenes, each of about the same length, in a new order."""
        rng = np.random.default_rng([self.recipe.seed, epoch, 11])
        batches = [(False, part) for part in _dealt(list(self._clips(rng)), self.recipe.data.batch, rng)]
        batches += [(True, part) for part in _dealt(list(self._scenes(rng)), self.recipe.scenes.batch, rng)]
        for number in rng.permutation(len(batches)):
            of_scenes, items = batches[int(number)]
            yield self._batch(items[Shard(rank(), world_size()).rows(len(items))], of_scenes=of_scenes)

    def describe(self, batch: SpokenBatch) -> list[str]:
        """Ids of a batch's clips."""
        return list(batch.ids)

    def loss(self, batch: SpokenBatch) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy to the next word on an augmented batch; of scenes also how much likelier the truth is."""
        augmentation = self.recipe.augmentation
        frames = self._blank.train(self.decoder.training)(batch.frames)
        memory, mask = self._hear(frames, batch)
        words = self.decoder.embed(batch.inputs)
        if batch.untrue_inputs is None and augmentation.mixup and float(torch.rand(())) < augmentation.mixup_share:
            mix = draw_mixture(len(memory), alpha=augmentation.mixup, device=memory.device)
            memory, words = mix(memory), mix(words)
        logits = self.decoder.decode(memory, mask, words)
        total = self._loss(CaptionBatch(logits, batch.targets))["caption"]
        parts = {"scenes" if batch.untrue_inputs is not None else "clips": float(total.detach())}
        if batch.untrue_inputs is not None and batch.untrue_targets is not None:
            untrue = self.decoder.decode(memory, mask, self.decoder.embed(batch.untrue_inputs))
            lead = log_probability(logits, batch.targets) - log_probability(untrue, batch.untrue_targets)
            doubt = softplus(-lead).mean()
            total = total + self.recipe.scenes.untruth_weight * doubt
            parts["untruth"] = float(doubt.detach())
        return total, parts

    def _hear(self, frames: Tensor, batch: SpokenBatch) -> tuple[Tensor, Tensor]:
        if not isinstance(self.decoder, PrefixedCaptionDecoder):
            return self.decoder.project(frames), batch.frame_mask
        memory, mask = self.decoder.hear(AudioFeatures(frames, batch.frame_mask, batch.clip))
        of_scenes = batch.untrue_inputs is not None
        place = torch.arange(mask.shape[1], device=mask.device)
        hidden = place < self.decoder.prefix if of_scenes else place >= self.decoder.first_frame
        share = self.recipe.scenes.unprefixed if of_scenes else self.recipe.augmentation.deaf
        return memory, mask & ~(hidden & _drawn(len(mask), share, mask))

    def validate(self) -> dict[str, float]:
        """Cross-entropy of every first caption, and greedy captions against the references."""
        rows = self.material.rows("valid")
        written = self.write(rows)
        references = [list(map(normalise_caption, self.material.clips[row].captions)) for row in rows]
        figures = {
            "cross_entropy": self._cross_entropy(rows),
            "cider_d": cider_d(written, references).corpus,
            "rouge_l": rouge_l(written, references).corpus,
        }
        if self._sentences is not None:
            figures["sbert_sim"] = sentence_similarity(written, references, self._sentences).corpus
        return figures

    def write(self, rows: IntArray, *, beams: int = 1) -> list[str]:
        """Captions of clips."""
        vocabulary, writing = self.material.vocabulary, self.recipe.writing
        config = generation_config(vocabulary, beams=beams, shortest=writing.shortest, longest=writing.longest)
        device = next(self.decoder.parameters()).device
        written: list[str] = []
        for begin in range(0, len(rows), _AT_ONCE):
            audio = self.material.sounds.features(rows[begin : begin + _AT_ONCE]).to(device=device)
            found = generate_captions(self.decoder, audio, content_words=vocabulary.content_words(), config=config)
            ordered = agreed(found, vocabulary, sharpness=writing.consensus)
            written.extend(vocabulary.decode(captions[0].tokens) for captions in ordered)
        return written

    def parameter_groups(self) -> list[ParameterGroup]:
        """See `training.loop.Task`."""
        return decay_groups("decoder", self.decoder, undecayed=self.recipe.loop.optimiser.undecayed)

    def _cross_entropy(self, rows: IntArray) -> float:
        """Of words that are known, without smoothing."""
        plain = CaptionCrossEntropy(smoothing=0.0)
        device = next(self.decoder.parameters()).device
        total, count = 0.0, 0
        with torch.inference_mode():
            for begin in range(0, len(rows), _AT_ONCE):
                part = rows[begin : begin + _AT_ONCE]
                texts = [self.material.clips[row].captions[0] for row in part]
                inputs, targets = teacher_forced([self.material.vocabulary.encode(text) for text in texts])
                targets = targets.masked_fill(targets == UNK, PAD).to(device)
                logits = self.decoder(self.material.sounds.features(part).to(device=device), inputs.to(device))
                tokens = int((targets != PAD).sum())
                total += float(plain(CaptionBatch(logits, targets))["caption"]) * tokens
                count += tokens
        return total / count

    def _clips(self, rng: np.random.Generator) -> Iterator[_Item]:
        counts = self.material.sounds.frames.counts
        for row in self.material.learned:
            captions = self._tokens[int(row)]
            shares = self._shares.get(int(row))
            drawn = rng.integers(len(captions)) if shares is None else rng.choice(len(captions), p=shares)
            yield _Item(int(row), int(counts[row]), captions[int(drawn)])

    def _scenes(self, rng: np.random.Generator) -> Iterator[_Item]:
        made = self.material.scenes
        if made is None:
            return
        counts = made.sounds.frames.counts
        for number in rng.permutation(len(made.scenes))[: self.recipe.scenes.an_epoch]:
            scene = made.scenes[int(number)]
            said = scene_words(scene.relation, front=self.recipe.scenes.front_words)
            words = said[int(rng.integers(len(said)))]
            # Captions stand for themselves by their number here; their tokens are put in once the order is settled.
            told = related(str(scene.first), str(scene.second), words)
            parts = {
                str(row): own[int(rng.integers(len(own)))][:-1]
                for row, own in ((row, self._tokens[row]) for row in (scene.first, scene.second))
            }
            tokens, untrue = (self._scene_tokens(one, parts) for one in (told, untruth(told, rng)))
            yield _Item(int(number), int(counts[number]), tokens, untrue)

    def _scene_tokens(self, told: Related, parts: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
        infix, tail = self._related[told.words]
        return (*parts[told.left], *infix, *parts[told.right], *tail, EOS)

    def _batch(self, items: Sequence[_Item], *, of_scenes: bool) -> SpokenBatch:
        rows = np.asarray([item.row for item in items], dtype=np.int64)
        made = self.material.scenes if of_scenes else None
        audio = (self.material.sounds if made is None else made.sounds).features(rows)
        clip = torch.empty(len(items), 0) if audio.clip is None else audio.clip
        inputs, targets = teacher_forced([item.tokens for item in items])
        clips = self.material.clips
        if made is None:
            ids = tuple(clips[row].id for row in rows)
        else:
            pairs = [made.scenes[row] for row in rows]
            ids = tuple(f"{clips[pair.first].id} with {clips[pair.second].id}" for pair in pairs)
        batch = SpokenBatch(audio.frames, audio.frame_mask, clip, inputs, targets, ids=ids)
        if made is None or not self.recipe.scenes.untruth_weight:
            return batch
        untrue_inputs, untrue_targets = teacher_forced([item.untrue for item in items])
        return replace(batch, untrue_inputs=untrue_inputs, untrue_targets=untrue_targets)


def consensus_shares(captions: Sequence[Sequence[str]], *, sharpness: float) -> list[FloatArray]:
    """How often each of a clip's captions is drawn, by its agreement with the clip's others.

    Args:
        captions: Of each clip, one or more.
        sharpness: See `training.captioning.config.WordsPart.consensus`.

    Returns:
        For each clip shares of one.
    """
    told = [[normalise_caption(text) for text in own] for own in captions]
    scores = [np.zeros(len(own)) for own in told]
    for number in range(max(map(len, told))):
        rows = [row for row, own in enumerate(told) if len(own) > max(number, 1)]
        found = cider_d([told[row][number] for row in rows], [_without(told[row], number) for row in rows])
        for row, score in zip(rows, found.sentences, strict=True):
            scores[row][number] = score
    raised = [np.exp(sharpness * (own - own.max())) for own in scores]
    return [np.asarray(own / own.sum()) for own in raised]


def _without(texts: Sequence[str], number: int) -> list[str]:
    return [*texts[:number], *texts[number + 1 :]]


def _dealt(items: list[_Item], size: int, rng: np.random.Generator) -> list[list[_Item]]:
    """Batches of items of about the same length."""
    items = [items[int(number)] for number in rng.permutation(len(items))]
    items.sort(key=lambda item: (item.frames, len(item.tokens)))
    return [items[begin : begin + size] for begin in range(0, len(items), size)]


def _drawn(count: int, share: float, like: Tensor) -> Tensor:
    """(count, 1) True for a share of the rows."""
    return torch.rand(count, 1, device=like.device) < share


def log_probability(logits: Tensor, targets: Tensor) -> Tensor:
    """Of whole captions: (b, l, v), (b, l) -> (b,)."""
    told = -cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="none")
    return told.view(targets.shape).sum(dim=1)


def create_decoder(recipe: CaptioningRecipe, material: CaptionMaterial) -> TransformerCaptionDecoder:
    """A fresh decoder, which knows mean and spread of what is learned from."""
    options = decoder_options(recipe, material)
    if recipe.decoder.name == "transformer":
        return TransformerCaptionDecoder(**options)
    decoder = PrefixedCaptionDecoder(**options)
    frames, mask = material.sounds.frames.padded(material.learned[::_SAMPLED])
    heard = frames[mask]
    clip = material.sounds.clip
    assert clip is not None  # A captioner with a prefix.
    summaries = clip[material.learned, clip.shape[1] - decoder.summary_dimension :]
    decoder.set_statistics(
        frame_mean=heard.mean(dim=0),
        frame_scale=heard.std(dim=0) + 1e-3,
        clip_mean=material.whole_clips()[material.learned].mean(dim=0),
        summary_mean=summaries.mean(dim=0) if decoder.summary_dimension else None,
        summary_scale=summaries.std(dim=0) + 1e-3 if decoder.summary_dimension else None,
    )
    return decoder


def decoder_options(recipe: CaptioningRecipe, material: CaptionMaterial) -> dict[str, Any]:
    """What builds the decoder; goes onto the card."""
    part = recipe.decoder
    options: dict[str, Any] = {
        "vocabulary_size": len(material.vocabulary),
        "feature_dimension": material.sounds.frames.dimension,
        **part.model_dump(include={"heads", "layers", "width", "hidden", "dropout", "projection_dropout"}),
    }
    if part.name == "prefixed-transformer":
        options |= {
            "clip_dimension": material.clip_dimension,
            "prefix": part.prefix,
            "stretches": part.stretches,
        }
        encoder = material.encoder
        assert isinstance(encoder, MobileNetEncoder)  # The recipe has been checked.
        if encoder.trunk.summary_dimension > encoder.trunk.dimension:
            options |= {
                "summary_dimension": encoder.trunk.summary_dimension,
                "summary_dropout": part.summary_dropout,
            }
    return options


def teacher_forced(captions: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Captions that end with eos -> inputs (b, l) that begin with bos, targets (b, l); padded."""
    targets = nn.utils.rnn.pad_sequence(
        [torch.tensor(list(caption)) for caption in captions], batch_first=True, padding_value=PAD
    )
    inputs = torch.cat([torch.full((len(targets), 1), BOS), targets[:, :-1]], dim=1)
    return inputs.masked_fill(inputs == EOS, PAD), targets


def blanking(part: AugmentationPart) -> SpecAugment:
    """The stripes of a recipe: each holds its clip's own mean, and is a quarter of what there is at most."""
    return SpecAugment(
        time_stripes=part.time_stripes,
        time_width=part.time_widest,
        feature_stripes=part.feature_stripes,
        feature_width=part.feature_widest,
        largest_share=_LARGEST_STRIPE,
        fill=None,
    )
