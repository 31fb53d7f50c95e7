"""Engines, blades and motors: pulses and harmonics that never quite repeat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from synthesis import (
    Points,
    Signal,
    Studio,
    band,
    decay,
    glide,
    level,
    resonate,
)


def _pulses(studio: Studio, rate: Signal, spread: float, loud: Sequence[float] = (1.0,)) -> Signal:
    """One impulse for each cycle of a rate in hertz; `loud` repeats over the cylinders."""
    cycles = np.cumsum(rate) / studio.rate_hz
    edges = np.flatnonzero(np.diff(np.floor(cycles)) > 0)
    hits = np.zeros(len(rate))
    hits[edges] = [loud[number % len(loud)] * studio.around(1.0, spread) for number in range(len(edges))]
    return hits


def engine(
    studio: Studio,
    *,
    revs: Points,
    firings: float = 2.0,
    pipe_hz: float = 70.0,
    rasp: float = 0.4,
    uneven: float = 0.12,
    duration_s: float = 5.0,
) -> Signal:
    """A combustion engine: firings through an exhaust pipe, valves and gears above.

    Args:
        studio: Where it is made.
        revs: Revolutions per minute, (seconds, rpm) points.
        firings: Ignitions per revolution.
        pipe_hz: Lowest resonance of the exhaust.
        rasp: Level of noise in each firing.
        uneven: How much firings differ.
        duration_s: Length in seconds.
    """
    rpm = glide(studio, duration_s, revs) * np.exp(0.015 * studio.wander(duration_s, 6.0))
    hits = _pulses(studio, rpm / 60.0 * firings, uneven, (1.0, 0.82, 0.95, 0.76))
    bang_s = 0.05
    bang = studio.noise(bang_s, tilt_db=-3) * decay(studio, bang_s, bang_s, attack_s=0.002)
    pipe = [
        (pipe_hz, 1.0, 0.09),
        (pipe_hz * 2.1, 0.8, 0.07),
        (pipe_hz * 3.3, 0.6, 0.05),
        (pipe_hz * 5.7, 0.4, 0.03),
        (pipe_hz * 11, 0.25, 0.02),
    ]
    low = level(resonate(studio, hits, pipe))
    puff = np.convolve(hits, np.ones(1))
    rough = level(np.fft.irfft(np.fft.rfft(puff, 2 * len(puff)) * np.fft.rfft(bang, 2 * len(puff)))[: len(puff)])
    rough = rough * (1 + 0.5 * studio.noise(duration_s, tilt_db=-3))
    clatter = level(band(studio, resonate(studio, hits, [(1900, 1.0, 0.01), (3100, 0.8, 0.008)]), 1000, 6000, 1))
    load = (rpm / np.min(rpm)) ** 0.45
    air = level(band(studio, studio.noise(duration_s, tilt_db=-3), 150, 4000, 1))
    sound: Signal = (low + rasp * rough + 0.12 * clatter + 0.12 * air) * load
    return sound
