"""People: steps."""

from __future__ import annotations

import numpy as np
from synthesis import (
    Signal,
    Studio,
    burst,
    dense_body,
    fitted,
    modes,
    place,
    resonate,
    unit,
)


def _wood_step(studio: Studio, weight: float) -> Signal:
    n = 0.3
    seedling = Studio(studio.rate_hz, np.random.default_rng(5))  # the same boards under every step
    boards = dense_body(seedling, 85 / weight, 2600, count=45, t60_s=0.16, tilt=-0.55)
    hit = fitted(burst(studio, 0.012, 60, 3500, attack_s=0.002), studio.length(n))
    bent = [(f, studio.around(a, 0.3), t) for f, a, t in boards]
    return unit(unit(resonate(studio, hit, bent)) + 0.5 * hit)


def _hard_step(studio: Studio, weight: float) -> Signal:
    n = 0.2
    seedling = Studio(studio.rate_hz, np.random.default_rng(6))
    stone = dense_body(seedling, 260 / weight, 6000, count=30, t60_s=0.05, tilt=-0.1)
    hit = fitted(burst(studio, 0.006, 400, 9000), studio.length(n))
    sound = resonate(studio, hit, [(f, studio.around(a, 0.4), t) for f, a, t in stone])
    scuff = burst(studio, 0.05, 1500, 8000, attack_s=0.01)
    out = unit(sound) + 0.6 * hit
    out[: len(scuff)] += 0.12 * scuff
    return unit(out)


def _gravel_step(studio: Studio, weight: float) -> Signal:
    n = 0.34
    canvas = studio.silence(n)
    for at_s in np.concatenate([studio.rng.beta(1.5, 3.0, 70) * 0.2, 0.12 + studio.rng.beta(1.5, 3.0, 50) * 0.18]):
        low = float(np.exp(studio.rng.uniform(np.log(900), np.log(4500))))
        grain = burst(studio, studio.rng.uniform(0.003, 0.012), low, low * 2.5)
        place(studio, canvas, grain, float(at_s), studio.around(0.3, 0.6))
    thump = modes(studio, n, [(90 / weight, 0.9, 0.1), (160, 0.5, 0.08)])
    return unit(canvas + 0.5 * thump)


STEPS = {"wood": _wood_step, "hard": _hard_step, "gravel": _gravel_step}


def footsteps(
    studio: Studio,
    *,
    floor: str,
    per_minute: float = 105.0,
    weight: float = 1.0,
    count: int = 7,
) -> Signal:
    """Steps of two feet that differ a little, on boards, stone or gravel."""
    gap_s = 60.0 / per_minute
    canvas = studio.silence(count * gap_s + 0.6)
    for number in range(count):
        at_s = 0.12 + number * gap_s + studio.rng.normal(0, 0.012) + 0.015 * (number % 2)
        heel = STEPS[floor](studio, weight)
        place(studio, canvas, heel, at_s, studio.around(0.8, 0.12))
        if floor != "gravel":
            toe = STEPS[floor](studio, weight * 0.8)
            place(studio, canvas, toe, at_s + studio.around(0.09, 0.1), studio.around(0.28, 0.2))
    return canvas
