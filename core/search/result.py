"""What a search answers: hits with their moments and reasons."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.types import Span


@dataclass(frozen=True, slots=True)
class PartScore:
    """How well a moment fits one part of the query.

    Attributes:
        kind: "text", "clip" or "not".
        label: The part as the user gave it.
        weight: How much it counted.
        score: Cosine between the part and the moment, -1 to 1.
        relevance: Calibrated probability that the moment is what the part asks for, 0 to 1.
    """

    kind: str
    label: str
    weight: float
    score: float
    relevance: float


@dataclass(frozen=True, slots=True)
class LexicalHit:
    """Words of the query that stand in one field of a file's text."""

    field: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Why:
    """The reasons for a hit."""

    parts: tuple[PartScore, ...] = ()
    negatives: tuple[PartScore, ...] = ()
    lexical: tuple[LexicalHit, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch of a file that fits."""

    span: Span
    score: float
    relevance: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A file that answers a query.

    Attributes:
        rank: 1 for the best.
        file_id: Row of the file in the catalogue.
        path: Where the file lies.
        span: The best moment, or None while the file has no embedding (found by its words alone).
        score: Weighted mean cosine of the best moment to the query's parts, -1 to 1; 0 without a moment.
        relevance: Probability that the file is a match, 0 to 1; hits are ordered by it.
        moments: Up to five stretches that fit, best first; the first is `span`.
        category: UCS CatID parsed from the file name, or an empty string.
        duration_s: Length of the file in seconds, or None while unknown.
        is_offline: Whether the file's folder cannot be reached at present.
    """

    rank: int
    file_id: int
    path: Path
    span: Span | None
    score: float
    relevance: float
    why: Why
    moments: tuple[Moment, ...] = ()
    category: str = ""
    container: str = ""
    duration_s: float | None = None
    is_offline: bool = False


@dataclass(frozen=True, slots=True)
class SearchResult:
    """All that a search answers.

    Attributes:
        hits: Matches, best first.
        closest: Where nothing matches, up to three files that come nearest; weak by definition.
        considered: Files that passed the filters.
    """

    hits: tuple[Hit, ...]
    closest: tuple[Hit, ...] = ()
    considered: int = 0

    @property
    def nothing_matches(self) -> bool:
        """Whether the honest answer is that the library holds no such sound."""
        return not self.hits
