"""Small changes of captions: words dropped, swapped, repeated elsewhere, replaced (Wei and Zou 2019, "EDA").

Primus and Widmer 2022 train retrieval with such changes. Words that say how sounds lie in time ("then", "while"), and
words that deny, stay as they are and where they are: without them a caption would say something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from training.data.synonym import SYNONYMS

_PROTECTED = frozenset("then before after while as followed by during until first no not without never and".split())
_TOKEN = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)


class TextAugmentation(BaseModel):
    """How much captions are changed; every share is of a caption's words, on average.

    Attributes:
        probability: Share of the captions that are changed at all.
        drop: Words left out.
        swap: Words that change places with another.
        insert: Words of which a synonym is put somewhere else, too.
        replace: Words replaced by a synonym.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    probability: float = Field(default=0.5, ge=0, le=1)
    drop: float = Field(default=0.1, ge=0, lt=1)
    swap: float = Field(default=0.05, ge=0, le=1)
    insert: float = Field(default=0.0, ge=0, le=1)
    replace: float = Field(default=0.1, ge=0, le=1)


def change_caption(
    caption: str,
    rng: np.random.Generator,
    settings: TextAugmentation,
    *,
    synonyms: Mapping[str, Sequence[str]] = SYNONYMS,
) -> str:
    """A caption that says much the same; never empty.

    Args:
        caption: One sentence.
        rng: Where chance comes from; the same state gives the same caption.
        settings: How much is changed.
        synonyms: For a lower-case word others that may stand in its place.
    """
    words = caption.split()
    if not words or rng.random() >= settings.probability:
        return caption
    words = [_replaced(word, rng, settings.replace, synonyms) for word in words]
    words = _inserted(words, rng, settings.insert, synonyms)
    words = _swapped(words, rng, settings.swap)
    kept = [word for word in words if _is_protected(word) or rng.random() >= settings.drop]
    return " ".join(kept if any(not _is_protected(word) for word in kept) else words)


def _bare(word: str) -> str:
    found = _TOKEN.match(word)
    return found[2].lower() if found else word.lower()


def _is_protected(word: str) -> bool:
    return _bare(word) in _PROTECTED


def _replaced(word: str, rng: np.random.Generator, share: float, synonyms: Mapping[str, Sequence[str]]) -> str:
    others = synonyms.get(_bare(word), ())
    if not others or _is_protected(word) or rng.random() >= share:
        return word
    found = _TOKEN.match(word)
    before, own, after = found.groups() if found else ("", word, "")
    other = others[int(rng.integers(len(others)))]
    return before + (other[:1].upper() + other[1:] if own[:1].isupper() else other) + after


def _inserted(
    words: list[str], rng: np.random.Generator, share: float, synonyms: Mapping[str, Sequence[str]]
) -> list[str]:
    found = list(words)
    for word in words:
        others = synonyms.get(_bare(word), ())
        if others and rng.random() < share:
            found.insert(int(rng.integers(len(found) + 1)), others[int(rng.integers(len(others)))])
    return found


def _swapped(words: list[str], rng: np.random.Generator, share: float) -> list[str]:
    found = list(words)
    free = [place for place, word in enumerate(found) if not _is_protected(word)]
    for place in free:
        if rng.random() < share:
            other = free[int(rng.integers(len(free)))]
            found[place], found[other] = found[other], found[place]
    return found
