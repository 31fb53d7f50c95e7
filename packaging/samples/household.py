"""Doors, glass, clocks, keyboards, taps: struck bodies and series of clicks and drops."""

from __future__ import annotations

import numpy as np
from synthesis import (
    Signal,
    Studio,
    band,
    burst,
    decay,
    dense_body,
    fitted,
    glide,
    modes,
    place,
    tone,
    unit,
)


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
        click = fitted(burst(studio, 0.012, 900, 5000), studio.length(n))
        place(studio, canvas, panel + hard * click, at_s, studio.around(0.85, 0.1))
    return canvas


def _latch(studio: Studio) -> Signal:
    bolt = [
        (studio.around(hz, 0.2), level, t60_s)
        for hz, level, t60_s in ((1500, 1, 0.05), (2700, 0.8, 0.04), (4300, 0.5, 0.03))
    ]
    return unit(modes(studio, 0.12, [*bolt, (420, 0.6, 0.05)], spread=0.4))


def slam(
    studio: Studio,
    *,
    body_hz: float = 85.0,
    boards_s: float = 0.45,
    latch: float = 0.5,
    rattles: int = 3,
    boom: float = 1.0,
    air: float = 0.4,
    duration_s: float = 2.0,
) -> Signal:
    """A door falls shut: the air before it, the blow on the frame, its boards, the latch that jumps and settles."""
    canvas = studio.silence(duration_s)
    at_s, before_s = 0.35, 0.3
    rush = band(studio, studio.noise(before_s, tilt_db=-3), 80, 900) * np.linspace(0, 1, studio.length(before_s)) ** 3
    place(studio, canvas, unit(rush), at_s - before_s, 0.12 * air)
    panel = dense_body(studio, body_hz, 40 * body_hz, count=70, t60_s=boards_s, tilt=-0.75)
    place(studio, canvas, unit(modes(studio, boards_s, panel, spread=0.3)), at_s, 0.8)
    place(studio, canvas, burst(studio, 0.09, 60, 2600, attack_s=0.001), at_s, 0.9)
    n = 0.35
    fall = glide(studio, n, [(0, 1.3 * body_hz), (0.08, 0.75 * body_hz), (n, 0.6 * body_hz)])
    place(studio, canvas, tone(studio, fall, [1.0, 0.3]) * decay(studio, n, 0.3, attack_s=0.002), at_s, 0.8 * boom)
    at_s += 0.012
    for number in range(rattles + 1):
        place(studio, canvas, _latch(studio), at_s, 0.5 * latch * 0.62**number)
        place(studio, canvas, burst(studio, 0.01, 1200, 9000), at_s, 0.35 * latch * 0.62**number)
        at_s += studio.around(0.07 * 0.8**number, 0.25)
    return canvas


def drip(
    studio: Studio,
    *,
    per_second: float = 1.4,
    regular: float = 0.9,
    pitch_hz: float = 900.0,
    deep: float = 1.0,
    splash: float = 0.25,
    duration_s: float = 5.0,
) -> Signal:
    """Drops into standing water: a small splash each, then the bubble that rings and rises."""
    canvas = studio.silence(duration_s)
    at_s, n = 0.3, 0.14 * deep
    while at_s < duration_s - 0.4:
        for _ in range(1 + (studio.rng.uniform() < 0.25)):
            base = studio.around(pitch_hz, 0.18)
            rise = glide(studio, n, [(0, base), (n, base * studio.rng.uniform(1.25, 1.9))])
            bubble = tone(studio, rise, [1.0, 0.08]) * decay(studio, n, 0.9 * n, attack_s=0.002)
            rings_s = at_s + studio.rng.uniform(0.01, 0.04)
            place(studio, canvas, burst(studio, 0.006, 2500, 12000), at_s, splash * studio.around(1.0, 0.4))
            place(studio, canvas, bubble, rings_s, studio.around(0.7, 0.25))
            at_s += studio.rng.uniform(0.05, 0.14) * (1 - regular)
        at_s += studio.around(1 / per_second, 0.6 * (1 - regular) + 0.03)
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
            noise = fitted(burst(studio, 0.009, 1500, 9000), studio.length(n))
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
            click = fitted(burst(studio, 0.004, 2000, 12000), studio.length(n))
            place(
                studio,
                canvas,
                unit(tick) + body * unit(case) + 0.6 * click,
                float(at_s) + offset_s,
                0.6 * gain * studio.around(1.0, 0.04),
            )
    return canvas
