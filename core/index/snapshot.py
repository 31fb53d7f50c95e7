"""The state of an index at one moment, which searches run on while the next one is being made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.index.protocol import VectorSource
from core.index.ranking import Ranking, Scored, find_labels
from core.index.reading import Gap, read_rows
from core.index.segment import Part
from core.index.tail import Tail, search_rows
from core.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which rows lie where. Together the four places hold every row of the source once.

    Attributes:
        parts: Graphs by ascending label.
        gaps: Ranges of labels whose graph was damaged; their rows are read from the source during a search.
        tail: The rows after the last graph and gap, in memory.
        overflow: Whether there are rows after the tail; they are read from the source during a search.
    """

    parts: tuple[Part, ...]
    gaps: tuple[Gap, ...]
    tail: Tail
    overflow: bool = False

    @property
    def graph_count(self) -> int:
        """Living rows in graphs."""
        return sum(part.count for part in self.parts)

    @property
    def complete(self) -> bool:
        """Whether every row is in a graph or in memory."""
        return not self.gaps and not self.overflow

    def search(
        self, query: FloatArray, k: int, allowed: IntArray | None, source: VectorSource, stream_rows: int
    ) -> Scored:
        """The k best rows for a query (d,) among the ascending labels `allowed`."""
        ranking = Ranking(k)
        ranking.add(self.tail.search(query, k, allowed))
        for part in self.parts:
            ranking.add(part.search(query, k, allowed, ranking.floor))
        for labels, vectors in self._streamed(source, stream_rows):
            ranking.add(search_rows(labels, vectors, query, k, allowed))
        return ranking.best

    def held(self, labels: IntArray) -> tuple[npt.NDArray[np.bool_], FloatArray]:
        """Which labels (m,) are in a graph or in memory, (m,), and the vectors (n, d) of those, in their order."""
        held = np.zeros(labels.size, np.bool_)
        vectors = np.empty((labels.size, self.tail.vectors.shape[1]), np.float32)
        for part in self.parts:
            places, found = part.places_of(labels)
            vectors[found] = part.vectors_at(places[found])
            held |= found
        places, found = find_labels(self.tail.labels, labels)
        vectors[found] = self.tail.vectors[places[found]]
        held |= found
        return held, vectors if held.all() else vectors[held]

    def _streamed(self, source: VectorSource, stream_rows: int) -> Iterator[tuple[IntArray, FloatArray]]:
        for gap in self.gaps:
            yield from read_rows(source, gap, stream_rows)
        if self.overflow:
            yield from read_rows(source, Gap(self.tail.through_row, None), stream_rows)
