"""The tools that every recipe uses: noise, tones, modes, filters, envelopes, rooms.

Everything works on mono float64 arrays of shape (n,) at the studio's sample rate and draws its chance from
the studio's generator, so that the same seed gives the same sound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]
Points = Sequence[tuple[float, float]]

FRAME_SAMPLES = 1024
TAIL_LEVEL = np.log(1000.0)  # T60: a fall by 60 dB


@dataclass(frozen=True, slots=True)
class Studio:
    """A sample rate and a source of chance."""

    rate_hz: int
    rng: np.random.Generator

    def length(self, duration_s: float) -> int:
        """Samples in a duration."""
        return max(1, round(duration_s * self.rate_hz))

    def time(self, duration_s: float) -> Signal:
        """Seconds at each sample."""
        return np.arange(self.length(duration_s)) / self.rate_hz

    def silence(self, duration_s: float) -> Signal:
        """An empty canvas."""
        return np.zeros(self.length(duration_s))

    def noise(self, duration_s: float, *, tilt_db: float = 0.0) -> Signal:
        """Gaussian noise of unit power whose spectrum tilts by `tilt_db` per octave (-3 pink, -6 brown)."""
        white = self.rng.standard_normal(self.length(duration_s))
        if tilt_db == 0.0:
            return white
        slope = tilt_db / 6.0206
        tilted = shape(self, white, lambda hz: (np.maximum(hz, 20.0) / 1000.0) ** slope)
        return tilted / np.sqrt(np.mean(tilted**2))

    def wander(self, duration_s: float, changes_hz: float) -> Signal:
        """A smooth random curve of about unit deviation that turns `changes_hz` times a second."""
        count = max(4, int(np.ceil(duration_s * changes_hz)) + 4)
        values = self.rng.standard_normal(count)
        position = self.time(duration_s) * changes_hz + 1.0
        index = np.minimum(position.astype(int), count - 3)
        x = position - index
        before, here, there, after = (values[index + k] for k in (-1, 0, 1, 2))
        slope_here, slope_there = (there - before) / 2, (after - here) / 2
        curve: Signal = (
            (2 * x**3 - 3 * x**2 + 1) * here
            + (x**3 - 2 * x**2 + x) * slope_here
            + (3 * x**2 - 2 * x**3) * there
            + (x**3 - x**2) * slope_there
        )
        return curve

    def arrivals(self, duration_s: float, per_second: float) -> Signal:
        """Times of a Poisson process, in seconds, in order."""
        count = self.rng.poisson(duration_s * per_second)
        return np.sort(self.rng.uniform(0.0, duration_s, count))

    def around(self, value: float, spread: float) -> float:
        """`value` times a log-normal factor of deviation `spread`."""
        return float(value * np.exp(spread * self.rng.standard_normal()))


def line(studio: Studio, duration_s: float, points: Points) -> Signal:
    """Straight segments through (seconds, value) points."""
    times, values = zip(*points, strict=True)
    return np.interp(studio.time(duration_s), times, values)


def glide(studio: Studio, duration_s: float, points: Points) -> Signal:
    """Segments through (seconds, value) points that are straight in the logarithm: for pitch."""
    return np.exp(line(studio, duration_s, [(at, float(np.log(value))) for at, value in points]))


def decay(studio: Studio, duration_s: float, t60_s: float, *, attack_s: float = 0.001) -> Signal:
    """A rise over `attack_s`, then a fall by 60 dB in `t60_s`."""
    t = studio.time(duration_s)
    rise = np.clip(t / max(attack_s, 1e-5), 0.0, 1.0)
    fall: Signal = rise * np.exp(-TAIL_LEVEL * np.maximum(t - attack_s, 0.0) / t60_s)
    return fall


def shape(studio: Studio, sound: Signal, gain: Callable[[Signal], Signal]) -> Signal:
    """Filter with the zero-phase response `gain(frequencies in Hz)`."""
    padded = len(sound) + 2048
    size = 1 << (padded - 1).bit_length()
    spectrum = np.fft.rfft(sound, size)
    spectrum *= gain(np.fft.rfftfreq(size, 1.0 / studio.rate_hz))
    return np.fft.irfft(spectrum, size)[: len(sound)]


def band_gain(hz: Signal, low_hz: float, high_hz: float, order: int = 2) -> Signal:
    """Butterworth magnitude of a band from `low_hz` to `high_hz`, each slope of `order` poles."""
    safe = np.maximum(hz, 1e-3)
    low = 1.0 / np.sqrt(1.0 + (low_hz / safe) ** (2 * order)) if low_hz > 0 else np.ones_like(safe)
    gain: Signal = low / np.sqrt(1.0 + (safe / high_hz) ** (2 * order))
    return gain


def peak_gain(hz: Signal, centre_hz: float | Signal, width_hz: float | Signal) -> Signal:
    """Magnitude of one resonance, 1 at its centre."""
    gain: Signal = 1.0 / np.sqrt(1.0 + ((hz - centre_hz) / (np.asarray(width_hz) / 2)) ** 2)
    return gain


def band(studio: Studio, sound: Signal, low_hz: float, high_hz: float, order: int = 2) -> Signal:
    """Keep what lies between two frequencies."""
    return shape(studio, sound, lambda hz: band_gain(hz, low_hz, high_hz, order))


def shape_over_time(
    studio: Studio, sound: Signal, gain: Callable[[Signal, Signal], Signal], frame: int = FRAME_SAMPLES
) -> Signal:
    """Filter with a response that moves: `gain(seconds (t, 1), hertz (1, f)) -> (t, f)`."""
    hop = frame // 4
    window = np.sin(np.pi * (np.arange(frame) + 0.5) / frame)
    padded = np.concatenate([np.zeros(frame), sound, np.zeros(2 * frame)])
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop] * window
    seconds = (np.arange(len(frames)) * hop - frame / 2) / studio.rate_hz
    hertz = np.fft.rfftfreq(frame, 1.0 / studio.rate_hz)
    spectra = np.fft.rfft(frames, axis=1) * gain(seconds[:, None], hertz[None, :])
    pieces = np.fft.irfft(spectra, frame, axis=1) * window / 2.0
    out = np.zeros(len(padded))
    for number, piece in enumerate(pieces):
        out[number * hop : number * hop + frame] += piece
    return out[frame : frame + len(sound)]


def tone(
    studio: Studio,
    pitch_hz: Signal,
    partials: Sequence[float] = (1.0,),
    *,
    stretch: float = 0.0,
    random_phase: bool = False,
) -> Signal:
    """A sum of harmonics of a moving pitch; partials above 95 % of the Nyquist rate stay out.

    Args:
        studio: Where it is made.
        pitch_hz: Fundamental at each sample, (n,).
        partials: Amplitude of each harmonic from the first.
        stretch: Inharmonicity b: partial k lies at k * sqrt(1 + b * k * k).
        random_phase: Whether harmonics start anywhere rather than together.
    """
    cycles = np.cumsum(pitch_hz) / studio.rate_hz
    total = np.zeros(len(pitch_hz))
    for number, amplitude in enumerate(partials, start=1):
        ratio = number * np.sqrt(1.0 + stretch * number * number)
        audible = pitch_hz * ratio < 0.475 * studio.rate_hz
        if amplitude == 0.0 or not audible.any():
            continue
        start = studio.rng.uniform() if random_phase else 0.0
        total += amplitude * audible * np.sin(2 * np.pi * (cycles * ratio + start))
    return total


def rolloff(count: int, db_per_octave: float) -> list[float]:
    """Amplitudes of `count` harmonics that fall evenly."""
    return [float(k ** (db_per_octave / 6.0206)) for k in range(1, count + 1)]


def modes(
    studio: Studio,
    duration_s: float,
    partials: Sequence[tuple[float, float, float]],
    *,
    spread: float = 0.0,
) -> Signal:
    """Modal synthesis: a struck body as (frequency Hz, amplitude, T60 s) of its modes.

    Args:
        studio: Where it is made.
        duration_s: Length in seconds.
        partials: The modes.
        spread: Log-normal deviation by which each strike differs in level from mode to mode.
    """
    t = studio.time(duration_s)
    total = np.zeros(len(t))
    for hz, amplitude, t60_s in partials:
        if hz >= 0.475 * studio.rate_hz:
            continue
        level = studio.around(amplitude, spread)
        phase = studio.rng.uniform(0, 2 * np.pi) if spread else 0.0
        total += level * np.exp(-TAIL_LEVEL * t / t60_s) * np.sin(2 * np.pi * hz * t + phase)
    return total * np.clip(t / 0.0004, 0.0, 1.0)


def dense_body(
    studio: Studio,
    low_hz: float,
    high_hz: float,
    *,
    count: int = 40,
    t60_s: float = 0.15,
    tilt: float = -0.6,
) -> list[tuple[float, float, float]]:
    """The many modes of a board or a box: amplitudes and decays fall with frequency.

    Args:
        studio: Where it is made.
        low_hz: Lowest mode.
        high_hz: Highest mode.
        count: Number of modes.
        t60_s: T60 of the lowest mode.
        tilt: Exponent of the amplitudes over frequency.
    """
    hz = low_hz * (high_hz / low_hz) ** np.sort(np.concatenate([[0.0], studio.rng.uniform(0, 1, count - 1)]))
    ratio = hz / low_hz
    levels = ratio**tilt * studio.rng.uniform(0.4, 1.0, count)
    return [(float(f), float(a), float(t60_s * r**-0.5)) for f, a, r in zip(hz, levels, ratio, strict=True)]


def convolve(sound: Signal, response: Signal) -> Signal:
    """Full linear convolution through the frequency domain."""
    length = len(sound) + len(response) - 1
    size = 1 << (length - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(response, size), size)[:length]


def resonate(studio: Studio, sound: Signal, partials: Sequence[tuple[float, float, float]]) -> Signal:
    """Send a sound through a body given by its modes; keeps the sound's length."""
    longest_s = max(t60_s for _, _, t60_s in partials)
    body = modes(studio, longest_s, partials)
    return convolve(sound, body)[: len(sound)]


