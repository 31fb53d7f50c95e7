"""All figures of a model beside those of scoring without any training.

Shape legend: n clips, q texts, c classes, s sentence embedding, d embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from core.audio.mono import read_mono
from core.encoders.folded import FoldedMobileNet
from core.encoders.protocol import DualEncoder
from core.encoders.relevance import Relevance
from core.encoders.sentence import SentenceTokenizer
from core.types import FloatArray
from training.calibrate import CalibrationFigures, calibration_figures, same_category, same_concept
from training.config import Recipe
from training.data.dataset import DataError
from training.data.feature import ClipReader
from training.data.manifest import Clip
from training.evaluate import CorpusFigures, caption_queries, corpus_figures, figures_by_category
from training.metrics.retrieval import RetrievalFigures
from training.outside import OutsideFigures, outside_figures, outside_set
from training.retrieval.evaluate import retrieval_report
from training.start import one_vector_scores, text_profile, training_free_scores
from training.tower import Towers

MODEL = "trained"
TRAINING_FREE = "training-free"
ONE_VECTOR = "training-free, one vector"


class Scorer(Protocol):
    """Something that ranks clips by texts."""

    def __call__(self, texts: Sequence[str], clips: Sequence[Clip]) -> FloatArray:
        """Scores (q, n), higher fits better."""
        ...


class Embedder(Protocol):
    """A scorer whose scores are dot products."""

    def texts(self, texts: Sequence[str]) -> FloatArray:
        """(q, d) unit length."""
        ...

    def sounds(self, clips: Sequence[Clip]) -> FloatArray:
        """(n, d) unit length."""
        ...


@dataclass(frozen=True, slots=True)
class Scoring:
    """One way to score, by its figures.

    Attributes:
        corpus: On the corpus' test split.
        by_category: Text-to-audio on it, for each kind of sound.
        outside: On everyday sounds of held-out sources.
    """

    corpus: CorpusFigures
    by_category: Mapping[str, RetrievalFigures]
    outside: OutsideFigures


def scoring(scorer: Scorer, clips: Sequence[Clip], recipe: Recipe, *, outside_shortest_s: float = 0.0) -> Scoring:
    """Figures of a scorer on the test split and on the held-out sources of a corpus.

    Args:
        scorer: Scores texts against clips.
        clips: The whole corpus.
        recipe: Names the held-out sources and their classes.
        outside_shortest_s: Shorter clips are left out of the outside figures.
    """
    test = [clip for clip in clips if clip.split == "test"]
    queries = caption_queries(test)
    scores = scorer(queries.texts, test)
    long_enough = [clip for clip in clips if clip.duration_s >= outside_shortest_s]
    outside = outside_set(long_enough, recipe.data.held_out_sources, recipe.outside)
    return Scoring(
        corpus_figures(scores, queries),
        figures_by_category(scores, queries, test),
        outside_figures(scorer(outside.queries, outside.clips), outside.labels, outside.owners),
    )


@dataclass(frozen=True, slots=True)
class OwnFigures:
    """What a model finds among a split's sounds.

    Attributes:
        figures: By the names of `training.retrieval.evaluate.FIGURES`.
        by_category: Captions to sounds for each kind of sound, where the data set has kinds.
        clips: How many.
        queries: How many distinct captions.
    """

    figures: Mapping[str, float]
    by_category: Mapping[str, RetrievalFigures]
    clips: int
    queries: int


def figures_of(scorer: Scorer, clips: Sequence[Clip], split: str = "test") -> OwnFigures:
    """Retrieval figures both ways on one split of any data set.

    Raises:
        DataError: The split is empty.
    """
    own = [clip for clip in clips if clip.split == split]
    if not own:
        raise DataError(f"There are no clips of the split {split}.", "Choose another with --split.")
    queries = caption_queries(own)
    scores = scorer(queries.texts, own)
    kinds = figures_by_category(scores, queries, own) if any(clip.category for clip in own) else {}
    return OwnFigures(retrieval_report(scores, queries), kinds, len(own), len(queries.texts))


def calibration_on_test(
    embedder: Embedder, relevance: Relevance, clips: Sequence[Clip], recipe: Recipe
) -> CalibrationFigures:
    """How the calibration does on the test split, and on the absurd queries that its fit has not seen."""
    test = [clip for clip in clips if clip.split == "test"]
    queries = caption_queries(test)
    return calibration_figures(
        relevance,
        embedder.texts(queries.texts),
        embedder.sounds(test),
        fits=same_concept(test, queries),
        kin=same_category(test, queries),
        absurd=embedder.texts(recipe.absurd_queries[1::2]),
    )


class EncoderEmbedder:
    """Clips and texts through a finished model, from files to vectors as the program does it.

    Args:
        encoder: The model.
    """

    def __init__(self, encoder: DualEncoder) -> None:
        self._encoder = encoder
        self._known: dict[str, FloatArray] = {}

    def texts(self, texts: Sequence[str]) -> FloatArray:
        """See `Embedder`."""
        return self._encoder.embed_text(texts)

    def sounds(self, clips: Sequence[Clip]) -> FloatArray:
        """See `Embedder`; a clip is embedded once."""
        rate = self._encoder.card.sample_rate_hz
        window = round(self._encoder.card.window_s * rate)
        for clip in clips:
            if clip.id not in self._known:
                samples = read_mono(clip.path, sample_rate_hz=rate)[:window]
                self._known[clip.id] = self._encoder.embed_audio([samples])[0]
        return np.stack([self._known[clip.id] for clip in clips])

    def __call__(self, texts: Sequence[str], clips: Sequence[Clip]) -> FloatArray:
        """See `Scorer`."""
        return np.asarray(self.texts(texts) @ self.sounds(clips).T)


class TrainingFreeScorer:
    """Both training-free scores, from files, with frozen towers.

    Args:
        towers: The frozen towers.
        class_names: (c, s).
        recipe: Says how clips are read, and the temperature.
        one_vector: The score that is one dot product in place of the better one.
    """

    def __init__(self, towers: Towers, class_names: Tensor, recipe: Recipe, *, one_vector: bool = False) -> None:
        self._towers = towers
        self._tokenizer = SentenceTokenizer(towers.tokenizer)
        self._names = class_names
        self._recipe = recipe
        self._one_vector = one_vector
        self._run = FoldedMobileNet(towers.trunk)
        self._read = ClipReader(recipe.trunk)
        self._known: dict[str, Tensor] = {}

    def as_one_vector(self) -> TrainingFreeScorer:
        """The other score, over the same clips: what is known of them is shared."""
        other = TrainingFreeScorer(self._towers, self._names, self._recipe, one_vector=True)
        other._known = self._known
        return other

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str], clips: Sequence[Clip]) -> FloatArray:
        """See `Scorer`."""
        for clip in clips:
            if clip.id not in self._known:
                self._known[clip.id] = self._run(torch.from_numpy(self._read(clip))[None])[1][0]
        logits = torch.stack([self._known[clip.id] for clip in clips])
        parts = [self._towers.text(*self._tokenizer(texts[begin : begin + 64])) for begin in range(0, len(texts), 64)]
        sentences = torch.nn.functional.normalize(torch.cat(parts), dim=-1)
        if self._one_vector:
            return np.asarray(one_vector_scores(sentences, self._names, logits).numpy())
        profiles = text_profile(sentences, self._names, temperature=self._recipe.head.temperature)
        return np.asarray(training_free_scores(profiles, logits).numpy())
