"""Words of captions, for counting and changing."""

from __future__ import annotations

import re

FUNCTION_WORDS = frozenset(
    "a an the this that these those some any each every other others another it its is are was were be been being am "
    "do does did has have had having of in on at to from by with without into onto over under off out up down for as "
    "and or but then while when where which who what there here their his her they he she them him not no nor so very "
    "too than more most again also all both can could will would may might must".split()
)
"""Words that say nothing of a sound by themselves."""
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")


def split_words(caption: str) -> list[str]:
    """Lower-case words without punctuation; "dog's" and "high-pitched" are one word each."""
    return _WORD.findall(caption.lower())
