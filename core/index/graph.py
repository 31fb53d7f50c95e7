"""One HNSW graph and the file it lies in (Malkov and Yashunin, "Efficient and robust approximate nearest neighbor
search using Hierarchical Navigable Small World graphs", 2016; implementation: hnswlib).

hnswlib's file keeps, after a header, one record of fixed size per row: links of the lowest layer, vector, label. So the
vectors can be read in place through a memory map, which makes an exact search over chosen rows a hundred times faster
than asking hnswlib for them, and spares a second copy on the disk. `scan_file` checks that the layout is the one
known here; hnswlib itself trusts its file blindly and may crash on a damaged one.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np

from core.index.manifest import UnusableIndexError
from core.index.setting import IndexSettings
from core.types import FloatArray, IntArray

# Offset of layer 0, capacity, rows, record size, offset of the label and of the vector in a record, top layer, entry
# point, links per node in upper layers, in layer 0 and on insertion, level multiplier, ef_construction.
_HEADER = struct.Struct("<6Q2i3QdQ")
_SCAN_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class FileScan:
    """What a graph's file holds.

    Attributes:
        labels: (n,) in the order of the records.
        record_bytes: Size of one record.
        vector_offset: Where in the file the first vector begins.
        size_bytes: Size of the file.
        crc32: Check sum of the file.
    """

    labels: IntArray
    record_bytes: int
    vector_offset: int
    size_bytes: int
    crc32: int


def scan_file(path: Path, dimension: int) -> FileScan:
    """Read a graph's file once from end to end in bounded memory.

    Raises:
        UnusableIndexError: The file does not have the known layout.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise UnusableIndexError(f"{path.name} is too short.")
        start, _, rows, record_bytes, label_offset, vector_offset, *_ = _HEADER.unpack(header)
        laid_out = start == 0 and label_offset == vector_offset + 4 * dimension == record_bytes - 8
        if not laid_out or vector_offset % 4 or rows < 1 or _HEADER.size + rows * record_bytes > size_bytes:
            raise UnusableIndexError(f"{path.name} has an unknown layout.")
        crc32 = zlib.crc32(header)
        labels = np.empty(rows, np.int64)
        per_block = max(1, _SCAN_BYTES // record_bytes)
        for first in range(0, rows, per_block):
            block = file.read(min(per_block, rows - first) * record_bytes)
            crc32 = zlib.crc32(block, crc32)
            records = np.frombuffer(block, np.uint8).reshape(-1, record_bytes)
            labels[first : first + len(records)] = records[:, label_offset:].copy().view("<i8")[:, 0]
        while block := file.read(_SCAN_BYTES):
            crc32 = zlib.crc32(block, crc32)
    return FileScan(labels, record_bytes, _HEADER.size + vector_offset, size_bytes, crc32)


def map_vectors(path: Path, scan: FileScan, dimension: int) -> FloatArray:
    """The vectors (n, d) of a scanned file, in the order of its records, read from the disk when they are used."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.ndarray(
        (scan.labels.size, dimension),
        np.float32,
        buffer=mapped,
        offset=scan.vector_offset,
        strides=(scan.record_bytes, 4),
    )


def load_graph(path: Path, dimension: int, settings: IndexSettings, *, capacity: int = 0) -> Any:
    """The hnswlib index in a file that was scanned before, with room for `capacity` rows in all."""
    graph = hnswlib.Index(space="ip", dim=dimension)
    graph.load_index(os.fsencode(path), max_elements=capacity)
    graph.set_ef(settings.search_breadth)
    return graph


class GraphBuilder:
    """A graph that grows in memory until it is written; no search runs on it meanwhile.

    Args:
        dimension: Numbers per vector.
        capacity: Rows that are expected to be in it; memory is taken for them at once.
        settings: Of the index.
        base: File of a graph whose rows it takes over, or None.
    """

    def __init__(self, dimension: int, *, capacity: int, settings: IndexSettings, base: Path | None = None) -> None:
        self._settings = settings
        if base is not None:
            self.graph = load_graph(base, dimension, settings, capacity=capacity)
            return
        self.graph = hnswlib.Index(space="ip", dim=dimension)
        self.graph.init_index(
            max_elements=capacity, M=settings.links, ef_construction=settings.build_breadth, random_seed=1
        )
        self.graph.set_ef(settings.search_breadth)

    @property
    def rows(self) -> int:
        """Rows in the graph."""
        return int(self.graph.get_current_count())

    def add(self, labels: IntArray, vectors: FloatArray) -> None:
        """Add rows (m,), (m, d) whose labels are new."""
        needed = self.rows + labels.size
        if needed > self.graph.get_max_elements():
            self.graph.resize_index(needed)
        self.graph.add_items(vectors, labels, num_threads=self._settings.build_threads)

    def write(self, path: Path) -> None:
        """Write the graph to a file.

        Raises:
            OSError: The file cannot be written or is not whole afterwards: hnswlib does not notice a full disk.
        """
        try:
            self.graph.save_index(os.fsencode(path))
        except RuntimeError as error:
            raise OSError(f"{path} cannot be written: {error}") from error
        if path.stat().st_size != self.graph.index_file_size():
            raise OSError(f"{path} was not written to its end")
