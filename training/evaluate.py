"""The corpus' retrieval protocol, over embeddings or any other scores.

Shape legend: n clips, q queries (distinct captions), d embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.types import FloatArray
from training.data.manifest import Clip
from training.metrics.retrieval import BoolArray, RetrievalFigures, retrieval_figures


@dataclass(frozen=True, slots=True)
class CaptionQueries:
    """The distinct captions of some clips, and which clip carries which.

    Attributes:
        texts: q captions, in the order of their first appearance.
        carried: (q, n) True where a clip carries a caption.
    """

    texts: tuple[str, ...]
    carried: BoolArray


def caption_queries(clips: Sequence[Clip]) -> CaptionQueries:
    """Queries of a split: a caption is answered by every clip that carries those very words."""
    texts = tuple(dict.fromkeys(caption for clip in clips for caption in clip.captions))
    number = {text: row for row, text in enumerate(texts)}
    carried = np.zeros((len(texts), len(clips)), dtype=np.bool_)
    for column, clip in enumerate(clips):
        for caption in clip.captions:
            carried[number[caption], column] = True
    return CaptionQueries(texts, carried)


@dataclass(frozen=True, slots=True)
class CorpusFigures:
    """Both directions.

    Attributes:
        text_to_audio: Clips found by captions.
        audio_to_text: Captions found by clips.
    """

    text_to_audio: RetrievalFigures
    audio_to_text: RetrievalFigures


def corpus_figures(scores: FloatArray, queries: CaptionQueries) -> CorpusFigures:
    """Figures of scores (q, n)."""
    return CorpusFigures(
        retrieval_figures(scores, queries.carried),
        retrieval_figures(np.ascontiguousarray(scores.T), np.ascontiguousarray(queries.carried.T)),
    )


def figures_by_category(
    scores: FloatArray, queries: CaptionQueries, clips: Sequence[Clip]
) -> dict[str, RetrievalFigures]:
    """Text-to-audio figures for the captions of each kind of sound, most queries first."""
    categories = sorted({clip.category for clip in clips})
    of_clip = np.asarray([clip.category for clip in clips])
    figures: dict[str, RetrievalFigures] = {}
    for category in categories:
        rows = queries.carried[:, of_clip == category].any(axis=1)
        figures[category] = retrieval_figures(scores[rows], queries.carried[rows])
    return dict(sorted(figures.items(), key=lambda item: -item[1].queries))
