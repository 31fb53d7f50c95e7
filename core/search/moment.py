"""How a file fits a question from its beginning to its end."""

from __future__ import annotations

from dataclasses import dataclass

from core.types import Span


@dataclass(frozen=True, slots=True)
class MomentScore:
    """A window of a file and how well it fits, 0 to 1."""

    span: Span
    relevance: float
