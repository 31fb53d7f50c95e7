"""A vector source in memory that behaves as the catalogue does, and vectors to put into it."""

from __future__ import annotations

import threading

import numpy as np

from core.index import IndexSettings, LibraryIndex
from core.jobs import CancelToken, Progress
from core.types import FloatArray, IntArray

DIMENSION = 16
# Small enough for a test to see several graphs, and graphs are used wherever they can be.
SMALL = IndexSettings(
    exact_rows=400,
    tail_rows=200,
    segment_rows=2_000,
    memory_rows=600,
    add_rows=100,
    stream_rows=128,
    links=8,
    build_breadth=40,
    search_breadth=64,
    slack=3.0,
    exact_premium=0.05,
    build_threads=2,
)


def clustered(count: int, *, seed: int = 0, dimension: int = DIMENSION) -> FloatArray:
    """Unit vectors (n, d) around random centres, rounded as the catalogue rounds them."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(2, count // 50), dimension))
    vectors = centres[random.integers(0, len(centres), count)] + 0.5 * random.standard_normal((count, dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16).astype(np.float32)


class MemorySource:
    def __init__(self, *, dimension: int = DIMENSION, model_id: str = "model-1", first_row: int = 1) -> None:
        self.model_id = model_id
        self.dimension = dimension
        self.rows_read = 0
        self._next = first_row
        self._lock = threading.Lock()
        self.labels: IntArray = np.empty(0, np.int64)
        self.matrix: FloatArray = np.empty((0, dimension), np.float32)
        self.removed: IntArray = np.empty(0, np.int64)

    def put(self, vectors: FloatArray) -> IntArray:
        with self._lock:
            labels = np.arange(self._next, self._next + len(vectors), dtype=np.int64)
            self._next += len(vectors)
            self.matrix = np.concatenate([self.matrix, vectors])
            self.labels = np.concatenate([self.labels, labels])
            return labels

    def drop(self, labels: IntArray, *, leaving_tombstones: bool = True) -> None:
        with self._lock:
            kept = ~np.isin(self.labels, labels)
            self.labels, self.matrix = self.labels[kept], self.matrix[kept]
            if leaving_tombstones:
                self.removed = np.concatenate([self.removed, labels])

    def count(self) -> int:
        return int(self.labels.size)

    def last_row(self) -> int:
        labels = self.labels
        return int(labels[-1]) if labels.size else 0

    def rows_after(self, row: int, limit: int) -> tuple[IntArray, FloatArray]:
        with self._lock:
            first = int(np.searchsorted(self.labels, row, side="right"))
            self.rows_read += len(self.labels[first : first + limit])
            return self.labels[first : first + limit], self.matrix[first : first + limit]

    def removed_after(self, seq: int) -> tuple[IntArray, int]:
        with self._lock:
            return self.removed[seq:], max(seq, int(self.removed.size))

    def best(self, query: FloatArray, k: int, allowed: IntArray | None = None) -> tuple[IntArray, FloatArray]:
        """The answer, by the definition."""
        labels, scores = self.labels, self.matrix @ query
        if allowed is not None:
            kept = np.isin(labels, allowed)
            labels, scores = labels[kept], scores[kept]
        order = np.lexsort((labels, -scores))[:k]
        return labels[order], scores[order]


def finish(index: LibraryIndex, token: CancelToken | None = None) -> list[Progress]:
    return list(index.catch_up(token))


def recall(
    index: LibraryIndex, source: MemorySource, queries: FloatArray, k: int = 10, allowed: IntArray | None = None
) -> float:
    """Share of the true k best that a search finds; also checks that each answer is whole and in order."""
    shares = []
    for query in queries:
        labels, scores = index.search(query, k, allowed=allowed)
        wanted, _ = source.best(query, k, allowed)
        assert labels.dtype == np.int64
        assert scores.dtype == np.float32
        assert labels.size == wanted.size == np.unique(labels).size
        assert np.all(scores[1:] <= scores[:-1])
        held, vectors = index.held(labels)
        np.testing.assert_allclose(vectors @ query, scores[held], atol=1e-5)
        shares.append(np.isin(labels, wanted).mean() if wanted.size else 1.0)
    return float(np.mean(shares))
