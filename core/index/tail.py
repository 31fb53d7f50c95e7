"""The newest rows, which are in no graph yet: a plain matrix, searched exactly."""

from __future__ import annotations

import numpy as np

from core.index.ranking import NOTHING, Scored, best_of, find_labels, products
from core.types import FloatArray, IntArray


class Tail:
    """Rows in memory by ascending label. Never changes; changes make a new tail.

    Several tails share one buffer, of which each sees the beginning that it knows of: adding a few rows to many then
    copies only the few, and a search that runs on the old tail is not disturbed.

    Attributes:
        after_row: The tail holds the source's rows with labels above this one
        through_row: and up to this one.
        labels: (n,) ascending.
        vectors: (n, d).
    """

    __slots__ = ("_buffer", "after_row", "labels", "through_row", "vectors")

    def __init__(self, buffer: _Buffer, count: int, *, after_row: int, through_row: int) -> None:
        self._buffer = buffer
        self.labels: IntArray = buffer.labels[:count]
        self.vectors: FloatArray = buffer.vectors[:count]
        self.after_row = after_row
        self.through_row = through_row

    @classmethod
    def empty(cls, dimension: int, *, after_row: int) -> Tail:
        """A tail that begins after a row and holds nothing yet."""
        return cls(_Buffer(0, dimension), 0, after_row=after_row, through_row=after_row)

    @property
    def count(self) -> int:
        """Rows in the tail."""
        return int(self.labels.size)

    def extended(self, labels: IntArray, vectors: FloatArray) -> Tail:
        """This tail with more rows (m,), (m, d), whose labels ascend and lie above `through_row`."""
        count = self.count + labels.size
        buffer = self._buffer
        if buffer.used != self.count or count > buffer.labels.size:
            buffer = _Buffer(max(count, min(2 * self.count, self.count + 8_192)), self.vectors.shape[1])
            buffer.append(self.labels, self.vectors)
        buffer.append(labels, vectors)
        return Tail(buffer, count, after_row=self.after_row, through_row=int(labels[-1]))

    def without(self, removed: IntArray) -> Tail:
        """This tail without the rows of some labels."""
        dead = np.isin(self.labels, removed)
        if not dead.any():
            return self
        return self._copied(~dead, after_row=self.after_row)

    def beginning_after(self, row: int) -> Tail:
        """This tail without the rows up to `row`, which lies inside it."""
        if row == self.after_row:
            return self
        return self._copied(self.labels > row, after_row=row)

    def _copied(self, kept: np.ndarray[tuple[int], np.dtype[np.bool_]], *, after_row: int) -> Tail:
        buffer = _Buffer(int(kept.sum()), self.vectors.shape[1])
        buffer.append(self.labels[kept], self.vectors[kept])
        return Tail(buffer, buffer.used, after_row=after_row, through_row=self.through_row)

    def search(self, query: FloatArray, k: int, allowed: IntArray | None) -> Scored:
        """The k best rows for a query (d,) among the ascending labels `allowed`."""
        return search_rows(self.labels, self.vectors, query, k, allowed)


class _Buffer:
    def __init__(self, capacity: int, dimension: int) -> None:
        self.labels: IntArray = np.empty(capacity, np.int64)
        self.vectors: FloatArray = np.empty((capacity, dimension), np.float32)
        self.used = 0

    def append(self, labels: IntArray, vectors: FloatArray) -> None:
        end = self.used + labels.size
        self.labels[self.used : end] = labels
        self.vectors[self.used : end] = vectors
        self.used = end


def search_rows(labels: IntArray, vectors: FloatArray, query: FloatArray, k: int, allowed: IntArray | None) -> Scored:
    """The k best of some rows (n,), (n, d), computed exactly.

    Args:
        labels: Ascending.
        vectors: In the order of the labels.
        query: (d,).
        k: Results wanted.
        allowed: Ascending labels that may be returned, or None for all.
    """
    if allowed is not None:
        first, last = np.searchsorted(allowed, [labels[0], labels[-1] + 1]) if labels.size else (0, 0)
        places, found = find_labels(labels, allowed[first:last])
        places = places[found]
        if not places.size:
            return NOTHING
        many = 2 * places.size > labels.size
        scores = products(vectors, query)[places] if many else products(vectors[places], query)
        return best_of(labels[places], scores, k)
    return best_of(labels, products(vectors, query), k)
