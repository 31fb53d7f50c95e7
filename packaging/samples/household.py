"""Doors, glass, clocks, keyboards, coins: struck bodies and series of clicks."""

from __future__ import annotations

import numpy as np
from synthesis import (
    Signal,
    Studio,
    burst,
    modes,
    place,
    unit,
)


def _fit(studio: Studio, sound: Signal, duration_s: float) -> Signal:
    n = studio.length(duration_s)
    return np.pad(sound, (0, max(0, n - len(sound))))[:n]


def knock(
    studio: Studio,
    *,
    times_s: tuple[float, ...],
    body_hz: float = 210.0,
    hard: float = 0.5,
    duration_s: float = 2.0,
) -> Signal:
    """Knuckles on a door panel: a few low wooden modes and the click of the bone."""
    canvas = studio.silence(duration_s)
    ratios = (1.0, 1.72, 2.6, 3.9, 5.3, 7.4)
    for at_s in times_s:
        n = 0.22
        partials = [(body_hz * r * studio.around(1.0, 0.01), 1.0 / r**0.7, 0.13 / r**0.5) for r in ratios]
        panel = unit(modes(studio, n, partials, spread=0.3))
        click = _fit(studio, burst(studio, 0.012, 900, 5000), n)
        place(studio, canvas, panel + hard * click, at_s, studio.around(0.85, 0.1))
    return canvas


def _shard(studio: Studio, low_hz: float, high_hz: float, t60_s: float) -> Signal:
    base = float(np.exp(studio.rng.uniform(np.log(low_hz), np.log(high_hz))))
    partials = [(base * r, a, t60_s / r**0.5) for r, a in ((1.0, 1.0), (1.58, 0.7), (2.24, 0.6), (2.92, 0.4))]
    return unit(modes(studio, t60_s, partials, spread=0.4))


def glass_break(studio: Studio, *, size: float = 1.0, shards: int = 60, duration_s: float = 2.2) -> Signal:
    """A pane or a bottle: the blow, then shards that ring and fall."""
    canvas = studio.silence(duration_s)
    place(studio, canvas, burst(studio, 0.12, 700, 14000), 0.08, 1.0)
    place(studio, canvas, burst(studio, 0.05, 150, 1200), 0.08, 0.5)
    for _ in range(shards):
        at_s = 0.08 + (studio.rng.beta(0.7, 3.2)) * (duration_s - 0.5)
        shard = _shard(studio, 2300 / size, 8500 / size**0.5, studio.rng.uniform(0.04, 0.25))
        place(studio, canvas, shard, at_s, studio.around(0.28 * np.exp(-0.9 * at_s), 0.5))
        if studio.rng.uniform() < 0.4:
            place(studio, canvas, burst(studio, 0.015, 3000, 15000), at_s, studio.around(0.22, 0.4))
    return canvas


def typing(
    studio: Studio, *, keys_per_s: float = 6.5, duration_s: float = 4.5, deep: float = 1.0, click: float = 1.0
) -> Signal:
    """Fingers on a keyboard: a press, a smaller release, now and then the space bar."""
    canvas = studio.silence(duration_s)
    at_s = 0.15
    while at_s < duration_s - 0.25:
        wide = studio.rng.uniform() < 0.14
        for offset_s, gain in ((0.0, 1.0), (studio.rng.uniform(0.06, 0.11), 0.4)):
            base = studio.around((900 if wide else 1900) / deep, 0.1)
            n = 0.05
            plate = modes(
                studio,
                n,
                [
                    (base, 1.0, 0.02),
                    (base * 1.9, 0.7, 0.015),
                    (base * 3.1, 0.5 * click, 0.012),
                    (320 / deep, 0.7, 0.03),
                ],
                spread=0.4,
            )
            noise = _fit(studio, burst(studio, 0.009, 1500, 9000), n)
            place(studio, canvas, 0.6 * unit(plate) + click * noise, at_s + offset_s, studio.around(0.6 * gain, 0.25))
        at_s += studio.around(1.0 / keys_per_s, 0.4) + (0.35 if studio.rng.uniform() < 0.05 else 0.0)
    return canvas


def clock(
    studio: Studio,
    *,
    per_second: float = 2.0,
    duration_s: float = 5.0,
    hz: float = 2600.0,
    body_hz: float = 420.0,
    body: float = 0.4,
) -> Signal:
    """An escapement: tick and tock, each a double click in a wooden or metal case."""
    canvas = studio.silence(duration_s)
    for number, at_s in enumerate(np.arange(0.2, duration_s - 0.1, 1.0 / per_second)):
        pitch = hz * (1.0 if number % 2 == 0 else 0.82)
        for offset_s, gain in ((0.0, 1.0), (0.014, 0.5)):
            n = 0.09
            tick = modes(
                studio, n, [(pitch, 1.0, 0.02), (pitch * 1.63, 0.7, 0.015), (pitch * 2.4, 0.5, 0.01)], spread=0.1
            )
            case = modes(studio, n, [(body_hz, 1.0, 0.06), (body_hz * 1.8, 0.6, 0.05)], spread=0.1)
            click = _fit(studio, burst(studio, 0.004, 2000, 12000), n)
            place(
                studio,
                canvas,
                unit(tick) + body * unit(case) + 0.6 * click,
                float(at_s) + offset_s,
                0.6 * gain * studio.around(1.0, 0.04),
            )
    return canvas
