"""The library's vectors as the index reads them."""

from __future__ import annotations

from core.catalogue.bulk import id_array, unpack_vectors
from core.catalogue.catalogue import Catalogue
from core.types import FloatArray, IntArray


class CatalogueVectors:
    """The window embeddings of one model, by their ids; what `core.index.protocol.VectorSource` asks for.

    Any thread may call; each call sees what was committed by then.

    Args:
        catalogue: The library's database.
        model_id: Of the model.
        dimension: Of its embeddings.
    """

    def __init__(self, catalogue: Catalogue, *, model_id: str, dimension: int) -> None:
        self._catalogue = catalogue
        self._model_id = model_id
        self._dimension = dimension
        self._counted = (-1, 0)

    @property
    def model_id(self) -> str:
        """Id of the model."""
        return self._model_id

    @property
    def dimension(self) -> int:
        """Numbers per vector."""
        return self._dimension

    def count(self) -> int:
        """Number of vectors."""
        # Counting goes through all rows, and the index asks before every search.
        version = self._catalogue.data_version()
        if self._counted[0] != version:
            self._counted = (version, self._number("SELECT count(*) FROM embeddings WHERE model_id = ?"))
        return self._counted[1]

    def last_row(self) -> int:
        """The highest label, or 0."""
        # The plus keeps SQLite from sorting all rows of the model: it goes backwards from the end instead.
        return self._number("SELECT id FROM embeddings WHERE +model_id = ? ORDER BY id DESC LIMIT 1")

    def rows_after(self, row: int, limit: int) -> tuple[IntArray, FloatArray]:
        """The next vectors by label.

        Args:
            row: Label after which to go on; 0 to begin.
            limit: How many at most.

        Returns:
            Ascending labels (m,) above `row` and vectors (m, d).
        """
        with self._catalogue.cursor() as cursor:
            rows = cursor.execute(
                "SELECT id, vector FROM embeddings WHERE +model_id = ? AND id > ? ORDER BY id LIMIT ?",
                (self._model_id, row, limit),
            ).fetchall()
        return id_array(rows), unpack_vectors([vector for _, vector in rows], self._dimension)

    def removed_after(self, seq: int) -> tuple[IntArray, int]:
        """Labels (m,) that were deleted after the tombstone `seq`, and the number of the last tombstone."""
        with self._catalogue.cursor() as cursor:
            rows = cursor.execute(
                "SELECT embedding_id, seq FROM removed_embeddings WHERE model_id = ? AND seq > ? ORDER BY seq",
                (self._model_id, seq),
            ).fetchall()
        return id_array(rows), int(rows[-1][1]) if rows else seq

    def _number(self, statement: str) -> int:
        with self._catalogue.cursor() as cursor:
            row = cursor.execute(statement, (self._model_id,)).fetchone()
        return int(row[0]) if row else 0
