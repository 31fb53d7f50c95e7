"""The caption that the others agree with.

The likeliest caption of a search is often a long one that says a detail of its own. Of captions c with mean
log-probabilities l, the one that is expected to agree best with what the decoder would say comes first:

    argmax_i sum_j softmax(s l)_j agreement(c_i, c_j)

Captions of known sounds like the one that is heard (`core.captioning.memory`) may vote, too. Their votes have a share
of all, and they stand for election themselves:

    argmax_i (1 - a) sum_j softmax(s l)_j agreement(c_i, c_j) + a sum_m vote_m agreement(c_i, c_m)

Agreement is the mean over runs of one to four words of the clipped cosine of their counts, damped by the difference in
length, as in CIDEr-D (Vedantam, Zitnick, Parikh 2015), but a run weighs as many content words as it holds and little
for others, so that no table of frequencies is needed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from core.captioning.generation import GeneratedCaption
from core.captioning.memory import Vote

_LONGEST = 4
_OTHER_WORD = 0.1
_SIGMA = 6.0

Run = tuple[int, ...]


def by_consensus(
    captions: Sequence[GeneratedCaption],
    *,
    sharpness: float,
    content_words: Sequence[bool],
    ends: Collection[int],
    votes: Sequence[Vote] = (),
    votes_share: float = 0.0,
) -> list[GeneratedCaption]:
    """Captions of one sound, those first that agree best with all.

    Args:
        captions: Of a search, and those of known sounds that may be chosen.
        sharpness: s; the higher, the more the likeliest ones count.
        content_words: For each token whether it is a content word.
        ends: Tokens that are no words; captions without the last of them were broken off and stay behind.
        votes: Of known sounds.
        votes_share: a.
    """
    if len(captions) < 2:
        return list(captions)

    def weigh(tokens: Sequence[int]) -> WeighedRuns:
        return _runs([token for token in tokens if token not in ends], content_words)

    weighed = [weigh(caption.tokens) for caption in captions]
    means = np.asarray([caption.mean_log_probability for caption in captions])
    shares = np.exp(sharpness * (means - means.max()))
    shares *= (1 - votes_share if votes else 1) / shares.sum()
    voters = [*zip(shares, weighed, strict=True), *((votes_share * vote.share, weigh(vote.tokens)) for vote in votes)]
    expected = [sum(share * agreement(own, other) for share, other in voters) for own in weighed]
    broken_off = [not caption.tokens or caption.tokens[-1] not in ends for caption in captions]
    order = sorted(range(len(captions)), key=lambda row: (broken_off[row], -expected[row]))
    return [captions[row] for row in order]


class WeighedRuns:
    """A caption's runs of words with their weights, and how many words it has."""

    def __init__(self, runs: Sequence[dict[Run, float]], words: int) -> None:
        self.runs = runs
        self.norms = [math.sqrt(sum(weight**2 for weight in own.values())) for own in runs]
        self.words = words


def _runs(words: Sequence[int], content_words: Sequence[bool]) -> WeighedRuns:
    runs: list[dict[Run, float]] = []
    for length in range(1, _LONGEST + 1):
        counts = Counter(tuple(words[begin : begin + length]) for begin in range(len(words) - length + 1))
        runs.append(
            {
                run: count * sum(1.0 if content_words[word] else _OTHER_WORD for word in run)
                for run, count in counts.items()
            }
        )
    return WeighedRuns(runs, len(words))


def agreement(one: WeighedRuns, other: WeighedRuns) -> float:
    """0 to 1; of a caption with itself 1 if it has four words."""
    total = 0.0
    for ours, theirs, own_norm, other_norm in zip(one.runs, other.runs, one.norms, other.norms, strict=True):
        shared = sum(min(weight, theirs[run]) * theirs[run] for run, weight in ours.items() if run in theirs)
        total += shared / (own_norm * other_norm) if shared else 0.0
    return total / _LONGEST * math.exp(-((one.words - other.words) ** 2) / (2 * _SIGMA**2))
