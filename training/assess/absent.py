"""How often a library claims to hold a sound that it does not hold.

The sounds are our own list (`absent.yaml`): what a person may well ask for and the test split has nothing of. A line
that words about any clip match is left out and counted, so the list stays honest over another library. Each is asked as
a person types it and as a sentence, since a model may take one for more familiar than the other.

Shape legend: q questions, n clips, d embedding.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from core.encoders.relevance import Relevance
from core.types import FloatArray
from training.assess.negative import described
from training.data.manifest import Clip
from training.metrics.retrieval import BoolArray

ABSENT_FILE = Path(__file__).with_name("absent.yaml")
AS_SENTENCE = "The sound of {}"
_LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class AbsentSound:
    """A question, and a pattern over the words about a clip (see `described`) that might be such a sound."""

    text: str
    like: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class ClaimFigures:
    """At a relevance of one half.

    Attributes:
        questions: How many were asked.
        answers: Share of their first five answers that claim a match.
        answered: Share of the questions with any such answer.
    """

    questions: int
    answers: float
    answered: float


def read_absent(path: Path = ABSENT_FILE) -> tuple[AbsentSound, ...]:
    """All lines of a file."""
    lines: Sequence[Sequence[str]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(AbsentSound(text, re.compile(like)) for text, like in lines)


def truly_absent(sounds: Sequence[AbsentSound], clips: Sequence[Clip]) -> tuple[AbsentSound, ...]:
    """Those that no clip of a library might be."""
    lines = [described(clip) for clip in clips]
    return tuple(sound for sound in sounds if not any(sound.like.search(line) for line in lines))


def claim_figures(
    relevance: Relevance, queries: FloatArray, clips: FloatArray, *, left_out: BoolArray | None = None
) -> ClaimFigures:
    """How many of the first five answers to texts claim a match.

    Args:
        relevance: The model's calibration.
        queries: (q, d) of texts that nothing answers.
        clips: (n, d), the library.
        left_out: (q, n) True where a clip is not in the library that a text is put to.
    """
    claims: list[BoolArray] = []
    for row, query in enumerate(queries):
        scores = clips @ query if left_out is None else clips[~left_out[row]] @ query
        first = np.sort(scores)[::-1][:_LOOKED_AT]
        claims.append(relevance.log_odds(query, np.ascontiguousarray(first), "text") >= 0)
    answers = np.concatenate(claims) if claims else np.zeros(0, dtype=np.bool_)
    return ClaimFigures(
        len(claims), _share(answers), _share(np.asarray([found.any() for found in claims], dtype=np.bool_))
    )


def kept_matches(relevance: Relevance, queries: FloatArray, clips: FloatArray, *, fits: BoolArray) -> float:
    """Share of the fitting clips (q, n) among the first five answers that are claimed as matches."""
    kept: list[BoolArray] = []
    for query, fit in zip(queries, fits, strict=True):
        scores = clips @ query
        first = np.argsort(-scores, kind="stable")[:_LOOKED_AT]
        kept.append(relevance.log_odds(query, scores[first[fit[first]]], "text") >= 0)
    return _share(np.concatenate(kept)) if kept else 0.0


def _share(flags: BoolArray) -> float:
    return float(flags.mean()) if len(flags) else 0.0
