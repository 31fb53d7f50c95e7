"""Peak level and integrated loudness of a sound, measured block by block.

Loudness follows ITU-R BS.1770-4: every channel passes the K-weighting filter (a high shelf and a high-pass), its mean
square is taken over blocks of 400 ms that start every 100 ms, the channels' mean squares are added, and the blocks
that survive an absolute gate of -70 LUFS and a relative gate 10 LU below their mean are averaged.

The filter is a recursion of fourth order, which NumPy cannot run sample by sample at any useful speed. It is computed
exactly in blocks instead: with the state-space form ``s' = A s + B x, y = C s + D x``, the outputs of L samples are one
matrix product of those samples and of the state at their beginning, and the states at all block beginnings follow from
a doubling scan, because ``A**n`` vanishes quickly.

What departs from the standard, for want of knowledge or of length: every channel weighs 1, since a library's files
seldom say which channel is a surround or an LFE; a sound shorter than 400 ms is measured as one block of its own
length.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from core.types import FloatArray

Float64Array = npt.NDArray[np.float64]

ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
LOUDNESS_OFFSET_DB = -0.691
SILENCE_DB = -200.0

_STEP_S = 0.1
_STEPS_PER_BLOCK = 4
# Steps, and values of all channels, that are filtered at once: small enough to stay in the processor's cache.
_CHUNK_STEPS = 32
_CHUNK_VALUES = 1 << 19
# Multiply-adds of one matrix product. BLAS libraries spread larger ones over threads, and a library is indexed by as
# many workers as there are cores already: measured on two busy cores, spreading made the meter ten times slower.
_PRODUCT_SIZE = 1 << 18
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True)
class Level:
    """How loud a sound is.

    Attributes:
        peak_db: Largest sample in dB relative to full scale (0 dB is 1.0), SILENCE_DB for digital silence.
        loudness_lufs: Integrated loudness in LUFS, None when nothing rises above the absolute gate.
    """

    peak_db: float
    loudness_lufs: float | None


@dataclass(frozen=True, slots=True)
class _BlockFilter:
    """The K-weighting filter, unrolled over blocks of ``block`` samples.

    Attributes:
        block: Samples of one block, L.
        rows: Blocks that go into one matrix product.
        step: Samples of one 100 ms step, a multiple of rows * L.
        advance: (L, 4), what the samples of a block add to the state at its end.
        output: (L + 4, L), maps samples and state at the beginning to the filtered samples.
        powers: ``A**(L * 2**k)`` transposed, for k = 0, 1, ... until they are negligible.
    """

    block: int
    rows: int
    step: int
    advance: FloatArray
    output: FloatArray
    powers: tuple[FloatArray, ...]


def k_weighting(sample_rate_hz: int) -> tuple[tuple[Float64Array, Float64Array], ...]:
    """The two biquads of K-weighting at any sample rate.

    BS.1770-4 tabulates coefficients at 48 kHz only; these come from the bilinear transform of the analogue prototypes
    given by De Man, "Evaluation of implementations of the EBU R128 loudness measurement" (2018), and equal the table
    at 48 kHz.

    Returns:
        Numerator and denominator, three coefficients each, of the shelf and of the high-pass.
    """
    gain = 10 ** (3.999843853973347 / 20)
    quality = 0.7071752369554196
    k = math.tan(math.pi * min(1681.974450955533, 0.45 * sample_rate_hz) / sample_rate_hz)
    middle = gain**0.4996667741545416
    a0 = 1 + k / quality + k * k
    shelf = (
        np.array([gain + middle * k / quality + k * k, 2 * (k * k - gain), gain - middle * k / quality + k * k]) / a0,
        np.array([a0, 2 * (k * k - 1), 1 - k / quality + k * k]) / a0,
    )
    quality = 0.5003270373238773
    k = math.tan(math.pi * 38.13547087602444 / sample_rate_hz)
    a0 = 1 + k / quality + k * k
    high_pass = (
        np.array([1.0, -2.0, 1.0]),
        np.array([a0, 2 * (k * k - 1), 1 - k / quality + k * k]) / a0,
    )
    return shelf, high_pass


def _state_space(sample_rate_hz: int) -> tuple[Float64Array, Float64Array, Float64Array, float]:
    """A (4, 4), B (4,), C (4,), D of the two biquads in series, each in transposed direct form II."""
    (b, a), (d, c) = k_weighting(sample_rate_hz)
    a1 = np.array([[-a[1], 1.0], [-a[2], 0.0]])
    b1 = np.array([b[1] - a[1] * b[0], b[2] - a[2] * b[0]])
    a2 = np.array([[-c[1], 1.0], [-c[2], 0.0]])
    b2 = np.array([d[1] - c[1] * d[0], d[2] - c[2] * d[0]])
    first_output = np.array([1.0, 0.0])
    matrix = np.zeros((4, 4))
    matrix[:2, :2] = a1
    matrix[2:, 2:] = a2
    matrix[2:, :2] = np.outer(b2, first_output)
    entry = np.concatenate([b1, b2 * b[0]])
    readout = np.concatenate([first_output * d[0], first_output])
    return (*_balanced(matrix, entry, readout), float(b[0] * d[0]))


def _balanced(
    matrix: Float64Array, entry: Float64Array, readout: Float64Array
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """The same system in balanced coordinates (Moore 1981).

    The high-pass has its poles so close to 1 that powers of A grow to hundreds in the direct form and lose what single
    precision has; in balanced coordinates they never exceed 1.
    """
    reached, seen = _gramian(matrix, entry), _gramian(matrix.T, readout)
    root = np.linalg.cholesky(reached)
    rotation, squares, _ = np.linalg.svd(root.T @ seen @ root)
    change = root @ rotation * squares**-0.25
    back = np.linalg.inv(change)
    return back @ matrix @ change, back @ entry, readout @ change


def _gramian(matrix: Float64Array, entry: Float64Array) -> Float64Array:
    """Sum of ``A^k B B' A'^k`` over all k, by doubling."""
    total, power = np.outer(entry, entry), matrix
    while np.abs(power).max() > _NEGLIGIBLE:
        total = total + power @ total @ power.T
        power = power @ power
    return total


def _plan(sample_rate_hz: int) -> tuple[int, int, int]:
    """L, rows and samples of a step, the nearest to 100 ms that blocks of 32 to 64 samples and small products allow."""
    wanted = sample_rate_hz * _STEP_S
    plans = []
    for block in range(32, 65):
        parts = math.ceil(wanted * (block + 4) / _PRODUCT_SIZE)
        rows = max(1, round(wanted / (block * parts)))
        step = block * parts * rows
        plans.append((abs(step - wanted), parts, -block, rows, step))
    _, _, block, rows, step = min(plans)
    return -block, rows, step


@lru_cache(maxsize=32)
def _block_filter(sample_rate_hz: int) -> _BlockFilter:
    block, rows, step = _plan(sample_rate_hz)
    matrix, entry, readout, direct = _state_space(sample_rate_hz)
    impulse = np.zeros(block)
    impulse[0] = direct
    advance = np.zeros((block, 4))
    output = np.zeros((block + 4, block))
    power = np.eye(4)
    for lag in range(block):
        output[block:, lag] = readout @ power
        advance[block - 1 - lag] = power @ entry
        if lag + 1 < block:
            impulse[lag + 1] = readout @ power @ entry
        power = matrix @ power
    for lag in range(block):
        output[np.arange(block - lag), np.arange(lag, block)] = impulse[lag]
    powers = []
    while np.abs(power).max() > _NEGLIGIBLE:
        powers.append(np.ascontiguousarray(power.T, dtype=np.float32))
        power = power @ power
    return _BlockFilter(
        block=block,
        rows=rows,
        step=step,
        advance=advance.astype(np.float32),
        output=output.astype(np.float32),
        powers=tuple(powers),
    )


class LevelMeter:
    """Measures a sound that arrives in blocks of any size.

    Args:
        sample_rate_hz: Samples per second and channel.
        channels: Number of channels.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._filter = _block_filter(sample_rate_hz)
        self._channels = channels
        self._state = np.zeros((channels, 4), dtype=np.float32)
        # One block that grows: hours of small arrays would keep the decoder's memory in pieces.
        self._energies = array("d")
        self._steps = 0
        self._peak = 0.0
        self._waiting = np.empty((self._filter.step, channels), dtype=np.float32)
        self._waiting_count = 0
        steps = max(1, min(_CHUNK_STEPS, _CHUNK_VALUES // (self._filter.step * channels)))
        self._chunk = steps * self._filter.step
        per_chunk = self._chunk // self._filter.block
        self._work = np.empty((channels, per_chunk, self._filter.block + 4), dtype=np.float32)
        self._states = np.empty((channels, per_chunk + 1, 4), dtype=np.float32)

    def add(self, block: FloatArray) -> None:
        """Measure the next samples, (n, channels) float32."""
        if not len(block):
            return
        self._peak = max(self._peak, float(block.max()), -float(block.min()))
        step = self._filter.step
        if self._waiting_count:
            taken = min(step - self._waiting_count, len(block))
            self._waiting[self._waiting_count : self._waiting_count + taken] = block[:taken]
            self._waiting_count += taken
            block = block[taken:]
            if self._waiting_count < step:
                return
            self._measure(self._waiting)
            self._waiting_count = 0
        whole = len(block) // step * step
        for start in range(0, whole, self._chunk):
            self._measure(block[start : min(whole, start + self._chunk)])
        rest = len(block) - whole
        self._waiting[:rest] = block[whole:]
        self._waiting_count = rest

    def result(self) -> Level:
        """The level of everything added so far."""
        peak_db = 20 * math.log10(self._peak) if self._peak > 0 else SILENCE_DB
        return Level(peak_db=max(peak_db, SILENCE_DB), loudness_lufs=self._loudness_lufs())

    def _measure(self, samples: FloatArray) -> None:
        """Filter whole steps, (steps * step, channels), and keep the energy of each step."""
        steps = len(samples) // self._filter.step
        self._energies.frombytes(self._filtered_energies(samples, steps).tobytes())
        self._steps += steps

    def _filtered_energies(self, samples: FloatArray, steps: int) -> Float64Array:
        """Channel-summed energy of each of ``steps`` equal parts, (steps,); the state moves on."""
        unrolled, size = self._filter, self._filter.block
        count = len(samples) // size
        work, states = self._work[:, :count], self._states[:, : count + 1]
        for channel in range(self._channels):
            work[channel, :, :size] = samples[:, channel].reshape(count, size)
        products = work.reshape(self._channels, -1, unrolled.rows, size + 4)
        states[:, 0] = self._state
        states[:, 1:] = (products[..., :size] @ unrolled.advance).reshape(self._channels, count, 4)
        distance = 1
        for power in unrolled.powers:
            if distance > count:
                break
            states[:, distance:] += states[:, :-distance] @ power
            distance *= 2
        self._state = states[:, -1].copy()
        work[:, :, size:] = states[:, :-1]
        filtered = (products @ unrolled.output).reshape(self._channels, steps, -1)
        energies: FloatArray = np.einsum("cst,cst->s", filtered, filtered)
        return energies.astype(np.float64)

    def _loudness_lufs(self) -> float | None:
        energies = np.array(self._energies)
        if len(energies) >= _STEPS_PER_BLOCK:
            sums = np.convolve(energies, np.ones(_STEPS_PER_BLOCK), mode="valid")
            powers = sums / (_STEPS_PER_BLOCK * self._filter.step)
        else:
            samples = self._steps * self._filter.step + self._waiting_count
            if not samples:
                return None
            powers = np.array([(energies.sum() + self._waiting_energy()) / samples])
        return _gated_loudness_lufs(powers)

    def _waiting_energy(self) -> float:
        """Energy of the samples that do not fill a step, without moving the state on."""
        if not self._waiting_count:
            return 0.0
        padded = self._waiting.copy()
        padded[self._waiting_count :] = 0
        state = self._state
        energy = float(self._filtered_energies(padded, 1)[0])
        self._state = state
        return energy


def _gated_loudness_lufs(powers: Float64Array) -> float | None:
    """Both gates of BS.1770-4 (equations 4 to 7) over the blocks' channel-summed mean squares."""
    audible = powers[powers > 10 ** ((ABSOLUTE_GATE_LUFS - LOUDNESS_OFFSET_DB) / 10)]
    if not len(audible):
        return None
    kept = audible[audible > audible.mean() * 10 ** (RELATIVE_GATE_LU / 10)]
    return LOUDNESS_OFFSET_DB + 10 * math.log10(float(kept.mean()))
