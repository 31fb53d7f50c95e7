"""Instruments: bells, bars, strings, drums, pipes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from synthesis import (
    Signal,
    Studio,
    band,
    burst,
    decay,
    fitted,
    glide,
    level,
    line,
    modes,
    place,
    tone,
    unit,
)

Notes = Sequence[tuple[float, float]]  # (seconds, MIDI note)


def pitch_of(note: float) -> float:
    """Hertz of a MIDI note (69 is 440 Hz)."""
    return float(440.0 * 2 ** ((note - 69) / 12))


def piano(studio: Studio, *, notes: Notes, duration_s: float = 4.0, soft: float = 0.5) -> Signal:
    """Struck strings: stretched partials in detuned pairs, the hammer's knock, a soundboard."""
    canvas = studio.silence(duration_s)
    for at_s, note in notes:
        hz = pitch_of(note)
        t60_s = 9.0 * (110 / hz) ** 0.45
        length_s = min(t60_s, duration_s - at_s)
        partials = []
        for k in range(1, 28):
            f = hz * k * np.sqrt(1 + 0.0004 * (hz / 262) ** 1.2 * k * k)
            a = np.exp(-k * (0.16 + 0.22 * soft) * (hz / 262) ** 0.4) * (0.25 + abs(np.sin(np.pi * k / 8)))
            for detune, part in ((-0.35, 0.55), (0.35, 0.45)):
                partials += [
                    (f + detune, a * part, t60_s / (1 + 0.22 * k)),
                    (f + detune, a * part * 0.8, t60_s * 0.25 / (1 + 0.2 * k)),
                ]
        string = unit(modes(studio, length_s, partials, spread=0.08))
        release = line(studio, length_s, [(0, 1), (max(0.05, length_s - 0.08), 1), (length_s, 0.0)])
        place(studio, canvas, string * release, at_s, studio.around(0.5, 0.1))
        knock = band(studio, studio.noise(0.06), 60, 900) * decay(studio, 0.06, 0.06)
        place(studio, canvas, unit(knock), at_s, 0.05)
    return canvas


def flute(studio: Studio, *, notes: Sequence[tuple[float, float, float]], duration_s: float = 4.0) -> Signal:
    """A flute: (start s, length s, note), breath around each harmonic, late vibrato."""
    canvas = studio.silence(duration_s)
    for at_s, n, note in notes:
        t = studio.time(n)
        vibrato = np.clip((t - 0.25) / 0.3, 0, 1) * np.sin(2 * np.pi * 5.2 * t)
        pitch = pitch_of(note) * (1 + 0.006 * vibrato + 0.002 * studio.wander(n, 8))
        sound = tone(studio, pitch, [1.0, 0.45, 0.22, 0.08, 0.04]) * (1 + 0.12 * vibrato)
        hz = pitch_of(note)
        breath = level(band(studio, studio.noise(n), hz * 0.8, hz * 5, 1))
        edge = line(studio, n, [(0, 0), (0.06, 1.0), (n - 0.08, 0.85), (n, 0)])
        place(studio, canvas, (sound + 0.06 * breath) * edge, at_s, 0.5)
        place(studio, canvas, burst(studio, 0.05, 1500, 6000, attack_s=0.01), at_s, 0.03)
    return canvas


def kick(studio: Studio) -> Signal:
    """A bass drum."""
    n = 0.35
    skin = tone(studio, glide(studio, n, [(0, 160), (0.03, 75), (n, 48)]), [1.0, 0.15]) * decay(studio, n, 0.35)
    return skin + 0.25 * fitted(burst(studio, 0.008, 800, 6000), len(skin))


def snare(studio: Studio) -> Signal:
    """A snare drum: two modes of the skin and the wires' noise."""
    n = 0.25
    skin = modes(studio, n, [(185, 1.0, 0.14), (330, 0.7, 0.1), (480, 0.3, 0.07)])
    wires = band(studio, studio.noise(n), 1200, 11000, 1) * decay(studio, n, 0.22)
    return unit(0.6 * unit(skin) + 0.8 * unit(wires))


def hat(studio: Studio, t60_s: float = 0.07) -> Signal:
    """A hi-hat."""
    n = max(0.1, t60_s)
    plate = modes(studio, n, [(hz, 1.0, t60_s) for hz in studio.rng.uniform(5500, 15000, 30)], spread=0.5)
    return unit(unit(plate) + 0.6 * unit(band(studio, studio.noise(n), 6000, 16000) * decay(studio, n, t60_s)))


def drum_kit(studio: Studio, *, per_minute: float = 100.0, bars_count: int = 2, pattern: str = "rock") -> Signal:
    """A beat of kick, snare and hi-hat."""
    step_s = 60.0 / per_minute / 4
    grooves = {
        "rock": ("x.......x.x.....", "....x.......x...", "x.x.x.x.x.x.x.x."),
        "fast": ("x..x..x.x..x..x.", "....x.......x..x", "xxxxxxxxxxxxxxxx"),
        "slow": ("x.........x.....", "........x.......", "x...x...x...x..."),
    }
    canvas = studio.silence(16 * bars_count * step_s + 0.5)
    for make, row, gain in zip((kick, snare, hat), grooves[pattern], (1.0, 0.7, 0.22), strict=True):
        for step in range(16 * bars_count):
            if row[step % 16] == "x":
                place(
                    studio,
                    canvas,
                    make(studio),
                    0.05 + step * step_s + studio.rng.normal(0, 0.003),
                    studio.around(gain, 0.08),
                )
    return canvas


BELL = (
    (0.5, 0.8, 1.0),
    (1.0, 1.0, 0.8),
    (1.19, 0.8, 0.62),
    (1.5, 0.45, 0.5),
    (2.0, 1.0, 0.45),
    (2.51, 0.35, 0.3),
    (2.66, 0.35, 0.26),
    (3.01, 0.4, 0.22),
    (4.17, 0.3, 0.14),
    (5.4, 0.22, 0.1),
    (6.8, 0.15, 0.07),
)


def church_bell(
    studio: Studio,
    *,
    strike_times_s: tuple[float, ...],
    hz: float = 330.0,
    ring_s: float = 6.0,
    duration_s: float = 7.0,
    bright: float = 1.0,
    beat_hz: float = 0.8,
    clapper: float = 0.2,
) -> Signal:
    """A cast bell: hum, prime, minor third, fifth, nominal and above, each a beating pair."""
    canvas = studio.silence(duration_s)
    for at_s in strike_times_s:
        partials = []
        for ratio, amplitude, length in BELL:
            loud = amplitude * ratio ** (bright - 1.0)
            partials += [(hz * ratio, loud, ring_s * length), (hz * ratio + beat_hz, loud * 0.6, ring_s * length)]
        ring = unit(modes(studio, min(ring_s, duration_s), partials, spread=0.12))
        place(studio, canvas, ring, at_s, studio.around(0.85, 0.06))
        place(studio, canvas, burst(studio, 0.02, 700, 6000), at_s, clapper)
    return canvas
