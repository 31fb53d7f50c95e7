"""Weather, water and fire: shaped noise, drops and bubbles."""

from __future__ import annotations

import numpy as np
from synthesis import (
    Signal,
    Studio,
    band,
    band_gain,
    burst,
    convolve,
    decay,
    level,
    modes,
    peak_gain,
    place,
    shape_over_time,
    unit,
)


def wind(
    studio: Studio,
    *,
    duration_s: float = 6.0,
    howl: float = 1.0,
    pitch_hz: float = 480.0,
    gusts_hz: float = 0.5,
    narrow: float = 0.1,
    flutter: float = 0.3,
    body_hz: float = 350.0,
    hiss: float = 0.12,
) -> Signal:
    """Pink noise through a low band that flutters and through whistling resonances that follow the gusts."""
    noise = studio.noise(duration_s, tilt_db=-3.0)
    noise = noise * np.exp(flutter * studio.wander(duration_s, 9.0))
    force = 0.5 + 0.5 * np.tanh(studio.wander(duration_s, gusts_hz) + 0.4 * studio.wander(duration_s, 3 * gusts_hz))
    shift = studio.wander(duration_s, gusts_hz)
    grid = studio.time(duration_s)

    def gain(seconds: Signal, hertz: Signal) -> Signal:
        strength = np.interp(seconds, grid, force)
        centre = pitch_hz * (0.75 + 0.6 * strength) * np.exp(0.08 * np.interp(seconds, grid, shift))
        body = band_gain(hertz, 60, body_hz, 2) * (0.3 + strength)
        whistle = peak_gain(hertz, centre, narrow * centre) + 0.5 * peak_gain(hertz, 1.62 * centre, narrow * centre)
        air = hiss * band_gain(hertz, 500, 2500 + 2000 * strength, 1) * strength
        moving: Signal = body + howl * 2.2 * strength**1.5 * whistle + air
        return moving

    return shape_over_time(studio, noise, gain, 4096)


def _drops(studio: Studio, duration_s: float, per_second: float, low_hz: float, high_hz: float, t60_s: float) -> Signal:
    """Many small impacts, each a short ringing at its own pitch, sorted into eight pitches."""
    total = studio.silence(duration_s)
    for hz in np.geomspace(low_hz, high_hz, 8):
        hits = studio.silence(duration_s)
        for at_s in studio.arrivals(duration_s, per_second / 8):
            hits[int(at_s * studio.rate_hz)] += studio.around(1.0, 0.9) * studio.rng.choice([-1.0, 1.0])
        grain = modes(studio, t60_s, [(hz, 1.0, t60_s), (hz * 1.37, 0.6, t60_s)])
        total += convolve(hits, grain)[: len(total)]
    return total


def rain(
    studio: Studio,
    *,
    duration_s: float = 6.0,
    drops_per_s: float = 300.0,
    wash: float = 1.0,
    roof: bool = False,
) -> Signal:
    """A wash of far drops (noise) and near drops one by one; on a roof each drop also hits sheet metal."""
    far = band(studio, studio.noise(duration_s, tilt_db=-1.0), 900, 12000, 1)
    far *= 1.0 + 0.08 * studio.wander(duration_s, 2.0)
    near = _drops(studio, duration_s, drops_per_s, 1800, 9000, 0.008)
    sound: Signal = wash * 0.35 * level(far) + 0.5 * level(near)
    if roof:
        sheet = _drops(studio, duration_s, drops_per_s / 2, 350, 2600, 0.035)
        sound = 0.6 * sound + 0.6 * level(sheet)
    return sound


def thunder(
    studio: Studio, *, duration_s: float = 6.0, crack: float = 1.0, distance: float = 0.3, rolls: int = 5
) -> Signal:
    """A tearing crack and rolling claps of brown noise that darken with distance."""
    canvas = studio.silence(duration_s)
    corner = 3500.0 * (1 - distance) ** 2 + 160.0
    starts = np.concatenate([[0.25], 0.3 + np.sort(studio.rng.uniform(0.0, duration_s * 0.5, rolls))])
    for number, at_s in enumerate(starts):
        length_s = studio.rng.uniform(1.5, 3.0)
        clap = studio.noise(length_s, tilt_db=-5.0) * decay(
            studio, length_s, length_s * 1.3, attack_s=0.02 + 0.5 * distance
        )
        clap = band(studio, clap * (1 + 0.6 * studio.wander(length_s, 14)), 25, corner / (1 + 0.5 * number), 1)
        place(studio, canvas, level(clap), float(at_s), studio.around(1.0 / (1 + 0.18 * number), 0.3))
    if crack:
        tear = studio.silence(0.9)
        for at_s in np.sort(studio.rng.beta(1.0, 2.2, 60)) * 0.8:
            snap = burst(studio, studio.rng.uniform(0.01, 0.05), 200, 6000)
            place(studio, tear, snap, float(at_s), studio.around(0.6 * np.exp(-2.0 * at_s), 0.5))
        place(studio, canvas, tear, 0.2, 2.5 * crack)
    return unit(canvas)


def surf(studio: Studio, *, duration_s: float = 9.0, period_s: float = 4.5, force: float = 1.0) -> Signal:
    """Waves that swell, break brightly and draw back as hiss."""
    noise = studio.noise(duration_s, tilt_db=-3.0)
    starts = np.arange(-period_s * 0.5, duration_s, period_s)
    starts = starts + studio.rng.normal(0, 0.1 * period_s, len(starts))
    strengths = [studio.around(force, 0.2) for _ in starts]

    def gain(seconds: Signal, hertz: Signal) -> Signal:
        total = 0.16 * band_gain(hertz, 80, 1500, 1) + np.zeros_like(seconds)
        for start, strength in zip(starts, strengths, strict=True):
            phase = (seconds - start) / period_s
            swell = np.exp(-(((phase - 0.38) / 0.16) ** 2))
            crash = np.where(phase > 0.4, np.exp(-(phase - 0.4) / 0.18), np.exp((phase - 0.4) / 0.04))
            retreat = np.exp(-(((phase - 0.72) / 0.22) ** 2))
            total = total + strength * (
                0.9 * swell * band_gain(hertz, 50, 500, 1)
                + 0.8 * crash * band_gain(hertz, 120, 5000, 1)
                + 0.5 * retreat * band_gain(hertz, 1500, 9000, 1)
            )
        return total

    return shape_over_time(studio, noise, gain, 2048)


def fire(studio: Studio, *, duration_s: float = 6.0, crackles_per_s: float = 18.0, roar: float = 0.5) -> Signal:
    """A low roar with a flutter, a soft hiss and crackles of very different strength."""
    low = band(studio, studio.noise(duration_s, tilt_db=-5.0), 40, 350, 1)
    low *= 1.0 + 0.35 * studio.wander(duration_s, 7.0)
    hiss = band(studio, studio.noise(duration_s), 2000, 9000, 1) * (1.0 + 0.3 * studio.wander(duration_s, 4.0))
    snaps = studio.silence(duration_s)
    for at_s in studio.arrivals(duration_s, crackles_per_s):
        low_hz = float(np.exp(studio.rng.uniform(np.log(500), np.log(3500))))
        snap = burst(studio, studio.rng.uniform(0.002, 0.014), low_hz, low_hz * 3.5, attack_s=0.0002)
        place(studio, snaps, snap, float(at_s), min(0.06 * (1.0 / studio.rng.uniform(0.02, 1.0)) ** 0.9, 1.4))
    sound: Signal = snaps + 0.05 * roar * level(low) + 0.012 * level(hiss)
    return sound
