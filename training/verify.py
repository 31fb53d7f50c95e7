"""The texts that a model comes with, and how far to trust what they say: fits what `core.encoders.known_text` applies.

The known texts are means of the captions that were learned from: of many that read alike, one. The fit compares what is
found for captions of the validation split with what is found for texts of which the split holds nothing: captions whose
whole category was taken out, names of AudioSet classes that no clip's words have in common, and texts about no sound.

Shape legend: q texts, n clips, t captions, k known texts, d embedding, w sentence embedding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.encoders.card import VerifiedFit
from core.encoders.known_text import KnownTexts
from core.encoders.protocol import TextReading
from core.search.query import content_words
from core.types import FloatArray
from training.calibrate import Examples, fit_logistic, join, lowered, repeated
from training.cluster import group_means, spherical_means
from training.data.manifest import Clip
from training.metrics.retrieval import BoolArray

CONTEST_LEAD = 2.0
"""Of negatives, where known texts are asked. On the validation pairs half of the cases are then clean and 76 % of the
meant clips stay among the first ten; at 0.5 it is 38 % and 85 %."""
_LOOKED_AT = 5
# Words that agree in their beginning count as one: "sneeze", "sneezing". A shorter one than this is whole.
_SHORTEST_STEM = 4
_LONGEST_ENDING = 3


def known_texts(sentences: FloatArray, vectors: FloatArray, *, count: int, seed: int, temperature: float) -> KnownTexts:
    """Means of captions that read alike, by k-means over their sentences, as they will be stored.

    Args:
        sentences: (t, w) of unit length.
        vectors: (t, d) of the same captions.
        count: Means at most.
        seed: Draws where they begin.
        temperature: Of the soft maximum of their scores.
    """
    centres, owner = spherical_means(sentences, count, rng=np.random.default_rng(seed))
    meant, empty = group_means(vectors, owner, len(centres))
    return KnownTexts(_stored(centres[~empty]), _stored(meant[~empty]), temperature=temperature)


def _stored(values: FloatArray) -> FloatArray:
    return values.astype(np.float16).astype(np.float32)


def names_of_nothing(names: Sequence[str], clips: Sequence[Clip]) -> tuple[str, ...]:
    """Names of which no word begins like a word about any clip."""
    stems = {
        stem
        for clip in clips
        for word in content_words(" ".join([clip.category, clip.title, *clip.captions]))
        for stem in _beginnings(word)
    }
    return tuple(
        name for name in names if (words := content_words(name)) and not any(_stem(word) in stems for word in words)
    )


def _stem(word: str) -> str:
    return word[: max(_SHORTEST_STEM, len(word) - _LONGEST_ENDING)]


def _beginnings(word: str) -> list[str]:
    return [word[:length] for length in range(1, len(word) + 1)]


def fit_verified(
    known: KnownTexts,
    clips: FloatArray,
    *,
    captions: TextReading,
    absent: TextReading,
    absurd: TextReading,
    fits: BoolArray,
    kin: BoolArray,
    kept: float,
) -> VerifiedFit:
    """Fit on a library of clips (n, d).

    Args:
        known: What is asked.
        clips: The library.
        captions: q texts that something in it answers.
        absent: Texts that it does not answer.
        absurd: Texts about no sound. Together they weigh half as much as captions without their kin, and as `absent`.
        fits: (q, n) True where a clip answers a caption.
        kin: (q, n) True where it might.
        kept: Share of the matches among the first five answers that has to reach one half.

    Raises:
        ValueError: There are no matches or no false claims, or neither factor rises with relevance.
    """
    scores, evidence = _evidence(known, captions, clips)
    matches = _examples(scores, evidence, counts=fits)
    strangers = _examples(np.where(kin | fits, -np.inf, scores), evidence, counts=~(kin | fits), are_matches=False)
    parts = [matches, strangers]
    for texts, share in ((absent, 1.0), (absurd, 0.5)):
        if len(texts.vectors):
            own, seen = _evidence(known, texts, clips)
            found = _examples(own, seen, counts=np.ones(own.shape, dtype=np.bool_), are_matches=False)
            parts.append(repeated(found, max(1, round(share * len(strangers.matches) / len(found.matches)))))
    fit = fit_logistic(join(*parts))
    # What is kept is counted in the order that the fit itself gives.
    odds = evidence @ np.asarray([fit.score, fit.surprise], dtype=np.float32)
    fit = lowered(fit, _examples(odds, evidence, counts=fits), kept=kept)
    return VerifiedFit(lead=fit.score, echo=fit.surprise, bias=fit.bias, temperature=known.temperature)


def _evidence(known: KnownTexts, texts: TextReading, clips: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scores (q, n) and evidence (q, n, 2)."""
    if texts.sentences is None:
        raise ValueError("known texts are asked about sentences")
    recall = known.recall(clips)
    scores = np.asarray(texts.vectors @ clips.T, dtype=np.float32)
    pairs = zip(texts.sentences, scores, strict=True)
    return scores, np.stack([known.evidence(sentence, row, recall) for sentence, row in pairs])


def _examples(order: FloatArray, evidence: FloatArray, *, counts: BoolArray, are_matches: bool = True) -> Examples:
    """Those of the first five answers in the order of (q, n) that count."""
    first = np.argsort(-order, axis=1, kind="stable")[:, :_LOOKED_AT]
    rows = np.take_along_axis(evidence, first[..., None], axis=1)[np.take_along_axis(counts, first, axis=1)]
    return Examples(rows, np.full(len(rows), are_matches, dtype=np.bool_))
