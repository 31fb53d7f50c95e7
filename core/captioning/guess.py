"""What a captioning model says of a file, and what whoever asks it relies on. Without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.types import FloatArray


@dataclass(frozen=True, slots=True)
class CaptionGuess:
    """A sentence about a sound, and how far to trust it.

    Attributes:
        text: The likeliest sentence.
        confidence: That it describes the sound, 0 to 1.
        alternatives: Other sentences, likeliest first.
        tags: What can be heard, in single words or short names, likeliest first.
        is_sure: Whether the confidence reaches the model's own threshold; otherwise the tags are to be shown.
    """

    text: str
    confidence: float
    alternatives: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    is_sure: bool = True


class CaptionerCard(Protocol):
    """Who a captioning model is."""

    @property
    def id(self) -> str:
        """Written beside every caption: name and version."""
        ...

    @property
    def description(self) -> str:
        """A sentence for a person."""
        ...


class FileCaptioner(Protocol):
    """Describes files in words; the same file always in the same words. One thread at a time."""

    @property
    def card(self) -> CaptionerCard:
        """Who the model is."""
        ...

    def caption(self, sound: Path | FloatArray, /) -> CaptionGuess:
        """Describe a file, which is only read, or samples (n,) at the model's rate.

        Raises:
            UnusableFileError: The file cannot be read.
        """
        ...
