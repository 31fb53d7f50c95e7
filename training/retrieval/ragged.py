"""Rows of different lengths in one compact array: frames of sounds, words of texts.

Shape legend: n items, r rows of all of them, t rows of the longest, d features, b items asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from core.types import FloatArray, IntArray


class Ragged:
    """Items of rows, kept in half precision.

    Args:
        rows: (r, d).
        counts: (n,) rows of each item.

    Raises:
        ValueError: The counts do not add up.
    """

    def __init__(self, rows: npt.NDArray[np.float16], counts: IntArray) -> None:
        if int(counts.sum()) != len(rows):
            raise ValueError(f"{int(counts.sum())} rows are counted and {len(rows)} are there")
        self._rows = rows
        self._counts = counts
        self._starts = np.concatenate([[0], np.cumsum(counts)])[:-1]

    @classmethod
    def join(cls, parts: Sequence[tuple[FloatArray, FloatArray]]) -> Ragged:
        """Of several (rows, counts), in their order."""
        rows = np.concatenate([rows.astype(np.float16) for rows, _ in parts])
        return cls(rows, np.concatenate([counts for _, counts in parts]).astype(np.int64))

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def dimension(self) -> int:
        """d."""
        return int(self._rows.shape[1])

    @property
    def counts(self) -> IntArray:
        """(n,) rows of each item."""
        return self._counts

    def take(self, items: IntArray) -> Ragged:
        """Some items."""
        rows = [
            self._rows[start : start + count]
            for start, count in zip(self._starts[items], self._counts[items], strict=True)
        ]
        return Ragged(np.concatenate(rows), self._counts[items])

    def padded(self, items: IntArray) -> tuple[Tensor, Tensor]:
        """Some items as float32 (b, t, d), zero behind each one's end, and their mask (b, t)."""
        counts = self._counts[items]
        longest = int(counts.max())
        padded = np.zeros((len(items), longest, self.dimension), dtype=np.float32)
        for row, (start, count) in enumerate(zip(self._starts[items], counts, strict=True)):
            padded[row, :count] = self._rows[start : start + count]
        mask = torch.arange(longest) < torch.from_numpy(counts)[:, None]
        return torch.from_numpy(padded), mask
