"""Many numbers and vectors into and out of SQLite, fast."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from core.types import FloatArray, IntArray

STORED_VECTOR = np.dtype("<f2")


def as_json(ids: Sequence[int] | IntArray) -> str:
    """Ids as one parameter, for ``IN (SELECT value FROM json_each(?))``: any number of them, one statement."""
    return json.dumps(np.asarray(ids, dtype=np.int64).tolist())


def id_array(rows: Sequence[Sequence[int]]) -> IntArray:
    """Rows of one number each, as (m,) int64."""
    return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))


def pack_vectors(vectors: FloatArray) -> list[bytes]:
    """(m, d) -> m blobs of d float16."""
    stored = np.ascontiguousarray(vectors, dtype=STORED_VECTOR)
    return [row.tobytes() for row in stored]


def unpack_vectors(blobs: Sequence[bytes], dimension: int) -> FloatArray:
    """M blobs of d float16 -> (m, d) float32.

    Raises:
        ValueError: A blob is of another length.
    """
    return np.frombuffer(b"".join(blobs), dtype=STORED_VECTOR).reshape(len(blobs), dimension).astype(np.float32)
