"""Retrieval figures over a matrix of scores.

Shape legend: q queries, n candidates.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from core.types import FloatArray

BoolArray = npt.NDArray[np.bool_]
_CUT = 10


@dataclass(frozen=True, slots=True)
class RetrievalFigures:
    """Means over queries, each 0 to 1.

    Attributes:
        map_at_10: AP@10 = sum over the ranks k <= 10 that are relevant of precision at k, divided by min(R, 10).
        hit_at_1: Share of queries whose first candidate is relevant (R@1 where each query has one answer).
        hit_at_5: Share with a relevant candidate among the first five.
        hit_at_10: Share with a relevant candidate among the first ten.
        queries: How many queries were averaged.
    """

    map_at_10: float
    hit_at_1: float
    hit_at_5: float
    hit_at_10: float
    queries: int

    def as_dict(self) -> dict[str, float]:
        """Figures by name."""
        return asdict(self)


def ranked_relevance(scores: FloatArray, relevant: BoolArray, cut: int | None = None) -> BoolArray:
    """Relevance in order of descending score, (q, n) or (q, cut); equal scores keep the candidates' order."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :cut]
    return np.take_along_axis(relevant, order, axis=1)


def retrieval_figures(scores: FloatArray, relevant: BoolArray) -> RetrievalFigures:
    """Figures of a ranking by `scores` (q, n) against `relevant` (q, n).

    For the mirror image (texts found by sounds) transpose both.

    Raises:
        ValueError: The shapes differ, there is no query, or a query has nothing relevant.
    """
    _check(scores, relevant)
    hits = ranked_relevance(scores, relevant, _CUT)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    average = (precision * hits).sum(axis=1) / np.minimum(relevant.sum(axis=1), _CUT)
    return RetrievalFigures(
        map_at_10=float(average.mean()),
        hit_at_1=float(hits[:, 0].mean()),
        hit_at_5=float(hits[:, :5].any(axis=1).mean()),
        hit_at_10=float(hits.any(axis=1).mean()),
        queries=len(scores),
    )


def mean_average_precision(scores: FloatArray, relevant: BoolArray) -> float:
    """Mean over queries of the average precision over the whole ranking.

    Raises:
        ValueError: As for `retrieval_figures`.
    """
    _check(scores, relevant)
    hits = ranked_relevance(scores, relevant)
    precision = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return float(((precision * hits).sum(axis=1) / hits.sum(axis=1)).mean())


def _check(scores: FloatArray, relevant: BoolArray) -> None:
    if scores.shape != relevant.shape or scores.ndim != 2:
        raise ValueError(f"scores {scores.shape} and relevance {relevant.shape} are not one (q, n)")
    if not relevant.any(axis=1).all() or not len(scores):
        raise ValueError("every query needs something relevant, and there must be a query")
