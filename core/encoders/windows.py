"""How a long sound is cut into windows. Numpy only.

Lengths are whole numbers of whatever unit the caller counts in: samples or frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.types import FloatArray


def plan_windows(length: int, window: int, hop: int) -> list[tuple[int, int]]:
    """Windows (start, end) that cover a sound completely.

    They start every `hop`; where the last of them ends before the sound does, one more ends with the sound. A
    sound not longer than a window is one window; an empty one has none.

    Args:
        length: Of the sound.
        window: Of a window, 1 or more.
        hop: From one start to the next, 1 to `window`.
    """
    if not 1 <= hop <= window:
        raise ValueError(f"hop is 1 to {window} (the window), not {hop}")
    if length <= 0:
        return []
    if length <= window:
        return [(0, length)]
    windows = [(start, start + window) for start in range(0, length - window + 1, hop)]
    if windows[-1][1] < length:
        windows.append((length - window, length))
    return windows


class WindowCutter:
    """Cuts a sound whose frames arrive in blocks, in memory for about one window.

    The windows are those of `plan_windows` for the whole sound.

    Args:
        window: Frames of a window.
        hop: Frames from one start to the next, 1 to `window`.
    """

    def __init__(self, window: int, hop: int) -> None:
        if not 1 <= hop <= window:
            raise ValueError(f"hop is 1 to {window} (the window), not {hop}")
        self._window = window
        self._hop = hop
        self._held: FloatArray | None = None
        self._first = 0
        self._next = 0
        self._covered = 0

    def push(self, frames: FloatArray) -> list[tuple[int, FloatArray]]:
        """Take the next frames (t, f) and give the windows that are now complete: (start, (window, f))."""
        held = frames if self._held is None else np.concatenate([self._held, frames])
        complete: list[tuple[int, FloatArray]] = []
        while self._next + self._window <= self._first + len(held):
            begin = self._next - self._first
            complete.append((self._next, held[begin : begin + self._window]))
            self._covered = self._next + self._window
            self._next += self._hop
        # The tail's window may reach back a whole window from the end.
        surplus = len(held) - max(self._window, self._first + len(held) - self._next)
        if surplus > 0:
            self._first += surplus
            held = held[surplus:]
        self._held = held.copy() if complete else held
        return complete

    def finish(self) -> list[tuple[int, FloatArray]]:
        """The window of the tail, if anything is left uncovered."""
        if self._held is None or self._first + len(self._held) <= self._covered:
            return []
        tail = self._held[-self._window :]
        return [(self._first + len(self._held) - len(tail), tail)]


def pool_windows(vectors: FloatArray, durations: Sequence[float] | FloatArray) -> FloatArray:
    """One vector for a whole sound: the mean of its windows' (m, d), weighted by duration, at unit length."""
    mean = np.asarray(durations, dtype=np.float64) @ vectors.astype(np.float64)
    length = float(np.linalg.norm(mean))
    if length == 0.0:
        raise ValueError("windows that cancel each other out have no mean direction")
    return np.asarray(mean / length, dtype=np.float32)


def fill_with_silence(frames: FloatArray, shortest: int, silence: float) -> FloatArray:
    """A window (t, f) of log-mel, followed by silent frames up to `shortest`; longer ones as they are."""
    if len(frames) >= shortest:
        return frames
    filled = np.full((shortest, frames.shape[1]), silence, dtype=np.float32)
    filled[: len(frames)] = frames
    return filled
