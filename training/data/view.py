"""Other views of a sound: what it might have been, recorded a little differently."""

from __future__ import annotations

import numpy as np

from core.types import FloatArray

_LEAST_SHARE = 0.6
_LONGEST_CUT_FROM = 0.5
_MOST_SILENCE = 0.3
_LARGEST_TILT = 0.4


def change(samples: FloatArray, rng: np.random.Generator, *, longest: int) -> FloatArray:
    """A view of a sound.

    A long sound is cut to 60 % or more of itself; silence comes before and after; the level falls by up to
    20 dB; the spectrum is tilted by a first difference of up to 0.4; every other view gets a noise floor
    between -80 and -50 dBFS.

    Args:
        samples: (n,) mono.
        rng: Where chance comes from.
        longest: Samples of the result at most.

    Returns:
        (m,) float32.
    """
    if len(samples) > longest * _LONGEST_CUT_FROM:
        length = int(len(samples) * rng.uniform(_LEAST_SHARE, 1.0))
        start = int(rng.integers(len(samples) - length + 1))
        samples = samples[start : start + length]
    room = int(rng.integers(min(int(longest * _MOST_SILENCE), longest - len(samples)) + 1))
    start = int(rng.integers(room + 1))
    view = np.zeros(len(samples) + room, dtype=np.float32)
    view[start : start + len(samples)] = samples * 10 ** (-rng.uniform(0, 20) / 20)
    tilt = rng.uniform(-_LARGEST_TILT, _LARGEST_TILT)
    view[1:] = (view[1:] + tilt * view[:-1]) / (1 + abs(tilt))
    if rng.random() < 0.5:
        view += 10 ** (rng.uniform(-80, -50) / 20) * rng.standard_normal(len(view))
    return view.astype(np.float32)
