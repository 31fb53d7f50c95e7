"""How rich the language of captions is: vocabulary size and MTLD.

MTLD: McCarthy and Jarvis 2010, the mean length of stretches whose share of different words stays above a threshold;
Tymofieiev 2025, section 4.4, compares human and generated captions with it, through the package lexicalrichness, whose
reading of the last, unfinished stretch this follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_THRESHOLD = 0.72


def vocabulary_size(captions: Iterable[str]) -> int:
    """Number of different words."""
    return len({word for caption in captions for word in caption.split()})


def mtld(words: Sequence[str], *, threshold: float = _THRESHOLD) -> float:
    """Measure of textual lexical diversity, forwards and backwards averaged.

    Words are counted into a stretch until (different words / words) has come down to the threshold; that stretch is one
    factor. What is left at the end counts as (1 - ratio) / (1 - threshold) of a factor. The measure is words over
    factors; a text without any repetition counts as one factor, so that its measure is its length.

    Raises:
        ValueError: No words, or a threshold outside 0 to 1.
    """
    if not words:
        raise ValueError("there are no words")
    if not 0 < threshold < 1:
        raise ValueError(f"a threshold lies between 0 and 1, not at {threshold}")
    return (_one_way(words, threshold) + _one_way(words[::-1], threshold)) / 2


def _one_way(words: Sequence[str], threshold: float) -> float:
    factors, seen, length, ratio = 0.0, set[str](), 0, 1.0
    for word in words:
        seen.add(word)
        length += 1
        ratio = len(seen) / length
        if ratio <= threshold:
            factors, seen, length = factors + 1, set(), 0
    if length:
        factors += (1 - ratio) / (1 - threshold)
    return len(words) / (factors or 1.0)
