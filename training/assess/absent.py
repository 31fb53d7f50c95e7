"""How often a library claims to hold a sound that it does not hold.

The sounds are our own list (`absent.yaml`): what a person may well ask for and the test split has nothing of. A line
that words about any clip match is left out and counted, so the list stays honest over another library. Each is asked as
a person types it and as a sentence, since a model may take one for more familiar than the other.

Shape legend: q questions, n clips.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

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


def claim_figures(odds: FloatArray, *, left_out: BoolArray | None = None) -> ClaimFigures:
    """How many of the first five answers to texts claim a match.

    Args:
        odds: (q, n) log-odds of the library's clips for texts that nothing answers.
        left_out: (q, n) True where a clip is not in the library that a text is put to.
    """
    if left_out is not None:
        odds = np.where(left_out, -np.inf, odds)
    first = -np.sort(-odds, axis=1)[:, :_LOOKED_AT]
    claims = np.asarray(first >= 0, dtype=np.bool_)
    return ClaimFigures(
        len(claims), _share(claims[np.isfinite(first)]), _share(np.asarray(claims.any(axis=1), dtype=np.bool_))
    )


def _share(flags: BoolArray) -> float:
    return float(flags.mean()) if len(flags) else 0.0
