"""How well a model does on everyday sounds from sources that it has never learned from.

Shape legend: m clips, q queries, k classes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from core.types import FloatArray, IntArray
from training.config import OutsideClass
from training.data.manifest import Clip
from training.metrics.retrieval import mean_average_precision


@dataclass(frozen=True, slots=True)
class OutsideSet:
    """Clips of everyday classes.

    Attributes:
        clips: m of them.
        labels: (m,) number of each clip's class.
        queries: Sentences of all classes, one after the other.
        owners: (q,) number of each query's class.
    """

    clips: tuple[Clip, ...]
    labels: IntArray
    queries: tuple[str, ...]
    owners: IntArray


@dataclass(frozen=True, slots=True)
class OutsideFigures:
    """Both 0 to 1.

    Attributes:
        mean_average_precision: Over all queries, each ranking all clips.
        accuracy: Share of clips whose best class is their own, by the n-th sentence of every class; mean over n.
        clips: How many.
    """

    mean_average_precision: float
    accuracy: float
    clips: int


def outside_set(clips: Sequence[Clip], sources: Collection[str], classes: Sequence[OutsideClass]) -> OutsideSet:
    """Label the clips of held-out sources by the recipe's rules; the first class that fits counts.

    Raises:
        ValueError: A class has no clip, or classes differ in their number of queries.
    """
    chosen: list[Clip] = []
    labels: list[int] = []
    for clip in clips:
        if clip.source in sources:
            label = next((number for number, rule in enumerate(classes) if _fits(clip, rule)), None)
            if label is not None:
                chosen.append(clip)
                labels.append(label)
    empty = [rule.name for number, rule in enumerate(classes) if number not in labels]
    if empty:
        raise ValueError(f"no clip of a held-out source belongs to {', '.join(empty)}")
    if len({len(rule.queries) for rule in classes}) != 1:
        raise ValueError("every class needs as many queries as the others")
    queries = tuple(query for rule in classes for query in rule.queries)
    owners = [number for number, rule in enumerate(classes) for _ in rule.queries]
    return OutsideSet(tuple(chosen), np.asarray(labels, np.int64), queries, np.asarray(owners, np.int64))


def outside_figures(scores: FloatArray, labels: IntArray, owners: IntArray) -> OutsideFigures:
    """Figures of scores (q, m) of queries that belong to classes `owners` (q,), against `labels` (m,)."""
    per_class = len(owners) // len(set(owners.tolist()))
    accuracies = [
        float((owners[start::per_class][scores[start::per_class].argmax(axis=0)] == labels).mean())
        for start in range(per_class)
    ]
    return OutsideFigures(
        mean_average_precision(scores, owners[:, None] == labels[None, :]), float(np.mean(accuracies)), len(labels)
    )


def _fits(clip: Clip, rule: OutsideClass) -> bool:
    texts = {
        rule.title: clip.title.lower(),
        rule.captions: "\n".join(clip.captions).lower(),
        rule.category: clip.category.lower(),
    }
    return all(re.search(pattern, text) is not None for pattern, text in texts.items() if pattern)
