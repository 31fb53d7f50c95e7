"""Leaving out the silence of a sound while it is played."""

from __future__ import annotations

import numpy as np

from core.types import FloatArray

SILENCE_LEVEL_DB = -60.0
_BEFORE_S = 0.03
_AFTER_S = 0.25
_NEVER = -(1 << 60)


class SilenceSkipper:
    """Keeps what is louder than -60 dB, 30 ms before it and 250 ms after it.

    Args:
        sample_rate_hz: Of the samples.
        channels: Of the samples.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._before = round(_BEFORE_S * sample_rate_hz)
        self._after = round(_AFTER_S * sample_rate_hz)
        self._held = np.empty((0, channels), dtype=np.float32)
        self._last_loud = _NEVER  # counted from the first held sample

    def push(self, samples: FloatArray, *, last: bool = False) -> list[tuple[int, FloatArray]]:
        """Take the next samples, (n, channels).

        Returns:
            The stretches that are decided to be kept, each with where it begins, counted from the first of these
            samples; what was held back of earlier ones has negative places.
        """
        held = len(self._held)
        joined = np.concatenate([self._held, samples])
        decided = len(joined) if last else max(0, len(joined) - self._before)
        audible = np.abs(joined).max(axis=1, initial=0.0) > 10 ** (SILENCE_LEVEL_DB / 20)
        loud = np.concatenate([np.array([self._last_loud]), np.flatnonzero(audible)])
        # One stretch reaches from before its first loud sample to after its last.
        breaks = np.flatnonzero(np.diff(loud) > self._before + self._after)
        starts = np.concatenate([loud[:1], loud[breaks + 1]]) - self._before
        ends = np.concatenate([loud[breaks], loud[-1:]]) + self._after + 1
        kept = []
        for start, end in zip(np.maximum(starts, 0).tolist(), np.minimum(ends, decided).tolist(), strict=True):
            if start < end:
                kept.append((start - held, joined[start:end]))
        self._held = joined[decided:].copy()
        self._last_loud = max(_NEVER, int(loud[-1]) - decided)
        return kept
