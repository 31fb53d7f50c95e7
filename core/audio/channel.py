"""How the channels of a file become the two sides, or the one, that are heard.

- One channel goes to both sides as it is.
- Two channels are left and right; a device of one channel plays their average.
- Three, five, six and eight channels are taken for 3.0, 5.0, 5.1 and 7.1 in the order of WAV files: the centre goes to
  both sides at -3 dB, surrounds to their own side at -3 dB, the LFE is left out, and all is scaled so that nothing can
  clip (ITU-R BS.775-4, table 2, gives the weights).
- Any other number says nothing of a layout (microphones, ambisonics): the odd channels are averaged to the left and the
  even ones to the right.
- One channel alone can be chosen, and goes to both sides.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from core.types import FloatArray

_SIDE = 2**-0.5
# Left weights by channel; the right ones mirror them.
_LEFT = {
    3: (1.0, 0.0, _SIDE),
    5: (1.0, 0.0, _SIDE, _SIDE, 0.0),
    6: (1.0, 0.0, _SIDE, 0.0, _SIDE, 0.0),
    8: (1.0, 0.0, _SIDE, 0.0, _SIDE, 0.0, _SIDE, 0.0),
}
_RIGHT = {
    3: (0.0, 1.0, _SIDE),
    5: (0.0, 1.0, _SIDE, 0.0, _SIDE),
    6: (0.0, 1.0, _SIDE, 0.0, 0.0, _SIDE),
    8: (0.0, 1.0, _SIDE, 0.0, 0.0, _SIDE, 0.0, _SIDE),
}


@lru_cache(maxsize=64)
def mixing_matrix(channels: int, sides: int, only: int | None = None) -> FloatArray:
    """Weights of a file's channels, (channels, sides) float32.

    Args:
        channels: Of the file.
        sides: 1 or 2.
        only: The one channel to hear, from 0; one that the file lacks is no choice.
    """
    if only is not None and only < channels:
        matrix = np.zeros((channels, 2), dtype=np.float32)
        matrix[only] = 1.0
    else:
        matrix = _stereo(channels)
    matrix = matrix if sides == 2 else matrix.mean(axis=1, keepdims=True)
    matrix.setflags(write=False)
    return matrix


def _stereo(channels: int) -> FloatArray:
    if channels == 1:
        return np.ones((1, 2), dtype=np.float32)
    if channels in _LEFT:
        matrix = np.array([_LEFT[channels], _RIGHT[channels]], dtype=np.float32).T
        matrix /= matrix.sum(axis=0).max()
        return matrix
    matrix = np.zeros((channels, 2), dtype=np.float32)
    matrix[0::2, 0] = 1 / len(range(0, channels, 2))
    matrix[1::2, 1] = 1 / len(range(1, channels, 2))
    return matrix


def mix(block: FloatArray, matrix: FloatArray) -> FloatArray:
    """Apply a mixing matrix to (n, channels), giving (n, sides) that shares no memory with the block."""
    sides = matrix.shape[1]
    mixed = np.empty((len(block), sides), dtype=np.float32)
    for side in range(sides):
        # Column by column: a product of this shape is slower, and BLAS may spread it over threads.
        used = np.flatnonzero(matrix[:, side])
        np.multiply(block[:, used[0]], matrix[used[0], side], out=mixed[:, side])
        for channel in used[1:]:
            mixed[:, side] += block[:, channel] * matrix[channel, side]
    return mixed
