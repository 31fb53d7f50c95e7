"""Sizes and thresholds of the index, with the measurements behind them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def _core_count() -> int:
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """How an index is cut up and searched.

    The defaults were measured with 384 dimensions on two cores; `tests/benchmarks/index_bench.py` measures them again.
    The graph's three numbers come from text queries against clips: texts lie apart from all clips, and a graph that
    links clips leads a text to its neighbours less surely than another clip does. With 44,000 windows made from real
    recordings, 16 links, a build breadth of 100 and a search breadth of 64 find .84 of the ten best for a text (1.0 for
    a clip); 24, 200 and 384 find .99, in 0.3 ms.

    Attributes:
        exact_rows: A library of up to so many rows is searched exactly and gets no graph (24,576 rows: 1.3 ms).
        tail_rows: Once there is a graph, so many of the newest rows may stay outside it (8,192 rows: 0.3 ms).
        segment_rows: Rows of one graph; bounds what a writer holds in memory (131,072 rows: 240 MB).
        memory_rows: Rows outside the graphs that are held in memory at most; those beyond are read from the
            source during each search (32,768 rows: 50 MB, 2 ms).
        add_rows: Rows added to a graph between two looks at the cancel token.
        stream_rows: Rows read from the source at a time.
        dead_share: A segment is built anew when more than this share of its rows was removed.
        links: Links per node and layer (hnswlib's M).
        build_breadth: Candidates looked at when a row is added (hnswlib's ef_construction).
        search_breadth: Candidates fetched in a search at least (hnswlib's ef).
        slack: Candidates fetched per result that is asked for; the end of a candidate list is not reliable.
        exact_premium: An exact answer is preferred to a fast one while it costs at most so many times as much.
        build_threads: Threads that add rows.
    """

    exact_rows: int = 24_576
    tail_rows: int = 8_192
    segment_rows: int = 131_072
    memory_rows: int = 32_768
    add_rows: int = 1_000
    stream_rows: int = 4_096
    dead_share: float = 0.25
    links: int = 24
    build_breadth: int = 200
    search_breadth: int = 384
    slack: float = 1.5
    exact_premium: float = 2.0
    build_threads: int = field(default_factory=_core_count)

    def __post_init__(self) -> None:
        if not 0 < self.tail_rows <= self.exact_rows <= self.memory_rows:
            raise ValueError("tail_rows <= exact_rows <= memory_rows does not hold")
        if min(self.segment_rows, self.add_rows, self.stream_rows, self.build_threads) < 1:
            raise ValueError("segment_rows, add_rows, stream_rows and build_threads start at 1")
        if self.slack < 1 or not 0 < self.dead_share < 1:
            raise ValueError("slack is 1 or more, dead_share lies between 0 and 1")
