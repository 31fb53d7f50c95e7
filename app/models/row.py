"""One sound as the results show it, put together from a hit of the search and a row of the catalogue."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from core.audio.ucs import ucs_table
from core.search.result import Hit
from core.types import Span

if TYPE_CHECKING:
    from core.catalogue.browse import DeskRow

RELEVANCE_STEPS = 5
# A match is claimed from one half on, which is where the third step begins; below it a hit is called weak.
_STEP_EDGES = (0.15, 0.35, 0.5, 0.7, 0.88)
_WHOLE = 0.95


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A sound that other panels are told of.

    Attributes:
        file_id: Its row in the catalogue.
        path: Where it lies.
        span: The moment that matched, or None for the whole file.
        relevance: Probability that it is a match, or None where nothing was asked.
        name: The file's name.
        duration_s: Its length, or None while unknown.
    """

    file_id: int
    path: Path
    span: Span | None
    relevance: float | None
    name: str
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class ShownRow:
    """What a row shows. Texts are ready to be painted and come from files: they are never markup.

    Attributes:
        caption: The sentence about the sound, or its tags where the captioner is unsure; empty without one.
        is_written: Whether a person wrote the caption.
        relevance: As in `ResultRow`.
        is_weak: It is shown although it does not match well.
        is_known: Whether the catalogue's row has arrived.
    """

    file_id: int
    path: Path | None
    name: str = ""
    folder: str = ""
    caption: str = ""
    is_written: bool = False
    category: str = ""
    container: str = ""
    format_text: str = ""
    duration_s: float | None = None
    relevance: float | None = None
    span: Span | None = None
    moments: tuple[Span, ...] = ()
    rating: int = 0
    is_favourite: bool = False
    loudness_lufs: float | None = None
    tags: tuple[str, ...] = ()
    is_offline: bool = False
    skip_reason: str = ""
    is_weak: bool = False
    is_known: bool = False

    @property
    def duration_text(self) -> str:
        """The length as m:ss, or an empty string while unknown."""
        return "" if self.duration_s is None else clock_text(self.duration_s)

    @property
    def steps(self) -> int:
        """The relevance as 0 to 5 steps of a bar."""
        return 0 if self.relevance is None else relevance_steps(self.relevance)

    def as_result(self) -> ResultRow | None:
        """What other panels are told, or None while the path is unknown."""
        if self.path is None:
            return None
        return ResultRow(self.file_id, self.path, self.moment, self.relevance, self.name, self.duration_s)

    @property
    def moment(self) -> Span | None:
        """The stretch that matched, or None where that is all of the sound."""
        if self.span is not None and self.duration_s and self.span.duration_s > _WHOLE * self.duration_s:
            return None
        return self.span


def shown_row(file_id: int, hit: Hit | None, row: DeskRow | None, *, is_weak: bool = False) -> ShownRow:
    """Put a row together from what is known so far.

    Args:
        file_id: The file.
        hit: What the search said of it, if it was searched for.
        row: What the catalogue says of it, once it was fetched.
        is_weak: Whether it is shown although it does not match well.
    """
    moments = () if hit is None else tuple(moment.span for moment in hit.moments)
    if row is None:
        if hit is None:
            return ShownRow(file_id, None, is_weak=is_weak)
        return ShownRow(
            file_id,
            hit.path,
            name=plain(hit.path.name),
            folder=plain(str(hit.path.parent)),
            category=hit.category,
            container=hit.container,
            duration_s=hit.duration_s,
            moments=moments,
            is_offline=hit.is_offline,
            is_weak=is_weak,
            relevance=hit.relevance,
            span=hit.span,
        )
    caption = row.caption
    return ShownRow(
        file_id,
        row.path,
        name=plain(row.name),
        folder=row.folder,
        caption="" if caption is None else " ".join(caption.shown.split()),
        is_written=caption is not None and caption.origin == "user",
        category=row.category,
        container=row.container or "",
        format_text=format_text(row.sample_rate_hz, row.bit_depth, row.channels),
        duration_s=row.duration_s,
        moments=moments,
        rating=row.rating,
        is_favourite=row.is_favourite,
        loudness_lufs=row.loudness_lufs,
        tags=row.tags,
        is_offline=row.is_offline,
        skip_reason=row.skip_reason or "",
        is_weak=is_weak,
        is_known=True,
        relevance=None if hit is None else hit.relevance,
        span=None if hit is None else hit.span,
    )


def relevance_steps(relevance: float) -> int:
    """A probability as 0 to 5 steps; three and more are matches."""
    return bisect_right(_STEP_EDGES, relevance)


def clock_text(seconds: float) -> str:
    """A time as m:ss or h:mm:ss; below ten seconds with a tenth, since many sounds are shorter than one second."""
    if not math.isfinite(seconds) or seconds < 0:
        return ""
    if seconds < 9.95:
        return f"0:{seconds:04.1f}"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def span_text(span: Span) -> str:
    """A stretch of time as 0:03.0–0:05.0."""
    return f"{clock_text(span.start_s)}–{clock_text(span.end_s)}"


def format_text(sample_rate_hz: int | None, bit_depth: int | None, channels: int | None) -> str:
    """The format as professionals write it: 96k/24 st."""
    parts = []
    if sample_rate_hz:
        rate = f"{sample_rate_hz / 1000:g}k"
        parts.append(f"{rate}/{bit_depth}" if bit_depth else rate)
    if channels:
        words = {1: "m", 2: "st", 4: "quad", 6: "5.1", 8: "7.1"}
        parts.append(words.get(channels) or QCoreApplication.translate("ShownRow", "{n} ch").format(n=channels))
    return " ".join(parts)


def loudness_text(loudness_lufs: float | None) -> str:
    """A loudness with its unit."""
    return "" if loudness_lufs is None else f"{loudness_lufs:.1f} LUFS".replace("-", "−")


@lru_cache(maxsize=1_000)
def category_text(cat_id: str) -> str:
    """A UCS category written out: "Doors · Wood" for DOORWood."""
    entry = ucs_table().get(cat_id)
    return cat_id if entry is None else f"{entry.category.capitalize()} · {entry.subcategory.capitalize()}"


def plain(text: str) -> str:
    """A path as text that can be painted on one line: what is no UTF-8 or no letter becomes a replacement mark."""
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return (
        shown
        if shown.isprintable()
        else "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in shown)
    )
