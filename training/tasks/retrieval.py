"""The task of every published retrieval model (see `training.loop.Task`): losses, hierarchical interaction, text-aware
pooling, auxiliary captions and distillation, as its recipe says.

Shape legend: n clips, k texts, b pairs, q texts asked for, d joint embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from core.types import FloatArray, IntArray
from training.checkpoint import moved
from training.data.batch import EveryCaptionSampler, OneCaptionSampler, PairSampler, Shard
from training.distributed import gather_members, gather_rows, rank, world_size
from training.evaluate import caption_queries
from training.losses import Batch, create_loss
from training.losses.hci import HierarchicalBatch
from training.losses.text_caption_matching import CaptionedBatch, complement_scores
from training.optim import ParameterGroup, decay_groups
from training.retrieval.config import RetrievalRecipe
from training.retrieval.evaluate import retrieval_report
from training.retrieval.material import MaterialError, RetrievalMaterial
from training.retrieval.model import Heard, RetrievalModel, Worded
from training.retrieval.sound import SoundBatch, Sounds
from training.retrieval.wording import TextBatch, TextSide, Wording

_TEXTS_AT_ONCE = 256
_MEAN_OF = 2048


@dataclass(frozen=True, slots=True)
class Pairs:
    """A batch.

    Attributes:
        clips: (b,) numbers.
        captions: (b,) numbers.
        sounds: Of the clips.
        texts: The captions.
        generated: The clips' generated captions, or None.
    """

    clips: Tensor
    captions: Tensor
    sounds: SoundBatch
    texts: TextBatch
    generated: TextBatch | None


@dataclass(frozen=True, slots=True)
class Teachers:
    """What M trained models make of the texts and the sounds.

    Attributes:
        texts: Of each (k, d_m).
        sounds: Of each (n, d_m).
    """

    texts: tuple[Tensor, ...]
    sounds: tuple[Tensor, ...]

    def estimates(self, captions: Tensor, clips: Tensor) -> Tensor:
        """Their mean cosines (q, b) on the device of the numbers."""
        total = torch.zeros(len(captions), len(clips), device=clips.device)
        for texts, sounds in zip(self.texts, self.sounds, strict=True):
            text = normalize(texts[captions.cpu()].float(), dim=-1)
            sound = normalize(sounds[clips.cpu()].float(), dim=-1)
            total += (text @ sound.T).to(clips.device)
        return total / len(self.texts)


class RetrievalTask:
    """See the module.

    Args:
        recipe: What is trained and how.
        material: From which clips and texts.
        sounds: The clips, through the audio encoder.
        wording: The texts, through the text encoder.
        captions: The texts through the frozen caption encoder, where there are auxiliary captions.
        teachers: With distillation.
    """

    def __init__(
        self,
        recipe: RetrievalRecipe,
        material: RetrievalMaterial,
        *,
        sounds: Sounds,
        wording: Wording,
        captions: Wording | None = None,
        teachers: Teachers | None = None,
    ) -> None:
        self.recipe = recipe
        self.material = material
        self._captions = captions
        self._teachers = teachers
        self.model = RetrievalModel(recipe, sounds, wording, 0 if captions is None else captions.dimension)
        self.module: nn.Module = self.model
        if captions is not None and self.model.listens:
            sentences = captions(captions.batch(material.generated[material.learned])).sentence
            self.model.set_mean_caption(sentences)
        self._sampler = self._make_sampler()
        hci, auxiliary, distillation = recipe.hci, recipe.auxiliary, recipe.distillation
        self._hci = None
        if hci is not None:
            options = hci.model_dump(include={"temperature", "alpha", "beta", "exclude_same_audio"})
            self._hci = create_loss("hci", **options)
        self._matching = None
        if auxiliary is not None and auxiliary.matching:
            self._matching = create_loss("text-caption-matching", temperature=auxiliary.matching_temperature)
        self._distilled = None
        if distillation is not None:
            tau = distillation.temperature
            self._distilled = create_loss("estimated-correspondence", temperature=tau, teacher_temperature=tau)
        self._score_weight = 0.0
        self._number_of = {text: row for row, text in enumerate(material.texts)}

    def _make_sampler(self) -> PairSampler:
        data, material = self.recipe.data, self.material
        captions = [material.captions[row] for row in material.learned]
        shard = Shard(rank(), world_size())
        owners = material.belonging.groups[material.learned].tolist() if data.apart else None
        pairs = len(captions) if data.sampler == "one" else sum(len(own) for own in captions)
        if pairs < (world_size() if data.keep_rest else data.batch):
            raise MaterialError(
                f"The {pairs} pairs that are learned from do not fill a batch of {data.batch}.",
                "Set data.batch to fewer, or data.keep_rest to true.",
            )
        shared = {"batch": data.batch, "seed": self.recipe.seed, "shard": shard, "keep_rest": data.keep_rest}
        if data.sampler == "one":
            return OneCaptionSampler(captions, owners=owners, **shared)  # type: ignore[arg-type]
        return EveryCaptionSampler(captions, apart=data.apart, owners=owners, **shared)  # type: ignore[arg-type]

    def steps_per_epoch(self) -> int:
        """See `training.loop.Task`."""
        return len(self._sampler)

    def batches(self, epoch: int) -> Iterator[Pairs]:
        """See `training.loop.Task`."""
        rng = np.random.default_rng([self.recipe.seed, epoch, 3, rank()])
        for drawn in self._sampler.batches(epoch):
            clips = self.material.learned[drawn.clips]
            yield Pairs(
                torch.from_numpy(clips),
                torch.from_numpy(drawn.captions),
                self.model.sounds.batch(clips, rng),
                self.model.wording.batch(drawn.captions, rng),
                self._generated(clips),
            )

    def _generated(self, clips: IntArray) -> TextBatch | None:
        return None if self._captions is None else self._captions.batch(self.material.generated[clips])

    def describe(self, batch: Pairs) -> list[str]:
        """Ids of a batch's clips."""
        return [self.material.clips[int(row)].id for row in batch.clips]

    def loss(self, batch: Pairs) -> tuple[Tensor, dict[str, float]]:
        """See `training.loop.Task`."""
        caption = self._read_caption(batch.generated)
        heard = self.model.hear(batch.sounds, caption)
        worded = self.model.read(batch.texts)
        clips, captions = gather_rows(batch.clips), gather_rows(batch.captions)
        matches = self.material.belonging.matches(captions, clips, clips)
        parts: dict[str, Tensor] = {}
        distillation = self.recipe.distillation
        supervised = 1.0 if distillation is None else distillation.supervised_weight
        pairs = self._pairs(heard, worded, matches, captions, clips)
        if supervised:
            given = self._hci(self._levels(heard, worded, matches)) if self._hci else self.model.loss(pairs)
            parts |= {name: supervised * value for name, value in given.items()}
        if distillation is not None and self._distilled is not None:
            weight = distillation.distilled_weight
            parts |= {f"distilled/{name}": weight * value for name, value in self._distilled(pairs).items()}
        if self._matching is not None and caption is not None:
            parts |= self._matched(worded, caption, matches)
        total = torch.stack(list(parts.values())).sum()
        return total, {name: float(value.detach()) for name, value in parts.items()}

    def _read_caption(self, batch: TextBatch | None) -> TextSide | None:
        if self._captions is None or batch is None:
            return None
        with torch.no_grad():  # The caption encoder is frozen.
            side: TextSide = self._captions(batch)
        return side

    def _pairs(self, heard: Heard, worded: Worded, matches: Tensor, captions: Tensor, clips: Tensor) -> Batch:
        """What losses of pairs are given; with text-aware pooling texts are rows of scores and sounds unit axes."""
        estimates = torch.zeros(matches.shape, device=matches.device)
        if self._teachers is not None:
            estimates = self._teachers.estimates(captions, clips)
        text = gather_rows(worded.vector)
        if self.model.tap is None:
            return Batch(text, gather_rows(heard.vector), matches, estimates)
        assert heard.members is not None
        assert heard.mask is not None
        members, mask = gather_members(heard.members, heard.mask)
        scores = self.model.tap.similarity(members, text, mask)
        return Batch(scores, torch.eye(len(mask), device=scores.device, dtype=scores.dtype), matches, estimates)

    def _levels(self, heard: Heard, worded: Worded, matches: Tensor) -> HierarchicalBatch:
        assert heard.members is not None
        assert heard.mask is not None
        assert worded.members is not None
        assert worded.mask is not None
        frames, frame_mask = gather_members(heard.members, heard.mask)
        words, word_mask = gather_members(worded.members, worded.mask)
        segments = frames if heard.segments is None else gather_rows(heard.segments)
        phrases = words if worded.phrases is None else gather_rows(worded.phrases)
        return HierarchicalBatch(
            gather_rows(heard.vector),
            gather_rows(worded.vector),
            frames,
            frame_mask,
            words,
            word_mask,
            segments,
            phrases,
            matches,
        )

    def _matched(self, worded: Worded, caption: TextSide, matches: Tensor) -> dict[str, Tensor]:
        auxiliary = self.recipe.auxiliary
        assert auxiliary is not None
        assert self._matching is not None
        joint = auxiliary.matching_space == "joint"
        text = worded.vector if joint else worded.sentence
        other = self.model.text_head(caption.sentence) if joint else caption.sentence
        given = self._matching(CaptionedBatch(gather_rows(text), gather_rows(other), matches))
        return {name: auxiliary.matching_weight * value for name, value in given.items()}

    def parameter_groups(self) -> list[ParameterGroup]:
        """Encoders with their factors, the rest without."""
        model, recipe = self.model, self.recipe
        undecayed = recipe.loop.optimiser.undecayed
        groups: list[ParameterGroup] = []
        named = {
            "audio": (model.sounds, recipe.audio.learning_rate_factor),
            "text": (model.wording, recipe.text.learning_rate_factor),
        }
        for name, (encoder, factor) in named.items():
            groups += decay_groups(name, encoder, undecayed=undecayed, learning_rate_factor=factor)
        taken = {id(parameter) for encoder, _ in named.values() for parameter in encoder.parameters()}
        rest = nn.ModuleDict({name: part for name, part in model.named_children() if name not in ("sounds", "wording")})
        assert not taken & {id(parameter) for parameter in rest.parameters()}
        return groups + decay_groups("heads", rest, undecayed=undecayed)

    def validate(self) -> dict[str, float]:
        """Figures on the validation split; with hierarchical interaction by clips and sentences, which is cheap."""
        return self.figures("valid", levels=self.recipe.hci is None)

    def figures(self, split: str, *, levels: bool = True) -> dict[str, float]:
        """Retrieval figures on a split."""
        rows = self.material.rows(split)
        queries = caption_queries([self.material.clips[row] for row in rows])
        return retrieval_report(self.scores(queries.texts, rows, levels=levels), queries)

    def tune_score_weight(self) -> float:
        """Choose how much text-caption similarity counts at test time: what is best on validation data."""
        auxiliary = self.recipe.auxiliary
        if auxiliary is None or not auxiliary.matching:
            return 0.0
        found: list[tuple[float, float]] = []
        for weight in auxiliary.score_weights:
            self._score_weight = weight
            found.append((self.figures("valid", levels=False)["map_at_10"], weight))
        self._score_weight = max(found)[1]
        return self._score_weight

    @torch.inference_mode()
    def scores(self, texts: Sequence[str], rows: IntArray, *, levels: bool = True) -> FloatArray:
        """How well texts of the material fit its clips, (q, b)."""
        self.model.eval()
        numbers = self._numbers(texts)
        heard = [self._hear(part) for part in _parts(rows, self.model.sounds.at_once)]
        blocks = []
        for part in _parts(numbers, _TEXTS_AT_ONCE):
            worded = self._read(part)
            blocks.append(torch.cat([self.model.scores(worded, sounds, levels=levels) for sounds in heard], dim=1))
        scores = torch.cat(blocks).float().cpu()
        if self._score_weight:
            scores = complement_scores(scores, self._caption_scores(numbers, rows), weight=self._score_weight)
        return np.asarray(scores.numpy())

    def _caption_scores(self, numbers: IntArray, rows: IntArray) -> Tensor:
        assert self._captions is not None
        assert self.recipe.auxiliary is not None
        joint = self.recipe.auxiliary.matching_space == "joint"
        text, caption = [], []
        for part in _parts(numbers, _TEXTS_AT_ONCE):
            worded = self._read(part)
            text.append(worded.vector if joint else worded.sentence)
        for part in _parts(self.material.generated[rows], _TEXTS_AT_ONCE):
            side: TextSide = self._captions(self._captions.batch(part))
            caption.append(self.model.text_head(side.sentence.to(text[0].device)) if joint else side.sentence)
        first, second = normalize(torch.cat(text), dim=-1), normalize(torch.cat(caption), dim=-1)
        return (first @ second.to(first.device).T).float().cpu()

    @torch.inference_mode()
    def sound_vectors(self, rows: IntArray, *, alone: bool = False) -> Tensor:
        """One vector for each clip, (b, d) on the CPU.

        Args:
            rows: Numbers of clips.
            alone: Without their generated captions, as the program hears them.
        """
        self.model.eval()
        if alone and self.model.tap is not None:
            self.model.set_mean_text(self._training_texts())
        parts = [self._hear(part, alone=alone).vector for part in _parts(rows, self.model.sounds.at_once)]
        return torch.cat(parts).float().cpu()

    @torch.inference_mode()
    def text_vectors(self, texts: Sequence[str]) -> Tensor:
        """One vector for each text of the material, (q, d) on the CPU."""
        self.model.eval()
        return (
            torch.cat([self._read(part).vector for part in _parts(self._numbers(texts), _TEXTS_AT_ONCE)]).float().cpu()
        )

    def _training_texts(self) -> Tensor:
        """(k, d) of the first caption of each clip that is learned from, 2048 of them at most."""
        numbers = np.asarray([self.material.captions[row][0] for row in self.material.learned[:_MEAN_OF]])
        return torch.cat([self._read(part).vector for part in _parts(numbers, _TEXTS_AT_ONCE)])

    def _hear(self, rows: IntArray, *, alone: bool = False) -> Heard:
        generated = None if alone else self._generated(rows)
        caption = self._read_caption(moved(generated, self._device)) if generated is not None else None
        return self.model.hear(moved(self.model.sounds.batch(rows), self._device), caption)

    def _read(self, numbers: IntArray) -> Worded:
        return self.model.read(moved(self.model.wording.batch(numbers), self._device))

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _numbers(self, texts: Sequence[str]) -> IntArray:
        return np.asarray([self._number_of[text] for text in texts], dtype=np.int64)


def _parts(rows: IntArray, size: int) -> Iterator[IntArray]:
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]
