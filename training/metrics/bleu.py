"""BLEU: how many runs of words of a caption appear in its references.

Papineni et al. 2002, with the corpus statistics and the small constants of the COCO caption evaluation, whose figures
the captioning papers print.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from training.metrics.caption_score import CaptionScore, Ngram, References, check_captions, count_ngrams

_TINY = 1e-15  # in a numerator: nothing right is nearly zero, so that products and roots stay defined
_SMALL = 1e-9  # in a denominator: nothing guessed does not divide by zero


def bleu(candidates: Sequence[str], references: References, *, longest: int = 4) -> dict[str, CaptionScore]:
    """BLEU-1 to BLEU-`longest`.

    With c_k the runs of k words of the candidate that the references hold (each counted at most as often as in the one
    reference that has it most often) and g_k all of them:

        BLEU-n = (prod_k=1..n c_k / g_k) ^ (1/n) * min(1, exp(1 - r / l))

    where l is the candidate's length and r that of the reference next to it in length (the shorter of two as near).
    The corpus figure adds up c, g, l and r first; it is no mean of the sentences' figures.

    Returns:
        "bleu_1", "bleu_2", ...

    Raises:
        ValueError: As `check_captions`.
    """
    check_captions(candidates, references)
    sentences: list[list[float]] = []
    all_right, all_guessed, all_length, all_wanted = [0] * longest, [0] * longest, 0, 0
    for candidate, group in zip(candidates, references, strict=True):
        words = candidate.split()
        most: Counter[Ngram] = Counter()
        for reference in group:
            most |= count_ngrams(reference.split(), longest)
        right = [0] * longest
        for ngram, count in (count_ngrams(words, longest) & most).items():
            right[len(ngram) - 1] += count
        guessed = [max(0, len(words) - k) for k in range(longest)]
        wanted = min((abs(length - len(words)), length) for length in (len(r.split()) for r in group))[1]
        sentences.append(_figures(right, guessed, len(words), wanted))
        all_right = [a + b for a, b in zip(all_right, right, strict=True)]
        all_guessed = [a + b for a, b in zip(all_guessed, guessed, strict=True)]
        all_length += len(words)
        all_wanted += wanted
    corpus = _figures(all_right, all_guessed, all_length, all_wanted)
    columns = list(zip(*sentences, strict=True))
    return {
        f"bleu_{k + 1}": CaptionScore(corpus[k], CaptionScore.mean_of(columns[k]).sentences) for k in range(longest)
    }


def _figures(right: Sequence[int], guessed: Sequence[int], length: int, wanted: int) -> list[float]:
    ratio = (length + _TINY) / (wanted + _SMALL)
    brevity = 1.0 if ratio >= 1 else math.exp(1 - 1 / ratio)
    product, figures = 1.0, []
    for k, (c, g) in enumerate(zip(right, guessed, strict=True), start=1):
        product *= (c + _TINY) / (g + _SMALL)
        figures.append(product ** (1 / k) * brevity)
    return figures
