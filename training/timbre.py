"""Directions in which sounds differ and worn copies of them do not.

Shape legend: n sounds, p pairs, m inputs, t timbre.
"""

from __future__ import annotations

import numpy as np

from core.types import FloatArray

_LEAST_HELD = 0.1
"""Of the mean spread; so much is added to every spread, few sounds do not tell small ones."""


def timbre_map(
    sounds: FloatArray, originals: FloatArray, copies: FloatArray, *, dimension: int
) -> tuple[FloatArray, FloatArray]:
    """The map of `core.encoders.timbre`: the t directions in which sounds differ most beside what a copy's wear does.

    The covariances of the sounds and of what copies change are added up and whitened; what is left of the sounds' own
    covariance then is how far a direction can be trusted.

    Args:
        sounds: (n, m) everything that was learned from.
        originals: (p, m) some of it.
        copies: (p, m) the same, worn (see `training.worn_copy`).
        dimension: t, at most m.

    Returns:
        Weight (m, t), bias (t,) that takes the sounds' mean to zero.
    """
    mean = sounds.mean(axis=0, dtype=np.float64)
    centred = sounds - mean
    changed = (copies - originals).astype(np.float64)
    own = centred.T @ centred / len(centred)
    spreads, directions = np.linalg.eigh(own + changed.T @ changed / len(changed))
    whitened = directions * (np.maximum(spreads, 0.0) + _LEAST_HELD * float(spreads.mean())) ** -0.5
    _, trusted = np.linalg.eigh(whitened.T @ own @ whitened)
    weight = whitened @ trusted[:, ::-1][:, :dimension]
    return weight.astype(np.float32), (-mean @ weight).astype(np.float32)
