"""Film and game effects: shots, explosions, whooshes, lasers."""

from __future__ import annotations

import numpy as np
from synthesis import (
    Signal,
    Studio,
    band,
    band_gain,
    burst,
    decay,
    fitted,
    glide,
    level,
    peak_gain,
    place,
    rolloff,
    saturate,
    shape_over_time,
    tone,
    unit,
)


def explosion(
    studio: Studio, *, duration_s: float = 4.0, depth: float = 1.0, debris: int = 40, far: float = 0.0
) -> Signal:
    """A blast: noise that starts bright and sinks, a falling thump, debris, a long rumble."""
    body = studio.noise(duration_s, tilt_db=-2.0)
    top = 9000.0 * (1 - far) + 500.0

    def sink(seconds: Signal, hertz: Signal) -> Signal:
        corner = top * np.exp(-np.maximum(seconds - 0.05, 0) / 0.35) + 220.0
        gain: Signal = 1.0 / (1.0 + (hertz / corner) ** 2) / np.sqrt(1 + (28 / np.maximum(hertz, 1)) ** 4)
        return gain

    blast = level(shape_over_time(studio, body, sink)) * decay(
        studio, duration_s, duration_s * 0.9, attack_s=0.006 + 0.1 * far
    )
    blast = blast * (1 + 0.35 * studio.wander(duration_s, 12))
    n = 0.9
    thump = tone(studio, glide(studio, n, [(0, 130 / depth), (0.15, 52 / depth), (n, 30 / depth)]), [1.0, 0.3]) * decay(
        studio, n, 0.9, attack_s=0.004
    )
    canvas = unit(blast)
    place(studio, canvas, thump, 0.0, 0.8)
    for _ in range(debris):
        at_s = 0.25 + studio.rng.beta(1.1, 2.5) * (duration_s - 1.0)
        low = float(np.exp(studio.rng.uniform(np.log(250), np.log(2500))))
        place(
            studio, canvas, burst(studio, studio.rng.uniform(0.01, 0.06), low, low * 3), at_s, studio.around(0.05, 0.6)
        )
    sound = saturate(canvas, 2.5)
    return np.concatenate([studio.silence(0.05), sound])


def gunshot(
    studio: Studio,
    *,
    times_s: tuple[float, ...] = (0.1,),
    duration_s: float = 2.5,
    heavy: float = 1.0,
    street: float = 0.6,
) -> Signal:
    """A muzzle blast: a shock, a short body of noise, echoes from all around."""
    canvas = studio.silence(duration_s)
    for at_s in times_s:
        n = 0.35
        shock = studio.noise(n, tilt_db=-1.5) * decay(studio, n, 0.16 * heavy, attack_s=0.0002)
        low = tone(studio, glide(studio, n, [(0, 240 / heavy), (0.06, 85 / heavy), (n, 55)]), [1.0, 0.4]) * decay(
            studio, n, 0.2
        )
        snap = fitted(burst(studio, 0.005, 1500, 18000, attack_s=0.0001), len(shock))
        shot = saturate(unit(shock) + 0.6 * low + 0.8 * snap, 3.0)
        place(studio, canvas, shot, at_s, studio.around(0.9, 0.05))
        for _ in range(4):
            echo = band(studio, shot, 100, 2500, 1)
            place(studio, canvas, echo, at_s + studio.rng.uniform(0.08, 0.5), studio.around(0.12 * street, 0.3))
    return canvas


def whoosh(
    studio: Studio,
    *,
    passes: tuple[tuple[float, float], ...] = ((0.1, 0.6),),
    low_hz: float = 300.0,
    high_hz: float = 2400.0,
    duration_s: float = 1.2,
    sharp: float = 2.0,
) -> Signal:
    """Something rushes past: a band of noise whose centre and strength rise and fall."""
    canvas = studio.silence(duration_s)
    for start_s, n in passes:
        noise = studio.noise(n, tilt_db=-2)
        grid = studio.time(n)
        arc = np.sin(np.pi * np.clip(grid / n, 0, 1) ** 1.2) ** sharp

        def gain(seconds: Signal, hertz: Signal, grid: Signal = grid, arc: Signal = arc) -> Signal:
            centre = low_hz * (high_hz / low_hz) ** np.interp(seconds, grid, arc)
            both: Signal = peak_gain(hertz, centre, centre * 0.9) + 0.25 * band_gain(hertz, 200, 2 * high_hz, 1)
            return both

        place(studio, canvas, level(shape_over_time(studio, noise, gain)) * arc, start_s, 0.35)
    return canvas


def laser(
    studio: Studio,
    *,
    times_s: tuple[float, ...] = (0.05,),
    start_hz: float = 3200.0,
    end_hz: float = 220.0,
    shot_s: float = 0.32,
    buzz: float = 0.5,
    bend: float = 0.12,
    duration_s: float = 1.2,
) -> Signal:
    """A beam weapon: a bright tone that falls fast, its sidebands, a short hiss."""
    canvas = studio.silence(duration_s)
    halfway_hz = start_hz * (end_hz / start_hz) ** 0.45
    for at_s in times_s:
        pitch = glide(studio, shot_s, [(0, start_hz), (bend * shot_s, halfway_hz), (shot_s, end_hz)])
        sidebands = 1 + buzz * np.sin(2 * np.pi * np.cumsum(0.51 * pitch) / studio.rate_hz)
        beam = tone(studio, pitch, rolloff(9, -7)) * sidebands * decay(studio, shot_s, 1.3 * shot_s, attack_s=0.002)
        hiss = fitted(burst(studio, min(0.08, shot_s / 2), 2500, 15000), len(beam))
        place(studio, canvas, unit(beam) + 0.25 * hiss, at_s, studio.around(0.85, 0.05))
    return canvas
