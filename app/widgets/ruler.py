"""Times along an axis: where the marks stand and how they read."""

from __future__ import annotations

import math

from core.types import Span

_STEPS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900)
_HOUR_STEPS_S = (1800, 3600, 7200, 14_400, 36_000)


def clock_marks(visible: Span, width_px: float, text_px: float) -> list[tuple[float, str]]:
    """Round times in a stretch with their texts, as many as there is room for.

    Args:
        visible: The stretch.
        width_px: Its width.
        text_px: Room that one text needs.
    """
    if visible.duration_s <= 0 or width_px <= 0:
        return []
    room_s = 1.2 * text_px / width_px * visible.duration_s
    step_s = next((step for step in (*_STEPS_S, *_HOUR_STEPS_S) if step >= room_s), _HOUR_STEPS_S[-1])
    first = math.ceil(visible.start_s / step_s - 1e-9)
    marks = []
    while first * step_s <= visible.end_s:
        marks.append((first * step_s, clock_text(first * step_s, step_s)))
        first += 1
    return marks


def clock_text(time_s: float, step_s: float) -> str:
    """A time as m:ss, with as many decimals as neighbouring marks need to differ."""
    decimals = 0 if step_s >= 1 else min(3, math.ceil(-math.log10(step_s) - 1e-9))
    scale = 10**decimals
    units = round(time_s * scale)
    minutes, rest = divmod(units, 60 * scale)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / scale:0{3 + decimals if decimals else 2}.{decimals}f}"
    return f"{hours}:{minutes:02d}:{seconds}" if hours else f"{minutes}:{seconds}"


def exact_clock(time_s: float) -> str:
    """A time to the millisecond."""
    return clock_text(time_s, 0.001)


def tenth_clock(time_s: float) -> str:
    """A time to the tenth of a second, as the player counts."""
    return clock_text(math.floor(time_s * 10 + 1e-6) / 10, 0.1)
