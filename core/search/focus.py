"""Where within a file the sound is that a question asks for, finer than the windows that are stored.

A window of ten seconds says that something is in it, and a short sound in it is diluted by all else. Listening again in
stretches of one to five seconds says where. What that costs is bounded: of a long file only the windows that fit best
are listened to again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.encoders.protocol import DualEncoder
from core.encoders.windows import plan_windows
from core.types import FloatArray, Span

LISTENED_S = 60.0
"""At most this much of a file is listened to again: about a second of one core."""
STRETCHES_S = (1.0, 2.0, 3.0, 5.0)
"""Short stretches say where, long ones say what; their mean is steadier than any of them."""
_STEP_S = 1.0
_GRID_S = 0.25
# A stretch knows its sound, but not where in it the sound is: the loudest place so near is taken.
_SNAP_S = 1.0
_LEVEL_STEP_S = 0.01
_LEVEL_WIDTH_S = 0.5
_LONGEST_ONSET_S = 5.0
_SILENCE_DB = -120.0

Fit = Callable[[FloatArray], FloatArray]
"""How well sounds (m, d) fit the question, (m,); higher fits better."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A part of a file, listened to closely; it does not depend on the question.

    Attributes:
        stretches: For every length of stretch, the middles (m,) in seconds from the part's beginning and the
            vectors (m, d).
        level_db: (t,) every `_LEVEL_STEP_S`, smoothed.
        length_s: Of the part.
    """

    stretches: tuple[tuple[FloatArray, FloatArray], ...]
    level_db: FloatArray
    length_s: float


@dataclass(frozen=True, slots=True)
class Focus:
    """The place in a file that fits a question best.

    Attributes:
        span: At most a window long, with the sound in its middle.
        start_s: Where the sound sets in.
        peak_s: Where it is loudest.
    """

    span: Span
    start_s: float
    peak_s: float


def find_focus(
    windows: Sequence[Span],
    fits: FloatArray,
    *,
    hear: Callable[[Span], Heard | None],
    fit: Fit,
    window_s: float,
    duration_s: float,
) -> Focus:
    """Listen again to the windows that fit best and find the sound in them.

    Args:
        windows: Of the file; one or more.
        fits: (w,) how well each of them fits.
        hear: Gives a part of the file as `listen` hears it; None where it holds nothing.
        fit: Says how well vectors fit.
        window_s: Length of a window.
        duration_s: Length of the file.
    """
    first_s = windows[int(fits.argmax())].start_s
    best, start_s, peak_s = -np.inf, first_s, first_s
    for region in regions_of(windows, fits):
        heard = hear(region)
        if heard is None:
            continue
        times_s, profile = _profile(heard, fit)
        top = int(profile.argmax())
        if profile[top] > best:
            loudest_s = _loudest(heard.level_db, float(times_s[top]))
            best, peak_s = float(profile[top]), region.start_s + loudest_s
            start_s = region.start_s + _onset(heard.level_db, loudest_s)
    return Focus(_window_around(peak_s, window_s, duration_s), start_s, peak_s)


def listen(encoder: DualEncoder, samples: FloatArray) -> Heard | None:
    """Listen to a part of a file, (n,) mono at the encoder's rate, in stretches; None if it is empty."""
    if not len(samples):
        return None
    rate_hz = encoder.card.sample_rate_hz
    frames = encoder.features(samples)
    frames_a_second = len(frames) * rate_hz / len(samples)
    step = max(1, round(_STEP_S * frames_a_second))
    stretches: list[tuple[FloatArray, FloatArray]] = []
    for stretch_s in STRETCHES_S:
        ranges = plan_windows(len(frames), max(step, round(stretch_s * frames_a_second)), step)
        middles_s = np.asarray(ranges, dtype=np.float32).mean(axis=1) / np.float32(frames_a_second)
        stretches.append((middles_s, encoder.embed_features([frames[start:end] for start, end in ranges])))
    return Heard(tuple(stretches), _level_db(samples, rate_hz), len(samples) / rate_hz)


def regions_of(windows: Sequence[Span], fits: FloatArray) -> list[Span]:
    """The best windows together, in order of time, none overlapping, `LISTENED_S` at most (but one window at least)."""
    regions: list[Span] = []
    for row in np.argsort(-fits, kind="stable").tolist():
        wider = _joined([*regions, windows[row]])
        if regions and sum(region.duration_s for region in wider) > LISTENED_S:
            break
        regions = wider
    return regions


def _joined(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: span.start_s):
        if joined and span.start_s <= joined[-1].end_s:
            joined[-1] = Span(joined[-1].start_s, max(joined[-1].end_s, span.end_s))
        else:
            joined.append(span)
    return joined


def _profile(heard: Heard, fit: Fit) -> tuple[FloatArray, FloatArray]:
    """How well a part fits from moment to moment: times (t,) in seconds, and the fits (t,)."""
    times_s = np.arange(min(_GRID_S, heard.length_s) / 2, heard.length_s, _GRID_S, dtype=np.float32)
    profiles = [np.interp(times_s, middles_s, fit(vectors)) for middles_s, vectors in heard.stretches]
    return times_s, np.asarray(np.mean(profiles, axis=0), dtype=np.float32)


def _level_db(samples: FloatArray, rate_hz: int) -> FloatArray:
    """The level every `_LEVEL_STEP_S`, smoothed."""
    step = max(1, round(_LEVEL_STEP_S * rate_hz))
    count = -(-len(samples) // step)
    padded = np.zeros(count * step, dtype=np.float32)
    padded[: len(samples)] = samples
    power = np.square(padded).reshape(count, step).mean(axis=1)
    width = round(_LEVEL_WIDTH_S / _LEVEL_STEP_S)
    weights = np.hanning(width + 2)[1:-1]
    smooth = np.convolve(power, weights / weights.sum(), mode="full")[width // 2 :][:count]
    return np.asarray(10 * np.log10(np.maximum(smooth, 10 ** (_SILENCE_DB / 10))), dtype=np.float32)


def _loudest(level_db: FloatArray, near_s: float) -> float:
    """The loudest place at most `_SNAP_S` from a time."""
    first = max(0, int((near_s - _SNAP_S) / _LEVEL_STEP_S))
    last = max(first + 1, int((near_s + _SNAP_S) / _LEVEL_STEP_S) + 1)
    return (first + int(level_db[first:last].argmax()) + 0.5) * _LEVEL_STEP_S


def _onset(level_db: FloatArray, peak_s: float) -> float:
    """Where what is loud at a time sets in: back to where the level is halfway down to that of the quiet."""
    at = min(len(level_db) - 1, int(peak_s / _LEVEL_STEP_S))
    quiet_db = float(np.percentile(level_db, 10))
    before = level_db[max(0, at - round(_LONGEST_ONSET_S / _LEVEL_STEP_S)) : at + 1]
    below = np.flatnonzero(before < (level_db[at] + quiet_db) / 2)
    first = at - len(before) + 1 + (int(below[-1]) + 1 if len(below) else 0)
    return min(peak_s, first * _LEVEL_STEP_S)


def _window_around(time_s: float, window_s: float, duration_s: float) -> Span:
    start_s = max(0.0, min(time_s - window_s / 2, duration_s - window_s))
    return Span(start_s, max(start_s, min(duration_s, start_s + window_s)))
