"""ROUGE-L: the longest run of words, gaps allowed, that a caption shares with a reference.

Lin 2004, as the COCO caption evaluation computes it.
"""

from __future__ import annotations

from collections.abc import Sequence

from training.metrics.caption_score import CaptionScore, References, check_captions

_BETA = 1.2


def rouge_l(candidates: Sequence[str], references: References, *, beta: float = _BETA) -> CaptionScore:
    """ROUGE-L.

    With P and R the longest common subsequence over the candidate's and over the reference's length, each taken from
    the reference where it is highest (not both from the same one):

        (1 + beta^2) P R / (R + beta^2 P)

    Raises:
        ValueError: As `check_captions`.
    """
    check_captions(candidates, references)
    scores = []
    for candidate, group in zip(candidates, references, strict=True):
        words = candidate.split()
        precision = recall = 0.0
        for reference in group:
            theirs = reference.split()
            common = _common_length(words, theirs)
            if common:
                precision = max(precision, common / len(words))
                recall = max(recall, common / len(theirs))
        both = (1 + beta**2) * precision * recall / (recall + beta**2 * precision) if precision else 0.0
        scores.append(both)
    return CaptionScore.mean_of(scores)


def _common_length(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(theirs) + 1)
    for word in ours:
        diagonal = 0
        for place, other in enumerate(theirs, start=1):
            above = row[place]
            row[place] = diagonal + 1 if word == other else max(above, row[place - 1])
            diagonal = above
    return row[-1]
