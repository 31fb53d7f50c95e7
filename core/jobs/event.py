"""Frozen events that a job's generator yields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage of a job is.

    Attributes:
        stage: The stage's name: "scan", "index", "rebuild", ...
        done: Items finished.
        total: Items in all, or None while unknown.
        item: The item just finished, for display.
        audio_s: Seconds of sound finished so far, where that means something.
    """

    stage: str
    done: int
    total: int | None = None
    item: str = ""
    audio_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, with the reason for a person."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that stops nothing."""

    message: str


Event = Progress | Skipped | Notice
