"""How often the first five answers to a question as people type it are of an expected kind.

The questions are our own (`queries.yaml`): single words, file names of sound libraries, long sentences, synonyms, and
pairs of British and American spellings with a few slips of the pen.

Shape legend: q questions, n clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from core.types import FloatArray
from training.data.manifest import Clip

QUERIES_FILE = Path(__file__).with_name("queries.yaml")
_LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class Question:
    """What is typed, and in which categories of the corpus the answers lie."""

    kind: str
    text: str
    categories: frozenset[str]


def read_questions(path: Path = QUERIES_FILE) -> tuple[Question, ...]:
    """All questions, kind by kind."""
    content: Mapping[str, Sequence[tuple[str, str]]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return tuple(
        Question(kind, text, frozenset(expected.split("|")))
        for kind, entries in content.items()
        for text, expected in entries
    )


def precision_by_kind(scores: FloatArray, questions: Sequence[Question], clips: Sequence[Clip]) -> dict[str, float]:
    """Mean share of expected kinds among the first five of scores (q, n), by the kind of question."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :_LOOKED_AT]
    shares: dict[str, list[float]] = {}
    for question, first in zip(questions, order, strict=True):
        right = [clips[column].category in question.categories for column in first]
        shares.setdefault(question.kind, []).append(float(np.mean(right)))
    return {kind: float(np.mean(values)) for kind, values in shares.items()}
