"""Words that say how two sounds of a caption lie in time, and captions whose words say something else.

Labbé, Pellegrini, Pinquier 2023, section 5 and table 4: a model that understands order scores a caption better than
the same caption with its relation replaced ("before" for "after", "while" for "then") or with the two propositions
around it swapped. Beyond their words, some here say which of two sounds at once stands in front.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Relation = Literal["sequence", "superposition"]

SEQUENCE = ("followed by", "and then", "then", "before", "after")
SUPERPOSITION = ("as", "while")
FRONT = ("while ... in the background", "in front of", "faintly behind")
"""Not the paper's: they say which of two sounds at once is the louder one. What follows the dots ends the caption."""
SETS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "BAT": (("before", "after"), ("after", "before")),
    "seq2sup": (SEQUENCE, SUPERPOSITION),
    "sup2seq": (SUPERPOSITION, SEQUENCE),
}
"""Table 4: for each set the words that are replaced, and what may stand in their place."""

_TURNED = ("after", "faintly behind")
_SWAPPED = 0.6
_DOTS = " ... "


def _pattern(relations: Sequence[str]) -> re.Pattern[str]:
    infixes = {words.partition(_DOTS)[0] for words in relations}
    return re.compile(rf"\s(?P<words>{'|'.join(sorted(infixes, key=len, reverse=True))})\s")


_RELATION = _pattern((*SEQUENCE, *SUPERPOSITION))
_ANY_RELATION = _pattern((*SEQUENCE, *SUPERPOSITION, *FRONT))


@dataclass(frozen=True, slots=True)
class Related:
    """A caption taken apart at its first relation.

    Attributes:
        left: What stands before the relation.
        words: The relation.
        right: What stands after it.
    """

    left: str
    words: str
    right: str

    @property
    def relation(self) -> Relation:
        """Whether one sound follows the other or both are there at once."""
        return "superposition" if self.words in (*SUPERPOSITION, *FRONT) else "sequence"

    @property
    def first(self) -> str:
        """What comes first, or is told to stand in front."""
        return self.right if self.words in _TURNED else self.left

    @property
    def second(self) -> str:
        """The other."""
        return self.left if self.words in _TURNED else self.right

    def text(self) -> str:
        """The caption again."""
        infix, tail = infix_and_tail(self.words)
        return f"{self.left} {infix} {self.right}" + (f" {tail}" if tail else "")

    def with_words(self, words: str) -> Related:
        """The same propositions in another relation."""
        return Related(self.left, words, self.right)

    def inverted(self) -> Related:
        """The propositions swapped around the same relation."""
        return Related(self.right, self.words, self.left)


def infix_and_tail(words: str) -> tuple[str, str]:
    """What of a relation stands between its propositions and what behind them; most have nothing there."""
    infix, _, tail = words.partition(_DOTS)
    return infix, tail


def take_apart(caption: str, *, front: bool = False) -> Related | None:
    """The propositions around the first word of a relation; None where there is none, or nothing on one side.

    Args:
        caption: In lower case.
        front: Also know the words that say what stands in front.
    """
    found = (_ANY_RELATION if front else _RELATION).search(caption)
    if found is None:
        return None
    left, words, right = caption[: found.start()].strip(), found["words"], caption[found.end() :].strip()
    for longer in FRONT if front else ():
        infix, tail = infix_and_tail(longer)
        if tail and words == infix and right.endswith(f" {tail}"):
            words, right = longer, right.removesuffix(tail).strip()
            break
    return Related(left, words, right) if left and right else None


def related(first: str, second: str, words: str) -> Related:
    """Two sounds, of which `first` comes first (sequence) or stands in front (superposition).

    "b after a" says that a comes first, so there the propositions change places; as in "b faintly behind a".
    """
    return Related(second, words, first) if words in _TURNED else Related(first, words, second)


def join(first: str, second: str, words: str) -> str:
    """The caption that `related` says."""
    return related(first, second, words).text()


def replacements(caption: Related, name: str) -> tuple[Related, ...]:
    """The captions that the Replace test of a set sets against a caption; none where the set does not apply.

    In the set BAT each word has one opposite; in the others any word of the other relation may come.
    """
    words, others = SETS[name]
    if caption.words not in words:
        return ()
    if name == "BAT":
        return (caption.with_words(others[words.index(caption.words)]),)
    return tuple(caption.with_words(other) for other in others)


def untruth(caption: Related, rng: np.random.Generator) -> Related:
    """A caption in the same words, or in others for the relation, that is not so: swapped, or another relation."""
    if rng.random() < _SWAPPED or caption.words in FRONT:
        return caption.inverted()
    names = [name for name in SETS if caption.words in SETS[name][0]]
    others = replacements(caption, names[int(rng.integers(len(names)))])
    return others[int(rng.integers(len(others)))]
