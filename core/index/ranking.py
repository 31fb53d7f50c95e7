"""Picking the best of scored rows, and finding labels among labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.types import FloatArray, IntArray

Scored = tuple[IntArray, FloatArray]

NOTHING: Scored = (np.empty(0, np.int64), np.empty(0, np.float32))


def products(vectors: FloatArray, query: FloatArray) -> FloatArray:
    """Dot products (n,) of vectors (n, d) with a query (d,).

    A product of matrix and vector would be shared among BLAS threads, which wait for one another: 0.1 ms becomes 30 ms
    as soon as something else (an indexing job, say) keeps the cores busy. Row by row it is as fast, steady, and each
    row's result is the same whatever rows stand beside it.
    """
    result: FloatArray = np.vecdot(vectors, query)
    return result


def best_of(labels: IntArray, scores: FloatArray, k: int) -> Scored:
    """The k highest scores and their labels, best first; of equal scores the lower label comes first."""
    if scores.size > k:
        # The k-th score may be shared by several rows: all of them compete, so that the labels decide.
        floor = np.partition(scores, scores.size - k)[scores.size - k]
        kept = np.flatnonzero(scores >= floor)
        labels, scores = labels[kept], scores[kept]
    order = np.lexsort((labels, -scores))[:k]
    return labels[order], scores[order]


def find_labels(sorted_labels: IntArray, wanted: IntArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Where `wanted` (m,) lie in ascending `sorted_labels` (n,): places (m,) and whether they are there at all."""
    if not sorted_labels.size:
        return np.zeros(wanted.size, np.intp), np.zeros(wanted.size, np.bool_)
    places = np.minimum(np.searchsorted(sorted_labels, wanted), sorted_labels.size - 1)
    return places, sorted_labels[places] == wanted


class Ranking:
    """Collects scored rows from several places and keeps the k best."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._best: Scored = NOTHING

    def add(self, found: Scored) -> None:
        """Take more rows into account; no label may come twice."""
        if found[0].size:
            labels = np.concatenate([self._best[0], found[0]])
            self._best = best_of(labels, np.concatenate([self._best[1], found[1]]), self._k)

    @property
    def floor(self) -> float:
        """The score that a row must reach to matter still."""
        scores = self._best[1]
        return float(scores[-1]) if scores.size == self._k else -np.inf

    @property
    def best(self) -> Scored:
        """The k best so far, best first."""
        return self._best
