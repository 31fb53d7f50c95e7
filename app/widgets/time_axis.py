"""The stretch of a sound that is in sight, and how times and pixels go together."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from core.types import Span

# At 48 kHz this is some fifty samples.
SHORTEST_S = 0.001


class TimeAxis(QObject):
    """Shared by everything that draws one sound.

    Attributes:
        changed: Another stretch is in sight.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._duration_s = 0.0
        self._start_s = 0.0
        self._length_s = 0.0

    @property
    def duration_s(self) -> float:
        """Length of the sound."""
        return self._duration_s

    @property
    def visible(self) -> Span:
        """The stretch in sight."""
        return Span(self._start_s, self._start_s + self._length_s)

    @property
    def is_whole(self) -> bool:
        """Whether all of the sound is in sight."""
        return self._length_s >= self._duration_s

    def set_duration(self, duration_s: float) -> None:
        """Show another sound, all of it; a length that becomes known better keeps what is in sight."""
        was_whole = self.is_whole
        self._duration_s = max(0.0, duration_s)
        if was_whole or not self._length_s:
            self._start_s, self._length_s = 0.0, self._duration_s
        self._settle(self._start_s, self._length_s)

    def reset(self, duration_s: float) -> None:
        """Show all of another sound."""
        self._duration_s = max(0.0, duration_s)
        self._settle(0.0, self._duration_s)

    def show(self, span: Span) -> None:
        """Bring a stretch into sight, as large as possible."""
        self._settle(span.start_s, span.duration_s)

    def show_all(self) -> None:
        """Bring all of the sound into sight."""
        self._settle(0.0, self._duration_s)

    def zoom(self, factor: float, around_s: float) -> None:
        """Show less (a factor above 1) or more, with one moment staying where it is."""
        length_s = min(self._duration_s, max(SHORTEST_S, self._length_s / factor))
        share = (around_s - self._start_s) / self._length_s if self._length_s else 0.5
        self._settle(around_s - share * length_s, length_s)

    def pan(self, seconds: float) -> None:
        """Move on, or back."""
        self._settle(self._start_s + seconds, self._length_s)

    def reveal(self, time_s: float) -> None:
        """Turn the page when a moment is out of sight."""
        if not self._start_s <= time_s <= self._start_s + self._length_s:
            self._settle(time_s - 0.05 * self._length_s, self._length_s)

    def time_s(self, x: float, width: float) -> float:
        """The moment at a pixel, held to the sound."""
        share = x / width if width > 0 else 0.0
        return min(self._duration_s, max(0.0, self._start_s + share * self._length_s))

    def x(self, time_s: float, width: float) -> float:
        """The pixel of a moment, which may be out of sight."""
        return (time_s - self._start_s) / self._length_s * width if self._length_s else 0.0

    def _settle(self, start_s: float, length_s: float) -> None:
        length_s = min(self._duration_s, max(min(SHORTEST_S, self._duration_s), length_s))
        start_s = min(max(0.0, start_s), max(0.0, self._duration_s - length_s))
        if (start_s, length_s) != (self._start_s, self._length_s):
            self._start_s, self._length_s = start_s, length_s
        self.changed.emit()
