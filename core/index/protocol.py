"""The seams of the vector index: where vectors come from, and what a search can ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from core.jobs import CancelToken, Progress
from core.types import FloatArray, IntArray


class VectorSource(Protocol):
    """The truth about a library's vectors, as the catalogue holds it.

    Rows are known by their label, the id of their embedding: 64 bit, growing, never used twice. All methods may be
    called from any thread and see what other processes have committed.
    """

    @property
    def model_id(self) -> str:
        """Id of the model whose vectors these are."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers per vector."""
        ...

    def count(self) -> int:
        """Number of rows."""
        ...

    def last_row(self) -> int:
        """The highest label, or 0 when there is none; changes whenever rows were added."""
        ...

    def rows_after(self, row: int, limit: int) -> tuple[IntArray, FloatArray]:
        """The next rows by ascending label: labels (m,) > `row` and vectors (m, d), m <= `limit`."""
        ...

    def removed_after(self, seq: int) -> tuple[IntArray, int]:
        """Labels removed after the tombstone `seq`, and the last tombstone's number (`seq` if there is none)."""
        ...


class VectorIndex(Protocol):
    """Finds the rows whose vectors have the largest dot product with a query.

    An index follows its source: nothing is added to it or removed from it by hand. `refresh` takes up what the source
    has committed; `catch_up` does so too and also does the long work of building graphs and saving them.
    """

    @property
    def count(self) -> int:
        """Rows that a search looks at."""
        ...

    def search(self, query: FloatArray, k: int, *, allowed: IntArray | None = None) -> tuple[IntArray, FloatArray]:
        """The k best rows for a query.

        Args:
            query: (d,) of any length.
            k: Results wanted, 1 or more.
            allowed: Labels (a,) that may be returned; ascending order spares a sort. None allows all.

        Returns:
            Labels (m,) int64 and dot products (m,) float32 by descending product, m = min(k, rows allowed).

        Raises:
            ValueError: The query has another dimension or holds NaN or infinity, or k is below 1.
        """
        ...

    def held(self, labels: IntArray) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """The vectors of some rows, as far as they are at hand without asking the source.

        Args:
            labels: (m,) in any order.

        Returns:
            (m,) True for those that are, and their vectors (n, d), in their order.
        """
        ...

    def refresh(self) -> bool:
        """Take up rows added or removed since the last look, also by another process; cheap when there are none.

        Returns:
            Whether something had changed.
        """
        ...

    def catch_up(self, token: CancelToken | None = None) -> Iterator[Progress]:
        """Bring the index on disk up to date: a job that yields progress while searches go on.

        Raises:
            CancelledError: The token was set; what was built so far is kept where that is possible.
            LibraryError: The folder cannot be written, or the index was opened read-only.
            LibraryBusyError: Another thread is doing so.
        """
        ...
