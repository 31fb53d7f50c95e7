"""Animals: voices as a harmonic source through moving formants, insects as pulses, birds as whistles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from synthesis import (
    Points,
    Signal,
    Studio,
    band,
    glide,
    level,
    line,
    peak_gain,
    place,
    rolloff,
    shape_over_time,
    tone,
    unit,
)

Formants = Sequence[tuple[Points, float, float]]  # (centre Hz over time, width Hz, gain)


def voice(
    studio: Studio,
    duration_s: float,
    pitch: Points,
    formants: Formants,
    *,
    breath: float = 0.1,
    rough: float = 0.02,
    tilt_db: float = -9.0,
) -> Signal:
    """A larynx and a mouth.

    Args:
        studio: Where it is made.
        duration_s: Length in seconds.
        pitch: Fundamental, (seconds, Hz) points.
        formants: Resonances that may move.
        breath: Level of noise in the source.
        rough: Deviation of the pitch from moment to moment.
        tilt_db: Fall of the source's harmonics per octave.
    """
    pitch_hz = glide(studio, duration_s, pitch)
    pitch_hz = pitch_hz * np.exp(rough * studio.wander(duration_s, 60.0) + 0.01 * studio.wander(duration_s, 8.0))
    source = level(tone(studio, pitch_hz, rolloff(60, tilt_db)))
    source = source * (1.0 + 4 * rough * studio.wander(duration_s, 80.0))
    source = source + breath * studio.noise(duration_s, tilt_db=-2.0)
    tracks = [(glide(studio, duration_s, centre), width, amount) for centre, width, amount in formants]
    grid = studio.time(duration_s)

    def gain(seconds: Signal, hertz: Signal) -> Signal:
        total = 0.02 + np.zeros_like(seconds)
        for centre, width, amount in tracks:
            total = total + amount * peak_gain(hertz, np.interp(seconds, grid, centre), width)
        return total

    return shape_over_time(studio, source, gain, 1024)


def dog(
    studio: Studio, *, times_s: tuple[float, ...], pitch_hz: float = 420.0, size: float = 1.0, duration_s: float = 2.5
) -> Signal:
    """Barks: a pitch that leaps and falls, a mouth that snaps open and shut, much roughness."""
    canvas = studio.silence(duration_s)
    for at_s in times_s:
        length_s = studio.around(0.17 * size, 0.1)
        top = studio.around(pitch_hz, 0.06)
        pitch = [(0, top * 0.65), (length_s * 0.25, top), (length_s * 0.6, top * 0.85), (length_s, top * 0.5)]
        formants = [
            ([(0, 500 / size), (length_s * 0.3, 1050 / size), (length_s, 600 / size)], 260, 1.0),
            ([(0, 1300 / size), (length_s * 0.3, 1800 / size), (length_s, 1300 / size)], 350, 0.55),
            ([(0, 2800), (length_s, 2700)], 600, 0.25),
        ]
        bark = voice(studio, length_s, pitch, formants, breath=0.45, rough=0.06, tilt_db=-4.0)
        shape = line(studio, length_s, [(0, 0), (0.012, 0.9), (length_s * 0.4, 1.0), (length_s, 0.0)]) ** 1.5
        place(studio, canvas, unit(bark * shape), at_s, studio.around(0.9, 0.1))
    return canvas


def cat(
    studio: Studio,
    *,
    times_s: tuple[float, ...],
    lengths_s: tuple[float, ...],
    pitch_hz: float = 620.0,
    duration_s: float = 3.0,
) -> Signal:
    """Meows: a nasal start, a mouth that opens to a and closes to o."""
    canvas = studio.silence(duration_s)
    for at_s, length_s in zip(times_s, lengths_s, strict=True):
        top = studio.around(pitch_hz, 0.04)
        pitch = [
            (0, top * 0.78),
            (length_s * 0.25, top * 1.0),
            (length_s * 0.55, top * 1.06),
            (length_s, top * 0.68),
        ]
        formants = [
            ([(0, 650), (length_s * 0.35, 1250), (length_s * 0.6, 1350), (length_s, 750)], 280, 1.0),
            ([(0, 2500), (length_s * 0.3, 2700), (length_s * 0.6, 2000), (length_s, 1300)], 380, 0.7),
            ([(0, 3900), (length_s, 3600)], 700, 0.35),
        ]
        meow = voice(studio, length_s, pitch, formants, breath=0.05, rough=0.006, tilt_db=-5.0)
        edge = line(
            studio, length_s, [(0, 0), (0.08, 0.35), (length_s * 0.4, 1.0), (length_s * 0.7, 0.8), (length_s, 0)]
        )
        place(studio, canvas, unit(meow) * edge, at_s, studio.around(0.9, 0.08))
    return canvas


def frog(
    studio: Studio,
    *,
    times_s: tuple[float, ...],
    pulses_hz: float = 55.0,
    formant_hz: float = 900.0,
    length_s: float = 0.35,
    duration_s: float = 3.0,
) -> Signal:
    """Croaks: pulses of a vocal sac, one resonance that rises."""
    canvas = studio.silence(duration_s)
    for at_s in times_s:
        n = studio.around(length_s, 0.08)
        rate = studio.around(pulses_hz, 0.05)
        f = studio.around(formant_hz, 0.05)
        pitch = [(0, rate * 0.8), (n * 0.6, rate * 1.1), (n, rate)]
        formants = [
            ([(0, f * 0.75), (n * 0.7, f * 1.15), (n, f)], 180, 1.0),
            ([(0, f * 2.0), (n * 0.7, f * 2.5), (n, f * 2.3)], 300, 0.6),
        ]
        sound = voice(studio, n, pitch, formants, breath=0.15, rough=0.05, tilt_db=0.0)
        edge = line(studio, n, [(0, 0), (n * 0.15, 0.5), (n * 0.8, 1.0), (n, 0)])
        place(studio, canvas, unit(sound * edge), at_s, studio.around(0.85, 0.12))
    return canvas


def owl(
    studio: Studio, *, pattern: tuple[tuple[float, float], ...], pitch_hz: float = 380.0, duration_s: float = 4.5
) -> Signal:
    """Hoots: an almost pure tone that swells, far away among trees."""
    canvas = studio.silence(duration_s)
    for at_s, n in pattern:
        top = studio.around(pitch_hz, 0.01)
        pitch_curve = glide(studio, n, [(0, top * 0.93), (n * 0.25, top), (n * 0.7, top), (n, top * 0.9)])
        pitch_curve = pitch_curve * (1 + 0.006 * studio.wander(n, 12))
        sound = tone(studio, pitch_curve, [1.0, 0.16, 0.06, 0.02])
        sound = sound + 0.03 * level(band(studio, studio.noise(n), pitch_hz * 0.8, pitch_hz * 1.6))
        edge = np.sin(np.pi * np.clip(studio.time(n) / n, 0, 1)) ** 0.7
        place(studio, canvas, sound * edge, at_s, studio.around(0.9, 0.08))
    return canvas


def crickets(
    studio: Studio,
    *,
    singers: int = 3,
    carrier_hz: float = 4600.0,
    chirps_hz: float = 2.2,
    pulses: int = 3,
    duration_s: float = 5.0,
) -> Signal:
    """Wing strokes: trains of short pulses at a few kilohertz, each singer with its own rhythm."""
    canvas = studio.silence(duration_s)
    for singer in range(singers):
        hz = studio.around(carrier_hz, 0.03)
        period_s = 1.0 / studio.around(chirps_hz, 0.06)
        at_s = studio.rng.uniform(0, period_s)
        distance = 1.0 / (1.0 + 0.7 * singer)
        while at_s < duration_s:
            for number in range(pulses):
                n = 0.017
                curve = glide(studio, n, [(0, hz * 1.015), (n, hz * 0.985)])
                pulse = tone(studio, curve, [1.0, 0.05, 0.02]) * np.hanning(studio.length(n)) ** 0.7
                place(studio, canvas, pulse, at_s + number * 0.031, distance * (0.6 + 0.2 * min(number, 2)))
            at_s += period_s * studio.around(1.0, 0.02)
    return canvas


def _whistle(studio: Studio, points: Points, *, trill_hz: float = 0.0, trill: float = 0.0) -> Signal:
    """One syllable of a bird: a gliding sine with a soft envelope."""
    length_s = points[-1][0]
    pitch = glide(studio, length_s, points)
    if trill_hz:
        pitch = pitch * (1.0 + trill * np.sin(2 * np.pi * trill_hz * studio.time(length_s)))
    edge = np.sin(np.pi * np.linspace(0, 1, len(pitch))) ** 0.6
    syllable: Signal = tone(studio, pitch, [1.0, 0.06, 0.02]) * edge
    return syllable


def _sparrow(studio: Studio, hz: float) -> list[tuple[float, Signal]]:
    top = studio.around(hz, 0.06)
    return [(0.0, _whistle(studio, [(0, top * 1.3), (0.03, top * 0.85), (0.09, top * 1.05)]))]


def _warbler(studio: Studio, hz: float) -> list[tuple[float, Signal]]:
    syllables, at_s = [], 0.0
    for _ in range(studio.rng.integers(5, 9)):
        n = studio.rng.uniform(0.05, 0.14)
        a, b, c = hz * np.exp(studio.rng.uniform(-0.35, 0.35, 3))
        syllables.append((at_s, _whistle(studio, [(0, a), (n / 2, b), (n, c)], trill_hz=45, trill=0.02)))
        at_s += n + studio.rng.uniform(0.01, 0.06)
    return syllables


def _canary(studio: Studio, hz: float) -> list[tuple[float, Signal]]:
    top = studio.around(hz, 0.1)
    count = int(studio.rng.integers(10, 16))
    return [(k * 0.062, _whistle(studio, [(0, top * 1.25), (0.045, top * 0.8)])) for k in range(count)]


SONGS = {"sparrow": _sparrow, "warbler": _warbler, "canary": _canary}


def bird(
    studio: Studio, *, song: str, times_s: tuple[float, ...], pitch_hz: float = 4000.0, duration_s: float = 4.0
) -> Signal:
    """Bird song of three kinds: chirps, a warble, fast trills; in the open."""
    canvas = studio.silence(duration_s)
    for at_s in times_s:
        for offset_s, syllable in SONGS[song](studio, pitch_hz):
            place(studio, canvas, syllable, at_s + offset_s, studio.around(0.8, 0.15))
    return canvas
