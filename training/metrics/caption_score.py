"""What every caption metric takes and gives.

Captions are compared as lists of words parted by white space: lower case, no punctuation, as the tokenisers of the
evaluation campaigns leave them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

References = Sequence[Sequence[str]]
Ngram = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaptionScore:
    """One metric over a corpus.

    Attributes:
        corpus: The figure that papers print.
        sentences: (n,) the same for each candidate alone.
    """

    corpus: float
    sentences: npt.NDArray[np.float64]

    @classmethod
    def mean_of(cls, sentences: Sequence[float] | npt.NDArray[np.float64]) -> CaptionScore:
        """For metrics whose corpus figure is the mean over sentences."""
        values = np.asarray(sentences, dtype=np.float64)
        return cls(float(values.mean()), values)


def check_captions(candidates: Sequence[str], references: References) -> None:
    """Refuse what no metric can score.

    Raises:
        ValueError: No candidates, numbers that differ, or a candidate without references.
    """
    if isinstance(candidates, str) or any(isinstance(group, str) for group in references):
        raise ValueError("expected a list of candidates and a list of references for each, got a string")
    if not candidates:
        raise ValueError("there are no candidates")
    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates, but references for {len(references)}")
    empty = next((number for number, group in enumerate(references) if not group), None)
    if empty is not None:
        raise ValueError(f"candidate {empty} has no reference")


def count_ngrams(words: Sequence[str], longest: int) -> Counter[Ngram]:
    """How often each run of 1 to `longest` words occurs."""
    return Counter(
        tuple(words[first : first + length])
        for length in range(1, longest + 1)
        for first in range(len(words) - length + 1)
    )