def burst(studio: Studio, duration_s: float, low_hz: float, high_hz: float, *, attack_s: float = 0.0005) -> Signal:
    """A click of filtered noise that dies within `duration_s`, unit peak."""
    total_s = duration_s + attack_s
    sound = band(studio, studio.noise(total_s + 0.02), low_hz, high_hz)[: studio.length(total_s)]
    sound = sound * decay(studio, total_s, total_s, attack_s=attack_s)
    return sound / max(float(np.max(np.abs(sound))), 1e-9)


def place(studio: Studio, canvas: Signal, sound: Signal, at_s: float, gain: float = 1.0) -> None:
    """Add a sound to a canvas; what reaches beyond its end is cut."""
    start = round(at_s * studio.rate_hz)
    if start < 0 or start >= len(canvas):
        return
    piece = sound[: len(canvas) - start]
    canvas[start : start + len(piece)] += gain * piece


def fitted(sound: Signal, length: int) -> Signal:
    """Cut, or followed by silence, to `length` samples."""
    return np.pad(sound, (0, max(0, length - len(sound))))[:length]


def unit(sound: Signal) -> Signal:
    """Scaled to a peak of 1."""
    return sound / max(float(np.max(np.abs(sound))), 1e-12)


def level(sound: Signal) -> Signal:
    """Scaled to a root mean square of 1."""
    return sound / max(float(np.sqrt(np.mean(sound**2))), 1e-12)


