"""Groups of vectors that point the same way.

Shape legend: n rows, w their length, k groups.
"""

from __future__ import annotations

import numpy as np

from core.types import FloatArray, IntArray
from training.metrics.retrieval import BoolArray

_ROUNDS = 8


def spherical_means(rows: FloatArray, count: int, *, rng: np.random.Generator) -> tuple[FloatArray, IntArray]:
    """Spherical k-means (Dhillon and Modha 2001).

    Args:
        rows: (n, w) of unit length.
        count: k; of fewer rows there are as many groups.
        rng: Draws where groups begin, and begin again when they have lost all rows.

    Returns:
        Directions (k, w) of unit length, and the group (n,) of every row: that with the largest cosine.
    """
    count = min(count, len(rows))
    centres = rows[rng.choice(len(rows), size=count, replace=False)]
    for _ in range(_ROUNDS):
        owner = (rows @ centres.T).argmax(axis=1)
        centres, empty = group_means(rows, owner, count)
        centres[empty] = rows[rng.choice(len(rows), size=int(empty.sum()))]
        centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    return centres, (rows @ centres.T).argmax(axis=1)


def group_means(rows: FloatArray, owner: IntArray, count: int) -> tuple[FloatArray, BoolArray]:
    """Mean (k, w) of the rows of each group, and which groups (k,) have none."""
    sums = np.zeros((count, rows.shape[1]), dtype=np.float32)
    np.add.at(sums, owner, rows)
    counts = np.bincount(owner, minlength=count)
    return np.asarray(sums / np.maximum(counts, 1)[:, None], dtype=np.float32), counts == 0
