"""CIDEr-D: agreement with the references, weighted by how much a run of words says.

Vedantam, Zitnick, Parikh 2015.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from training.metrics.caption_score import CaptionScore, Ngram, References, check_captions, count_ngrams

_LONGEST = 4
_SIGMA = 6.0
_SCALE = 10.0


@dataclass(frozen=True, slots=True)
class _Vector:
    """A sentence: per length of run its weights and their norm, and its length."""

    weights: tuple[dict[Ngram, float], ...]
    norms: tuple[float, ...]
    length: int


def cider_d(candidates: Sequence[str], references: References, *, sigma: float = _SIGMA) -> CaptionScore:
    """CIDEr-D.

    A run w of k words weighs g_k(w) = count(w) * (log N - log max(1, df(w))), N candidates in the corpus and df the
    number of them whose references hold w. For a candidate c and its m references r:

        10 / 4 sum_k=1..4 (1/m) sum_r d(c, r) min(g_k(c), g_k(r)) . g_k(r) / (|g_k(c)| |g_k(r)|)
        d(c, r) = exp(-(l_c - l_r)^2 / (2 sigma^2))

    The score depends on the whole corpus. As in the authors' code the lengths l count pairs of words, which differ
    by the same as the words do. A corpus of one candidate weighs every run zero and scores zero.

    Raises:
        ValueError: As `check_captions`.
    """
    check_captions(candidates, references)
    counted = [[count_ngrams(reference.split(), _LONGEST) for reference in group] for group in references]
    frequency: Counter[Ngram] = Counter()
    for group in counted:
        frequency.update(set().union(*group))
    log_corpus = math.log(len(candidates))

    def vector(counts: Counter[Ngram]) -> _Vector:
        weights: tuple[dict[Ngram, float], ...] = tuple({} for _ in range(_LONGEST))
        for ngram, count in counts.items():
            weights[len(ngram) - 1][ngram] = count * (log_corpus - math.log(max(1.0, frequency[ngram])))
        norms = tuple(math.sqrt(sum(weight**2 for weight in part.values())) for part in weights)
        pairs = sum(count for ngram, count in counts.items() if len(ngram) == 2)
        return _Vector(weights, norms, pairs)

    scores = []
    for candidate, group in zip(candidates, counted, strict=True):
        ours = vector(count_ngrams(candidate.split(), _LONGEST))
        total = sum(_similarity(ours, vector(theirs), sigma) for theirs in group)
        scores.append(_SCALE * total / (_LONGEST * len(group)))
    return CaptionScore.mean_of(scores)


def _similarity(ours: _Vector, theirs: _Vector, sigma: float) -> float:
    """Sum over the lengths of runs of the clipped cosine, damped by the difference in length."""
    damping = math.exp(-((ours.length - theirs.length) ** 2) / (2 * sigma**2))
    total = 0.0
    for k in range(_LONGEST):
        norm = ours.norms[k] * theirs.norms[k]
        if norm:
            other = theirs.weights[k]
            shared = sum(min(w, other[n]) * other[n] for n, w in ours.weights[k].items() if n in other)
            total += shared / norm
    return total * damping
