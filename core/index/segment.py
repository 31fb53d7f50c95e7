"""One graph with its rows: the immutable file, and the part of its rows that is alive."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.index.graph import FileScan, load_graph, map_vectors, scan_file
from core.index.manifest import SegmentRecord, UnusableIndexError
from core.index.ranking import NOTHING, Scored, best_of, find_labels, products
from core.index.setting import IndexSettings
from core.types import FloatArray, IntArray

# Microseconds at 384 dimensions on one core, by measurement: a candidate in a graph search, a row gathered from the
# file and multiplied, a row multiplied in file order. All grow alike with the dimension, so their ratios stay.
CANDIDATE_US = 3.0
GATHER_US = 0.30
SCAN_US = 0.10
_GATHER_ROWS = 1_024


class Segment:
    """A graph's file, opened. Nothing in the file changes.

    Args:
        path: The file.
        record: What the manifest says of it.
        scan: What was found in it.
        dimension: Numbers per vector.
        settings: Of the index.
        graph: The file's graph if it is in memory already; otherwise it is loaded by the second search.
    """

    def __init__(
        self,
        path: Path,
        record: SegmentRecord,
        scan: FileScan,
        *,
        dimension: int,
        settings: IndexSettings,
        graph: Any = None,
    ) -> None:
        self.path = path
        self.record = record
        self._dimension = dimension
        self._settings = settings
        self._graph = graph
        self._graph_lock = threading.Lock()
        self._was_searched = False
        # Threads add rows a little out of order.
        self.file_rows: npt.NDArray[np.int32] = np.argsort(scan.labels, kind="stable").astype(np.int32)
        self.labels: IntArray = scan.labels[self.file_rows]
        self.vectors = map_vectors(path, scan, dimension)

    @classmethod
    def open(cls, folder: Path, record: SegmentRecord, *, dimension: int, settings: IndexSettings) -> Segment:
        """Open and check the file of a manifest's record.

        Raises:
            UnusableIndexError: The file is missing or is not what the manifest says.
        """
        path = folder / record.file
        try:
            if path.stat().st_size != record.size_bytes:
                raise UnusableIndexError(f"{record.file} has another size than the manifest says.")
            scan = scan_file(path, dimension)
            if scan.crc32 != record.crc32 or scan.labels.size != record.rows:
                raise UnusableIndexError(f"{record.file} is damaged.")
            return cls(path, record, scan, dimension=dimension, settings=settings)
        except OSError as error:
            raise UnusableIndexError(f"{record.file} cannot be read ({error.strerror}).") from error

    @property
    def loaded(self) -> bool:
        """Whether the graph is in memory."""
        return self._graph is not None

    def worth_loading(self) -> bool:
        """Whether to search the graph, asked once by each search: yes, if it is in memory or this is not the first.

        Loading it takes ten times as long as one exact search of its file, and a search from the shell is the only one.
        """
        worth, self._was_searched = self.loaded or self._was_searched, True
        return worth

    @property
    def graph(self) -> Any:
        """The hnswlib index, loaded when first asked for."""
        with self._graph_lock:
            if self._graph is None:
                self._graph = load_graph(self.path, self._dimension, self._settings)
            return self._graph


class Part:
    """A segment together with the knowledge of which of its rows are alive. Never changes.

    Args:
        segment: The graph.
        removed: Labels removed from the source, in any order; those of other segments do no harm.
        settings: Of the index.
    """

    __slots__ = ("_alive", "_settings", "count", "segment")

    def __init__(self, segment: Segment, removed: IntArray, settings: IndexSettings) -> None:
        self.segment = segment
        self._settings = settings
        places, found = find_labels(segment.labels, removed)
        self._alive: npt.NDArray[np.bool_] | None = None
        if found.any():
            self._alive = np.ones(segment.labels.size, np.bool_)
            self._alive[places[found]] = False
        self.count = segment.labels.size if self._alive is None else int(self._alive.sum())

    @property
    def dead_share(self) -> float:
        """Share of the graph's rows that were removed."""
        return 1 - self.count / int(self.segment.labels.size)

    @property
    def alive_labels(self) -> IntArray:
        """Labels (n,) ascending."""
        labels = self.segment.labels
        return labels if self._alive is None else labels[self._alive]

    def without(self, removed: IntArray) -> Part:
        """This part after more removals."""
        if not find_labels(self.segment.labels, removed)[1].any():
            return self
        dead = self.segment.labels[~self._alive] if self._alive is not None else removed[:0]
        return Part(self.segment, np.concatenate([dead, removed]), self._settings)

    def places_of(self, labels: IntArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Places (m,) of labels (m,) among the segment's labels, and whether they are there and alive."""
        places, found = find_labels(self.segment.labels, labels)
        return places, found if self._alive is None else found & self._alive[places]

    def vectors_at(self, places: npt.NDArray[np.intp]) -> FloatArray:
        """Vectors (m, d) of places among the segment's labels."""
        return self.segment.vectors[self.segment.file_rows[places]]

    def search(self, query: FloatArray, k: int, allowed: IntArray | None, floor: float) -> Scored:
        """The k best rows for a query (d,).

        Args:
            query: (d,).
            k: Results wanted.
            allowed: Ascending labels that may be returned, or None for all.
            floor: Rows with lower scores are of no use to the caller and may be left out.
        """
        labels = self.segment.labels
        total = int(labels.size)
        competing = self.count
        if allowed is not None:
            first, last = np.searchsorted(allowed, [labels[0], labels[-1] + 1])
            allowed = allowed[first:last]
            competing = min(competing, int(allowed.size))
        if not competing:
            return NOTHING
        fetched = math.ceil(max(self._settings.search_breadth, self._settings.slack * k * total / competing))
        exact_us = SCAN_US * total if allowed is None else min(SCAN_US * total, GATHER_US * competing)
        if self._graph_pays(fetched, exact_us) and self.segment.worth_loading():
            found = self._search_graph(query, min(k, competing), fetched, allowed, floor)
            if found is not None:
                return found
        return self._search_exactly(query, k, allowed)

    def load(self) -> None:
        """Load the graph now, if a search of all rows would use it."""
        if self._graph_pays(self._settings.search_breadth, SCAN_US * self.segment.labels.size):
            _ = self.segment.graph

    def _graph_pays(self, fetched: int, exact_us: float) -> bool:
        """Whether fetching so many candidates from the graph is faster than an exact search that takes so long."""
        affordable_us = self._settings.exact_premium * CANDIDATE_US * fetched
        return fetched < self.segment.labels.size and exact_us > affordable_us

    def _search_graph(
        self, query: FloatArray, k: int, fetched: int, allowed: IntArray | None, floor: float
    ) -> Scored | None:
        """The best rows among the `fetched` best of all, or None where those do not contain k that may be returned."""
        try:
            raw_labels, distances = self.segment.graph.knn_query(query, fetched, num_threads=1)
        except RuntimeError:  # hnswlib's way of saying that the graph reached fewer rows than that
            return None
        labels = raw_labels[0].astype(np.int64)
        places, usable = self.places_of(labels)
        if allowed is not None:
            usable &= find_labels(allowed, labels)[1]
        places = places[usable]
        # All rows that were not fetched score lower than the last one that was.
        if places.size < k and 1 - float(distances[0, -1]) > floor:
            return None
        # hnswlib's distance is 1 - product, which loses digits of products far from 1: the few are computed again.
        places = places[:k]
        return best_of(self.segment.labels[places], products(self.vectors_at(places), query), k)

    def _search_exactly(self, query: FloatArray, k: int, allowed: IntArray | None) -> Scored:
        segment = self.segment
        if allowed is None:
            places = np.arange(segment.labels.size) if self._alive is None else np.flatnonzero(self._alive)
        else:
            places, usable = self.places_of(allowed)
            places = places[usable]
        if GATHER_US * places.size > SCAN_US * segment.labels.size:
            scores = products(segment.vectors, query)[segment.file_rows[places]]
        else:
            scores = np.empty(places.size, np.float32)
            for first in range(0, places.size, _GATHER_ROWS):
                chosen = places[first : first + _GATHER_ROWS]
                scores[first : first + _GATHER_ROWS] = products(self.vectors_at(chosen), query)
        return best_of(segment.labels[places], scores, k)
