"""Does a negative move what it names out of sight?

Cases are made from the clips themselves: two concepts whose clips stand together among the first ten answers to a
question. The question is asked again with the other concept as a negative; then none of it may be left there.

Shape legend: q captions, n clips, d embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.encoders.relevance import Relevance
from core.search.query import TextPart
from core.search.scoring import Asked, score_windows
from core.types import FloatArray, IntArray
from training.calibrate import same_concept
from training.data.manifest import Clip
from training.evaluate import CaptionQueries

_LOOKED_AT = 10


@dataclass(frozen=True, slots=True)
class NegativeCase:
    """A question, what must not be among its answers, and which clips that is."""

    wanted: int
    unwanted: int


def negative_cases(
    scores: FloatArray, queries: CaptionQueries, clips: Sequence[Clip], *, count: int = 50, seed: int = 0
) -> tuple[NegativeCase, ...]:
    """Pairs of captions (q) of which the second one's clips, of another title, stand among the first's best ten."""
    fits = same_concept(clips, queries)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :_LOOKED_AT]
    rng = np.random.default_rng(seed)
    cases: list[NegativeCase] = []
    used: set[str] = set()
    for wanted in rng.permutation(len(queries.texts)).tolist():
        intruders = [column for column in order[wanted].tolist() if not fits[wanted, column]]
        if not fits[wanted, order[wanted]].any() or not intruders:
            continue
        intruder = int(rng.choice(intruders))
        titles = {clips[column].title for column in np.flatnonzero(queries.carried[wanted]).tolist()}
        apart = [
            row for row in np.flatnonzero(queries.carried[:, intruder]).tolist() if not (fits[row] & fits[wanted]).any()
        ]
        if apart and not titles & used:
            used |= titles
            cases.append(NegativeCase(wanted, int(rng.choice(apart))))
        if len(cases) == count:
            break
    return tuple(cases)


def moved_away(
    cases: Sequence[NegativeCase],
    vectors: FloatArray,
    sounds: FloatArray,
    queries: CaptionQueries,
    clips: Sequence[Clip],
    relevance: Relevance,
) -> float:
    """Share of the cases in which no unwanted clip is left among the best ten.

    Args:
        cases: What is asked.
        vectors: (q, d) of the captions.
        sounds: (n, d) of the clips.
        queries: The captions.
        clips: n of them.
        relevance: The model's calibration.
    """
    fits = same_concept(clips, queries)
    clean = [
        not fits[case.unwanted, _first(vectors[case.wanted], vectors[case.unwanted], sounds, relevance)].any()
        for case in cases
    ]
    return float(np.mean(clean))


def _first(wanted: FloatArray, unwanted: FloatArray, sounds: FloatArray, relevance: Relevance) -> IntArray:
    asked = Asked((TextPart("wanted"),), wanted[None], (TextPart("unwanted"),), unwanted[None])
    nothing = np.zeros(len(sounds), dtype=np.float32)
    rows = np.arange(len(sounds), dtype=np.int64)
    scored = score_windows(asked, relevance, vectors=sounds, files=rows, starts_s=nothing, ends_s=nothing)
    return np.asarray(scored.files[:_LOOKED_AT], dtype=np.int64)
