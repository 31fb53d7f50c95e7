"""How evidence becomes one relevance: parts of a query, negatives, and words found in a file's text.

Everything is put in terms of calibrated log-odds (`core.encoders.relevance`), so that a description, an example
clip and a negative can be weighed against each other although their cosines live on different scales.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.types import FloatArray

# What is the negative's sound beyond this, in log-odds, goes however well it fits the query as well.
_NEGATIVE_BOUND = 0.5
# Steep: what passes keeps its relevance. Both were chosen on pairs of the corpus' validation split.
_CONTEST_SLOPE = 4.0

_FIELD_WEIGHTS = {"name": 1.0, "metadata": 0.9, "folder": 0.7, "captions": 0.6}
_LEXICAL_TRUST = 0.9
_ODDS_LIMIT = 30.0


def combine_parts(log_odds: FloatArray, weights: FloatArray) -> FloatArray:
    """Weigh the parts of a query together.

    Args:
        log_odds: (p, m) of m moments for p parts.
        weights: (p,) above zero.

    Returns:
        (m,) weighted mean of the log-odds: a moment must fit all parts, in proportion to their weights.
    """
    return np.asarray(weights @ log_odds / weights.sum(), dtype=np.float32)


def contest(
    positive: FloatArray, negatives: FloatArray, weights: FloatArray | None = None, *, lead: float = 0.5
) -> FloatArray:
    """What negatives leave of the relevance of moments.

    A negative takes away what resembles it nearly as much as it resembles the query, so that "dog barking" without
    "growl" keeps the barks although a bark is a little like a growl; and what most likely is the negative's sound, so
    that "an animal" without "a dog barks" loses the barks although they fit the query.

    Args:
        positive: (m,) log-odds of the moments for the query.
        negatives: (n, m) log-odds of the moments for each negative; n may be 0.
        weights: (n,) above zero, how much each negative counts: the exponent of what it leaves; 1 each if None.
        lead: To stay, a moment must be more like the query than like the negative by this much (in log-odds). Models
            differ in how far apart their log-odds lie (`core.encoders.card.Calibration`).

    Returns:
        (m,) factors from 0 to 1.
    """
    factor = np.ones(len(positive), dtype=np.float32)
    exponents = np.ones(len(negatives), dtype=np.float32) if weights is None else weights
    for negative, exponent in zip(negatives, exponents, strict=True):
        ahead = np.minimum(positive - lead, _NEGATIVE_BOUND) - negative
        factor = factor * sigmoid(_CONTEST_SLOPE * ahead) ** exponent
    return np.asarray(factor, dtype=np.float32)


def lexical_relevance(found: Mapping[str, frozenset[str]], wanted: tuple[str, ...]) -> float:
    """How far words found in a file's text say that it is a match.

    Args:
        found: For each field of the text, the wanted words that stand in it.
        wanted: The content words of the query.

    Returns:
        0 to 1: the square of the share of wanted words found, each at the weight of its best field.
    """
    if not wanted:
        return 0.0
    best = dict.fromkeys(wanted, 0.0)
    for field, words in found.items():
        weight = _FIELD_WEIGHTS[field]
        for word in words:
            best[word] = max(best.get(word, 0.0), weight)
    share = sum(best[word] for word in wanted) / len(wanted)
    return share * share


def fuse(semantic: float, lexical: float) -> float:
    """The probability of a match from two witnesses: either may be enough, both together are more."""
    return 1.0 - (1.0 - semantic) * (1.0 - _LEXICAL_TRUST * lexical)


def denied_by_words(lexical: float) -> float:
    """What is left of a file's relevance, 0 to 1, when a negative's words stand in its text."""
    return 1.0 - _LEXICAL_TRUST * lexical


def sigmoid(log_odds: FloatArray) -> FloatArray:
    """The probability that log-odds stand for, without overflow."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -_ODDS_LIMIT, _ODDS_LIMIT))), dtype=np.float32)
