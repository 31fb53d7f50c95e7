"""Which clips form a batch, and which caption of each is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from core.types import IntArray


class CaptionSampler:
    """Every clip once an epoch, in a new order, with one of its captions drawn each time.

    Args:
        captions: For each clip, the numbers of its captions; none may be empty.
        batch: Clips in a batch; the rest of an epoch that does not fill one is left out.
        rng: Where chance comes from.

    Raises:
        ValueError: There are fewer clips than fill a batch, or a clip has no caption.
    """

    def __init__(self, captions: Sequence[Sequence[int]], *, batch: int, rng: np.random.Generator) -> None:
        if len(captions) < batch:
            raise ValueError(f"{len(captions)} clips do not fill a batch of {batch}")
        if not all(captions):
            raise ValueError("a clip without a caption cannot be learned from")
        self._captions = captions
        self._batch = batch
        self._rng = rng

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._captions) // self._batch

    def epoch(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Batches of (clips (b,), captions (b,)), both as numbers."""
        order = self._rng.permutation(len(self._captions))
        for number in range(len(self)):
            clips = order[number * self._batch : (number + 1) * self._batch]
            drawn = [self._captions[clip][int(self._rng.integers(len(self._captions[clip])))] for clip in clips]
            yield clips.astype(np.int64), np.asarray(drawn, dtype=np.int64)