def saturate(sound: Signal, drive: float) -> Signal:
    """Soft clipping of a sound of unit peak."""
    clipped: Signal = np.tanh(drive * unit(sound)) / np.tanh(drive)
    return clipped


def room_response(studio: Studio, t60_s: float, *, bright_hz: float = 5000.0, delay_s: float = 0.004) -> Signal:
    """An impulse response without the direct sound: early reflections and a tail that darkens."""
    tail = studio.noise(t60_s * 1.1) * decay(studio, t60_s * 1.1, t60_s, attack_s=0.012)
    dark_hz = max(400.0, bright_hz / 5)

    def darken(seconds: Signal, hertz: Signal) -> Signal:
        mix = np.clip(seconds / t60_s, 0.0, 1.0)
        corner = bright_hz ** (1 - mix) * dark_hz**mix
        gain: Signal = 1.0 / np.sqrt(1.0 + (hertz / corner) ** 4) / np.sqrt(1.0 + (90.0 / np.maximum(hertz, 1)) ** 4)
        return gain

    tail = shape_over_time(studio, tail, darken)
    response = np.concatenate([np.zeros(studio.length(delay_s)), tail / np.sqrt(np.sum(tail**2))])
    for _ in range(6):
        at = studio.length(delay_s + studio.rng.uniform(0.0, 0.03))
        if at < len(response):
            response[at] += studio.rng.uniform(-0.25, 0.35)
    return response


def room(
    studio: Studio, sound: Signal, t60_s: float, wet: float, *, bright_hz: float = 5000.0, tail: bool = True
) -> Signal:
    """Put a sound into a synthetic room; with `tail` the result is longer by the reverberation."""
    reverberant = convolve(sound, room_response(studio, t60_s, bright_hz=bright_hz))
    if not tail:
        reverberant = reverberant[: len(sound)]
    out = wet * reverberant
    out[: len(sound)] += sound[: len(out)]
    return out


def with_floor(studio: Studio, sound: Signal, below_peak_db: float = 55.0, *, tilt_db: float = -4.0) -> Signal:
    """Add the quiet noise of a real place under a sound."""
    floor = studio.noise(len(sound) / studio.rate_hz, tilt_db=tilt_db)[: len(sound)]
    scale: float = float(np.max(np.abs(sound))) * 10 ** (-below_peak_db / 20)
    out: Signal = sound + scale * floor
    return out


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a sound is heard: a room, its own quiet noise, the width of the recording.

    Attributes:
        reverb_s: T60 of the room; 0 for none.
        wet: Level of the reverberation beside the direct sound.
        bright_hz: Where the fresh reverberation begins to fall.
        floor_db: Level of the place's noise below the sound's peak.
        floor_tilt_db: Its spectral slope per octave.
        top_hz: Upper limit of the recording.
    """

    reverb_s: float = 0.4
    wet: float = 0.1
    bright_hz: float = 5000.0
    floor_db: float = 50.0
    floor_tilt_db: float = -4.0
    top_hz: float = 18000.0

    def hear(self, studio: Studio, sound: Signal) -> Signal:
        """The sound as recorded there, mono, of the same length."""
        if self.reverb_s > 0 and self.wet > 0:
            sound = room(studio, sound, self.reverb_s, self.wet, bright_hz=self.bright_hz, tail=False)
        sound = with_floor(studio, sound, self.floor_db, tilt_db=self.floor_tilt_db)
        return band(studio, sound, 0.0, self.top_hz, 3)
