"""How fast a job goes and how long it will go on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

# What counts is the recent past: files differ in length, and a disk may wake up slowly.
_WINDOW_S = 30.0
_LEAST_S = 1.0
_MOST_MARKS = 512


class RateMeter:
    """Measures progress over the last half minute.

    Args:
        now: A clock in seconds that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._marks: deque[tuple[float, float, float]] = deque([(now(), 0.0, 0.0)], maxlen=_MOST_MARKS)

    def mark(self, done: float, audio_s: float = 0.0) -> None:
        """Note how much is finished by now: items, and seconds of sound."""
        moment = self._now()
        if len(self._marks) > 1 and moment - self._marks[-2][0] < _WINDOW_S / _MOST_MARKS:
            self._marks.pop()
        self._marks.append((moment, done, audio_s))
        while len(self._marks) > 2 and moment - self._marks[1][0] > _WINDOW_S:
            self._marks.popleft()

    def skip(self) -> None:
        """Forget the past, so that a pause does not count as slowness."""
        _, done, audio_s = self._marks[-1]
        self._marks.clear()
        self._marks.append((self._now(), done, audio_s))

    @property
    def per_second(self) -> float | None:
        """Items a second, or None while nothing can be said."""
        return self._slope(1)

    @property
    def times_real_time(self) -> float | None:
        """Seconds of sound a second, or None while nothing can be said."""
        return self._slope(2)

    def left_s(self, remaining: float) -> float | None:
        """Seconds until `remaining` more items are finished, or None while nothing can be said."""
        pace = self.per_second
        return None if not pace else remaining / pace

    def _slope(self, column: int) -> float | None:
        first, last = self._marks[0], self._marks[-1]
        passed = last[0] - first[0]
        return (last[column] - first[column]) / passed if passed >= _LEAST_S else None
