"""Rows of a library that does not exist, and answers about them, for the models and panels of results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from app.search import SearchAnswer
from core.audio.peaks import Peaks
from core.catalogue.models import FileState
from core.library import CaptionRow, DeskRow
from core.search.query import QuerySpec
from core.search.result import Hit, Moment, PartScore, SearchResult, Why
from core.types import IntArray, Span

MOMENT = Span(3.0, 5.0)
SPEC = QuerySpec("gate")


def desk_row(file_id: int, **changes: object) -> DeskRow:
    """A row of its own for every id."""
    values: dict[str, object] = {
        "id": file_id,
        "path": Path(f"/sounds/sound {file_id:04d}.wav"),
        "name": f"sound {file_id:04d}.wav",
        "folder": "/sounds",
        "container": "wav",
        "sample_rate_hz": 96_000,
        "channels": 2,
        "bit_depth": 24,
        "duration_s": 134.0,
        "category": ("DOORGate", "THUN")[file_id % 2],
        "state": FileState.READY,
        "skip_reason": None,
        "is_offline": False,
        "rating": file_id % 6,
        "is_favourite": False,
        "tags": (),
        "caption": CaptionRow(f"Sound number {file_id}", 0.8, "model"),
        "peak_db": -1.0,
        "loudness_lufs": -20.0,
        "size_bytes": 1_000,
        "mtime_ns": 0,
    }
    return DeskRow(**{**values, **changes})


def hit(file_id: int, relevance: float = 0.9, *, span: Span | None = MOMENT) -> Hit:
    """A hit on such a row."""
    moments = () if span is None else (Moment(span, 0.4, relevance),)
    return Hit(
        rank=1,
        file_id=file_id,
        path=Path(f"/sounds/sound {file_id:04d}.wav"),
        span=span,
        score=0.4,
        relevance=relevance,
        why=Why((PartScore("text", "gate", 1.0, 0.4, relevance),)),
        moments=moments,
        category="DOORGate",
        container="wav",
        duration_s=134.0,
    )


def peaks() -> Peaks:
    """An outline with a loud middle."""
    high = np.full(256, 10, dtype=np.int8)
    high[100:150] = 120
    return Peaks(-high, high, 134.0)


class MadeUpSource:
    """Gives rows, and remembers what it was asked."""

    def __init__(self, count: int = 1_000) -> None:
        self.known = {file_id: desk_row(file_id) for file_id in range(1, count + 1)}
        self.asked: list[list[int]] = []
        self.error: Exception | None = None

    def rows(self, file_ids: Sequence[int] | IntArray) -> dict[int, DeskRow]:
        """Those rows that exist."""
        if self.error is not None:
            raise self.error
        self.asked.append([int(file_id) for file_id in file_ids])
        return {int(file_id): self.known[int(file_id)] for file_id in file_ids if int(file_id) in self.known}

    def peaks(self, file_ids: Sequence[int] | IntArray) -> dict[int, Peaks]:
        """The same outline for all."""
        return {int(file_id): peaks() for file_id in file_ids}


class MadeUpLibrary(MadeUpSource):
    """The part of a library that the panel reads."""

    def __init__(self) -> None:
        super().__init__(1_000)
        self.newest: list[int] = []

    def list_files(
        self, *conditions: str, order: str = "path", descending: bool = False, among: Any = None
    ) -> IntArray:
        """Ids in an order that the tests use."""
        chosen = [self.known[int(file_id)] for file_id in (self.known if among is None else among)]
        keys: dict[str, Callable[[Any], Any]] = {
            "rating": lambda row: row.rating,
            "name": lambda row: row.name,
            "category": lambda row: row.category,
        }
        chosen.sort(key=lambda row: row.id)
        chosen.sort(key=keys[order], reverse=descending)
        return np.array([row.id for row in chosen], dtype=np.int64)

    def recent(self, limit: int = 1_000) -> IntArray:
        """What a test put in."""
        return np.array(self.newest[:limit], dtype=np.int64)

    def collections(self) -> list[Any]:
        """None."""
        return []

    def tags(self) -> list[Any]:
        """None."""
        return []


def answer(*ids: int, spec: QuerySpec = SPEC, **changes: Any) -> SearchAnswer:
    """What a search says that found these, best first."""
    hits = tuple(hit(file_id, 0.9 - 0.0001 * place) for place, file_id in enumerate(ids))
    return replace(SearchAnswer(spec, SearchResult(hits, considered=1_000)), **changes)


def no_match(spec: QuerySpec = SPEC, **changes: Any) -> SearchAnswer:
    """What a search says where nothing matches."""
    closest = tuple(hit(file_id, 0.3) for file_id in (4, 5, 6))
    return replace(SearchAnswer(spec, SearchResult((), closest, 1_000)), **changes)
