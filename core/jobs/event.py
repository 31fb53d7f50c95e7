"""Frozen events that a job's generator yields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage of a job is.

    Whoever drives a job may let the newest of a stage take the place of those before it: what must be told of every
    item is an event of its own.

    Attributes:
        stage: The stage's name: "scan", "index", "graph", "rebuild", "outline", "caption", ...
        done: Items finished.
        total: Items in all, or None while unknown.
        item: The item just finished, for display.
        audio_s: Seconds of sound finished so far, where that means something.
        rate_per_s: Items a second of late, or None while unknown.
        audio_rate: Seconds of sound a second of late ("times real time"), or None while unknown.
        left_s: Seconds until the stage is done at that rate, or None while unknown.
        files: Ids of the files whose results were stored just now, for who sees every progress.
    """

    stage: str
    done: int
    total: int | None = None
    item: str = ""
    audio_s: float = 0.0
    rate_per_s: float | None = None
    audio_rate: float | None = None
    left_s: float | None = None
    files: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, with the reason for a person."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know that stops nothing."""

    message: str


@dataclass(frozen=True, slots=True)
class Written:
    """A file that a job has made; unlike a progress none is ever left out on its way to whoever listens."""

    path: str


Event = Progress | Skipped | Notice | Written
