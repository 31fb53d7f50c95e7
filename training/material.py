"""Everything that a run needs, gathered: clips, features, sentences, and who is learned from.

Shape legend: n clips, e trunk embedding, c classes, s sentence embedding.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.encoders.sentence import SentenceTokenizer
from core.types import FloatArray
from training.config import Recipe
from training.data.cache import ArrayCache
from training.data.feature import SentenceCache, TrunkFeatures, trunk_features
from training.data.manifest import Clip, read_manifest
from training.data.unheard import unheard_texts
from training.start import read_captions, read_class_names, text_profile
from training.tasks.profile import TrainingSet, as_tensor
from training.tower import Towers
from training.worn_copy import worn_copies

_COPIES = 1500
"""Worn copies from which is learned what a recording does to a sound; more find no more other takes."""
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the material of a run lies.

    Attributes:
        data: The corpus' folder.
        texts: Folder with the class names and the extra captions.
        trunk: Published checkpoint of the trunk.
        sentences: Published folder of the sentence encoder.
        cache: Where features are kept between runs.
    """

    data: Path
    texts: Path
    trunk: Path
    sentences: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class Material:
    """A corpus seen through frozen towers.

    Attributes:
        clips: All n of them.
        features: Of all clips, as they are.
        learned: Numbers of the clips that are learned from.
        views: Features of the clips that are learned from, in other views.
        worn: Numbers of some clips that are learned from.
        copies: Features of a worn copy of each of them.
        sentences: Embeds texts.
        class_names: (c, s).
        names: c names of classes.
        framed_names: Class names as texts without sounds.
        extra_texts: Other texts without sounds.
    """

    clips: tuple[Clip, ...]
    features: TrunkFeatures
    learned: tuple[int, ...]
    views: tuple[TrunkFeatures, ...]
    worn: tuple[int, ...]
    copies: TrunkFeatures
    sentences: SentenceCache
    class_names: Tensor
    names: tuple[str, ...]
    framed_names: tuple[str, ...]
    extra_texts: tuple[str, ...]

    def rows(self, split: str, without_sources: Collection[str] = ()) -> list[int]:
        """Numbers of a split's clips."""
        return [
            row for row, clip in enumerate(self.clips) if clip.split == split and clip.source not in without_sources
        ]

    def worn_pairs(self) -> tuple[TrunkFeatures, TrunkFeatures]:
        """Clips that are learned from as they are, and their worn copies."""
        learned = frozenset(self.learned)
        kept = [place for place, row in enumerate(self.worn) if row in learned]
        return self.features.take([self.worn[place] for place in kept]), self.copies.take(kept)


def gather(recipe: Recipe, places: Places, towers: Towers) -> Material:
    """Read everything; what is not in the cache yet is computed.

    Raises:
        KnownError: Something is missing or damaged.
    """
    cache = ArrayCache(places.cache)
    clips = read_manifest(places.data)
    features = trunk_features(
        clips, trunk=towers.trunk, trunk_digest=towers.trunk_digest, config=recipe.trunk, cache=cache
    )
    learned = learned_clips(
        clips,
        features.embedding[:, : towers.trunk.dimension],
        held_out=recipe.data.held_out_sources,
        duplicate_similarity=recipe.data.duplicate_similarity,
    )
    views = tuple(
        trunk_features(
            [clips[row] for row in learned],
            trunk=towers.trunk,
            trunk_digest=towers.trunk_digest,
            config=recipe.trunk,
            cache=cache,
            view=view,
        )
        for view in range(1, recipe.trunk.views + 1)
    )
    drawn = np.random.default_rng(recipe.seed).choice(learned, size=min(_COPIES, len(learned)), replace=False)
    worn = tuple(sorted(drawn.tolist()))
    copies = worn_copies(
        [clips[row] for row in worn],
        trunk=towers.trunk,
        trunk_digest=towers.trunk_digest,
        config=recipe.trunk,
        cache=cache,
        seed=recipe.seed,
    )
    sentences = SentenceCache(
        towers.text, SentenceTokenizer(towers.tokenizer), tower_digest=towers.text_digest, cache=cache
    )
    names = read_class_names(places.texts)
    extra = [caption for name in recipe.data.extra_texts for caption in read_captions(places.texts / name)]
    framed = list(dict.fromkeys(frame.format(name) for frame in recipe.data.class_name_frames for name in names))
    class_names = as_tensor(sentences(names))
    return Material(
        clips,
        features,
        learned,
        views,
        worn,
        copies,
        sentences,
        class_names,
        tuple(names),
        tuple(framed),
        tuple(dict.fromkeys(extra)),
    )


def learned_clips(
    clips: Sequence[Clip], embeddings: FloatArray, *, held_out: Collection[str], duplicate_similarity: float
) -> tuple[int, ...]:
    """Numbers of the training clips that come from no held-out source and are no copy of a clip of one.

    Args:
        clips: n of them.
        embeddings: (n, e) of the trunk.
        held_out: Sources that are not learned from.
        duplicate_similarity: From this cosine on two clips count as one recording.
    """
    unit = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-9)
    outside = [row for row, clip in enumerate(clips) if clip.source in held_out]
    rows = [row for row, clip in enumerate(clips) if clip.split == "train" and clip.source not in held_out]
    if not outside:
        return tuple(rows)
    nearest = (unit[rows] @ unit[outside].T).max(axis=1)
    kept = tuple(row for row, similarity in zip(rows, nearest, strict=True) if similarity < duplicate_similarity)
    _logger.info("%d training clips are copies of held-out ones and left out", len(rows) - len(kept))
    return kept


def training_set(material: Material, recipe: Recipe) -> TrainingSet:
    """Tensors of everything that is learned from."""
    clips = [material.clips[row] for row in material.learned]
    wordings = [(*clip.captions, clip.title) if recipe.data.titles else clip.captions for clip in clips]
    captions = list(dict.fromkeys(text for wording in wordings for text in wording))
    number = {text: row for row, text in enumerate(captions)}
    carries = np.zeros((len(clips), len(captions)), dtype=np.bool_)
    for row, wording in enumerate(wordings):
        carries[row, [number[text] for text in wording]] = True
    group_numbers = {group: row for row, group in enumerate(dict.fromkeys(clip.group for clip in clips))}
    groups = np.asarray([group_numbers[clip.group] for clip in clips], dtype=np.int64)
    plain = material.features.take(material.learned)
    seen = (plain, *material.views)
    sentences = as_tensor(material.sentences(captions))
    texts = [material.sentences(part) for part in (material.framed_names, material.extra_texts) if part]
    extra = as_tensor(np.concatenate(texts)) if texts else sentences[:0]
    phrased = [
        as_tensor(material.sentences([frame.format(name) for name in material.names]))
        for frame in recipe.data.class_name_frames or ("{}",)
    ]
    temperature = recipe.head.temperature
    return TrainingSet(
        embeddings=tuple(as_tensor(features.embedding) for features in seen),
        logits=tuple(as_tensor(features.logits) for features in seen),
        sentences=sentences,
        profiles=text_profile(sentences, material.class_names, temperature=temperature),
        carries=torch.from_numpy(carries),
        groups=torch.from_numpy(groups),
        extra_sentences=extra,
        unheard_sentences=as_tensor(material.sentences(unheard_texts())),
        named=len(material.framed_names),
        class_phrases=torch.stack(phrased).mean(dim=0),
        extra_profiles=text_profile(extra, material.class_names, temperature=temperature),
        ids=tuple(clip.id for clip in clips),
    )
