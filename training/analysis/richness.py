"""Lexical richness of captions in figures: vocabulary, MTLD, and the words that mark one set against another."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.types import FloatArray
from training.data.word import split_words
from training.metrics.lexical import mtld

_PRIOR = 0.01


@dataclass(frozen=True, slots=True)
class CaptionSet:
    """Captions under a name.

    Attributes:
        name: For tables and plots.
        captions: For each clip its captions; a bare list of sentences is one clip each.
    """

    name: str
    captions: tuple[tuple[str, ...], ...]

    def sentences(self) -> list[str]:
        """All captions."""
        return [caption for own in self.captions for caption in own]


@dataclass(frozen=True, slots=True)
class Richness:
    """Figures of one set.

    Attributes:
        name: Of the set.
        clips: How many.
        captions: How many.
        distinct: Different captions.
        words: All words.
        vocabulary: Different words.
        words_of_a_caption: Mean.
        mtld: (n,) of each clip's captions together (Tymofieiev 2025, figure 4.5).
        frequencies: Each word's count.
    """

    name: str
    clips: int
    captions: int
    distinct: int
    words: int
    vocabulary: int
    words_of_a_caption: float
    mtld: FloatArray
    frequencies: Counter[str]

    def figures(self) -> dict[str, float]:
        """For a table, in its order."""
        low, middle, high = (float(value) for value in np.percentile(self.mtld, (5, 50, 95)))
        return {
            "clips": self.clips,
            "captions": self.captions,
            "distinct captions": self.distinct,
            "vocabulary": self.vocabulary,
            "words of a caption": self.words_of_a_caption,
            "words that occur once, share": sum(1 for count in self.frequencies.values() if count == 1)
            / self.vocabulary,
            "MTLD mean": float(self.mtld.mean()),
            "MTLD deviation": float(self.mtld.std()),
            "MTLD 5 %": low,
            "MTLD median": middle,
            "MTLD 95 %": high,
        }


def richness(captions: CaptionSet) -> Richness:
    """Figures of a set.

    Raises:
        ValueError: It has no words.
    """
    texts = [[word for caption in own for word in split_words(caption)] for own in captions.captions]
    counts = Counter(word for text in texts for word in text)
    if not counts:
        raise ValueError(f"the set {captions.name} has no words")
    sentences = captions.sentences()
    return Richness(
        name=captions.name,
        clips=len(captions.captions),
        captions=len(sentences),
        distinct=len(set(sentences)),
        words=sum(counts.values()),
        vocabulary=len(counts),
        words_of_a_caption=sum(counts.values()) / len(sentences),
        mtld=np.asarray([mtld(text) for text in texts if text], dtype=np.float32),
        frequencies=counts,
    )


def marking_words(own: Counter[str], others: Counter[str], *, count: int = 20) -> list[tuple[str, float]]:
    """The words that are most typical of one set against others, with their z-scores, highest first.

    Log-odds with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008): a word that is rare everywhere does
    not win by chance.
    """
    together = own + others
    prior = {word: _PRIOR * number for word, number in together.items()}
    all_prior, all_own, all_others = sum(prior.values()), sum(own.values()), sum(others.values())

    def score(word: str) -> float:
        a, b, p = own[word] + prior[word], others[word] + prior[word], all_prior
        odds = math.log(a / (all_own + p - a)) - math.log(b / (all_others + p - b))
        return odds / math.sqrt(1 / a + 1 / b)

    scored = [(word, score(word)) for word in together if own[word] and all_others]
    return sorted((pair for pair in scored if pair[1] > 0), key=lambda pair: (-pair[1], pair[0]))[:count]


def common_words(
    frequencies: Counter[str], stop_words: Sequence[str] | frozenset[str], *, count: int
) -> dict[str, int]:
    """The most frequent words that say something."""
    told = {word: number for word, number in frequencies.items() if word not in stop_words and len(word) > 1}
    return dict(sorted(told.items(), key=lambda pair: (-pair[1], pair[0]))[:count])
