"""Where within a matched window the sound is, finer than the windows that are stored.

A window of ten seconds says that something is in it. Listening to it again in short steps says where.
"""

from __future__ import annotations

import numpy as np

from core.encoders.protocol import DualEncoder
from core.encoders.windows import plan_windows
from core.types import FloatArray, Span

GLANCE_S = 2.0
"""Length of a step; much shorter sounds than this mean little to the encoder."""
_STEP_S = 0.25


def focus(encoder: DualEncoder, samples: FloatArray, query: FloatArray) -> Span:
    """The two seconds of a stretch of sound that fit a query best, in seconds from its beginning.

    Args:
        encoder: The model that made the query's vector.
        samples: (n,) mono at the encoder's rate; a window or so.
        query: (d,) unit vector.
    """
    rate = encoder.card.sample_rate_hz
    steps = plan_windows(len(samples), round(GLANCE_S * rate), round(_STEP_S * rate))
    scores = encoder.embed_audio([samples[start:end] for start, end in steps]) @ query
    # Neighbouring steps hear nearly the same; their mean is steadier than one of them.
    steady = np.convolve(np.pad(scores, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    start, end = steps[int(steady.argmax())]
    return Span(start / rate, end / rate)
