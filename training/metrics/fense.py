"""FENSE: likeness in meaning, less a penalty for broken sentences.

Zhou et al. 2022: Can audio captions be evaluated with image caption metrics? The two models are handed in: a sentence
encoder (the paper's is Sentence-BERT `paraphrase-TinyBERT-L6-v2`) and a detector of fluency errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from training.metrics.caption_score import CaptionScore, References, check_captions
from training.metrics.spider import penalise_errors


class SentenceEncoder(Protocol):
    """Texts (n) to vectors (n, d) of any length."""

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.floating]:
        """Encode."""
        ...


class FluencyModel(Protocol):
    """Texts (n) to the probability of an error in each, (n,)."""

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.floating]:
        """Judge."""
        ...


@dataclass(frozen=True, slots=True)
class Fense:
    """FENSE and what it is made of.

    Attributes:
        similarity: Mean cosine of a candidate and its references.
        error_probabilities: (n,) from the fluency model.
        fense: similarity * (1 - 0.9 [error probability > 0.9]).
    """

    similarity: CaptionScore
    error_probabilities: npt.NDArray[np.float64]
    fense: CaptionScore


def sentence_similarity(candidates: Sequence[str], references: References, encoder: SentenceEncoder) -> CaptionScore:
    """Mean over a candidate's references of the cosine of their embeddings.

    Raises:
        ValueError: As `check_captions`, or the encoder gives no finite vector for each text.
    """
    check_captions(candidates, references)
    ours = _encode(encoder, candidates)
    theirs = _encode(encoder, [reference for group in references for reference in group])
    owner = np.repeat(np.arange(len(candidates)), [len(group) for group in references])
    cosines = (ours[owner] * theirs).sum(axis=1)
    return CaptionScore.mean_of(np.bincount(owner, cosines) / np.bincount(owner))


def fense(
    candidates: Sequence[str], references: References, *, encoder: SentenceEncoder, fluency: FluencyModel
) -> Fense:
    """FENSE with these two models.

    Raises:
        ValueError: As `sentence_similarity` and `penalise_errors`.
    """
    similarity = sentence_similarity(candidates, references, encoder)
    probabilities = np.asarray(fluency(candidates), dtype=np.float64)
    return Fense(similarity, probabilities, penalise_errors(similarity, probabilities))


def _encode(encoder: SentenceEncoder, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    vectors = np.asarray(encoder(texts), dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise ValueError(f"expected one finite vector for each of {len(texts)} texts, got shape {vectors.shape}")
    lengths: npt.NDArray[np.float64] = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    unit: npt.NDArray[np.float64] = vectors / lengths
    return unit
