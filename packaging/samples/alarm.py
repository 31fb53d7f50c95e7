"""Signals made for people: sirens, horns, bells of telephones, beeps, tones."""

from __future__ import annotations

import numpy as np
from synthesis import (
    Signal,
    Studio,
    band_gain,
    burst,
    level,
    line,
    modes,
    peak_gain,
    place,
    rolloff,
    saturate,
    shape,
    tone,
    unit,
)


def siren(
    studio: Studio, *, pattern: str = "wail", duration_s: float = 6.0, low_hz: float = 620.0, high_hz: float = 1400.0
) -> Signal:
    """A vehicle's siren: wail (slow), yelp (fast) or two tones, through a horn and a street."""
    t = studio.time(duration_s)
    if pattern == "two-tone":
        step = 0.5 + 0.5 * np.tanh(np.sin(2 * np.pi * t / 1.3) * 40)
        pitch = low_hz * (high_hz / low_hz) ** step
    else:
        period_s = 4.2 if pattern == "wail" else 0.36
        phase = (t / period_s) % 1.0
        rise = np.where(phase < 0.45, phase / 0.45, 1 - (phase - 0.45) / 0.55)
        pitch = low_hz * (high_hz / low_hz) ** (0.5 - 0.5 * np.cos(np.pi * rise))
    sound = tone(studio, pitch, rolloff(24, -5))
    sound = shape(studio, sound, lambda hz: band_gain(hz, 500, 3800, 2) + 0.5 * peak_gain(hz, 1500, 700))
    sound = saturate(sound, 1.6)
    return sound


def car_horn(
    studio: Studio, *, blasts: tuple[tuple[float, float], ...], low_hz: float = 405.0, duration_s: float = 2.5
) -> Signal:
    """Two trumpet horns a major third apart."""
    canvas = studio.silence(duration_s)
    for start_s, n in blasts:
        both = sum(
            level(tone(studio, np.full(studio.length(n), low_hz * ratio), rolloff(36, -2.5), random_phase=True))
            for ratio in (1.0, 1.255)
        )
        horn = shape(studio, np.asarray(both), lambda hz: band_gain(hz, 350, 4200, 1) + 0.8 * peak_gain(hz, 2300, 900))
        edge = line(studio, n, [(0, 0), (0.02, 1.0), (n - 0.04, 1.0), (n, 0)])
        place(studio, canvas, level(horn) * edge, start_s, 0.25)
    return canvas


def telephone(
    studio: Studio,
    *,
    rings: tuple[tuple[float, float], ...],
    hz: float = 1450.0,
    strokes_hz: float = 20.0,
    duration_s: float = 4.5,
) -> Signal:
    """An old telephone: a clapper between two gongs."""
    canvas = studio.silence(duration_s)
    gongs = []
    for base in (hz, hz * 1.19):
        partials = [
            (base, 1.0, 0.6),
            (base * 2.02, 0.7, 0.5),
            (base * 2.76, 0.5, 0.4),
            (base * 4.1, 0.4, 0.3),
            (base * 5.4, 0.3, 0.2),
        ]
        gongs.append(unit(modes(studio, 0.7, partials)))
    for start_s, n in rings:
        for number, at_s in enumerate(np.arange(0, n, 1.0 / strokes_hz)):
            place(
                studio,
                canvas,
                gongs[number % 2],
                start_s + float(at_s) + studio.rng.normal(0, 0.001),
                studio.around(0.5, 0.1),
            )
            place(studio, canvas, burst(studio, 0.004, 2000, 12000), start_s + float(at_s), 0.25)
    return canvas
