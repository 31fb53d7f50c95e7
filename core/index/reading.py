"""Reading a range of rows from the source, with an eye on what comes out of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.index.protocol import VectorSource
from core.types import FloatArray, IntArray

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Gap:
    """The rows with labels above `after_row` and up to `last_row`, or all above when that is None."""

    after_row: int
    last_row: int | None


def read_rows(source: VectorSource, gap: Gap, limit: int) -> Iterator[tuple[IntArray, FloatArray]]:
    """The source's rows in a range by ascending label, `limit` at a time: labels (m,) and vectors (m, d).

    A vector with NaN or infinity in it, which would spoil every comparison, counts as zero and is logged.

    Raises:
        ValueError: The source breaks its promises of shape and order.
    """
    row = gap.after_row
    while gap.last_row is None or row < gap.last_row:
        given_labels, given_vectors = source.rows_after(row, limit)
        labels: IntArray = np.asarray(given_labels, np.int64)
        vectors: FloatArray = np.asarray(given_vectors, np.float32)
        if vectors.shape != (labels.size, source.dimension):
            raise ValueError(f"the source gave vectors {vectors.shape} for {labels.size} labels")
        if not labels.size:
            return
        if labels[0] <= row or np.any(labels[1:] <= labels[:-1]):
            raise ValueError(f"the source gave rows after {row} that do not ascend from there")
        row = int(labels[-1])
        if gap.last_row is not None:
            inside = int(np.searchsorted(labels, gap.last_row, side="right"))
            labels, vectors = labels[:inside], vectors[:inside]
        finite: npt.NDArray[np.bool_] = np.asarray(np.isfinite(vectors).all(axis=1))
        if not finite.all():
            _log.warning("Embeddings with impossible values count as zero: %s", labels[~finite].tolist())
            vectors = np.where(finite[:, None], vectors, np.float32(0))
        if labels.size:
            yield labels, vectors
