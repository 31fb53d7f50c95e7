"""Does a negative move what it names out of sight, and what is meant not?

The cases are our own (`negatives.yaml`): "dog barking" without "growl", "rain" without "thunder". A case counts when
something unwanted stands among the first ten answers to the plain question; the negative has worked when nothing of it
is left there. Since a negative that moves everything away is of no use, two more figures stand beside it: the share of
the meant clips that stay among the first ten, and how many of the ten are meant clips before and after, which also
counts those that move up into the places that became free.

Shape legend: n clips, d embedding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from core.encoders.relevance import Relevance
from core.search.query import TextPart
from core.search.scoring import Asked, score_windows
from core.types import FloatArray, IntArray
from training.data.manifest import Clip
from training.metrics.retrieval import BoolArray

NEGATIVES_FILE = Path(__file__).with_name("negatives.yaml")
_LOOKED_AT = 10


@dataclass(frozen=True, slots=True)
class NegativeCase:
    """A question with a negative.

    Attributes:
        asked: What is typed.
        meant: Pattern of the clips that it means (see `described`).
        without: The negative.
        unwanted: Pattern of the clips that must go; such a clip is never meant.
    """

    asked: str
    meant: re.Pattern[str]
    without: str
    unwanted: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class NegativeFigures:
    """What negatives do.

    Attributes:
        cases: That count: something unwanted is among the first ten without the negative.
        moved: Share of them with nothing unwanted left among the first ten.
        kept: Share of the meant clips among the first ten that are still there; mean over the cases that have some.
        found_plain: How many of the first ten are meant without the negative, as a share of all that are meant, ten at
            most; mean over the cases.
        found: The same with the negative.
    """

    cases: int
    moved: float
    kept: float
    found_plain: float
    found: float


def read_negatives(path: Path = NEGATIVES_FILE) -> tuple[NegativeCase, ...]:
    """All cases of a file."""
    lines: Sequence[Sequence[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(
        NegativeCase(asked, re.compile(meant), without, re.compile(unwanted))
        for asked, meant, without, unwanted in lines
    )


def described(clip: Clip) -> str:
    """All words about a clip in one line, in small letters: ``<category> title | caption | caption``."""
    return " | ".join([f"<{clip.category}> {clip.title}", *clip.captions]).lower()


def negative_figures(
    cases: Sequence[NegativeCase],
    embed: Callable[[Sequence[str]], FloatArray],
    sounds: FloatArray,
    clips: Sequence[Clip],
    relevance: Relevance,
    *,
    least_relevance: float = 0.0,
) -> NegativeFigures:
    """Ask every case's question without and with its negative, by ear alone: no names are looked up.

    Args:
        cases: What is asked.
        embed: Gives texts' embeddings (q, d).
        sounds: (n, d) of the clips.
        clips: n of them.
        relevance: The model's calibration.
        least_relevance: What is less relevant is no answer; 0 counts whatever comes first, however weak.
    """
    lines = [described(clip) for clip in clips]
    moved: list[bool] = []
    kept: list[float] = []
    found_plain: list[float] = []
    found_left: list[float] = []
    for case in cases:
        unwanted = _matches(case.unwanted, lines)
        meant = _matches(case.meant, lines) & ~unwanted
        texts = embed([case.asked, case.without])
        plain = _first(texts, 1, sounds, relevance, least_relevance)
        if not unwanted[plain].any():
            continue
        left = _first(texts, 2, sounds, relevance, least_relevance)
        moved.append(not unwanted[left].any())
        most = max(1, min(_LOOKED_AT, int(meant.sum())))
        found_plain.append(float(meant[plain].sum()) / most)
        found_left.append(float(meant[left].sum()) / most)
        found = plain[meant[plain]]
        if len(found):
            kept.append(float(np.isin(found, left).mean()))
    return NegativeFigures(len(moved), _mean(moved), _mean(kept), _mean(found_plain), _mean(found_left))


def _matches(pattern: re.Pattern[str], lines: Sequence[str]) -> BoolArray:
    return np.asarray([pattern.search(line) is not None for line in lines], dtype=np.bool_)


def _first(texts: FloatArray, count: int, sounds: FloatArray, relevance: Relevance, least: float) -> IntArray:
    """Numbers of the first answers, best first, as the search engine ranks them.

    Args:
        texts: (2, d) what is wanted, and what is unwanted.
        count: How many of them are asked: 1 leaves the negative out.
        sounds: (n, d).
        relevance: The model's calibration.
        least: What is less relevant is left out.
    """
    negatives = (TextPart("unwanted"),)[: count - 1]
    asked = Asked((TextPart("wanted"),), texts[:1], negatives, texts[1:count])
    nothing = np.zeros(len(sounds), dtype=np.float32)
    rows = np.arange(len(sounds), dtype=np.int64)
    scored = score_windows(asked, relevance, vectors=sounds, files=rows, starts_s=nothing, ends_s=nothing)
    first = np.asarray(scored.files[:_LOOKED_AT], dtype=np.int64)
    return first[scored.relevance[:_LOOKED_AT] >= least]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
