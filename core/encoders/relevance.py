"""From similarity to the probability of a match. Numpy only.

The same cosine means different things for different queries: "sound" is a little similar to everything, "heavy
wooden door slams" to few things. So a query's score s is also looked at as z, its distance in standard deviations
from the scores that the query has against a fixed background of everyday sounds, and the log-odds of a match are

    a s + b z + c

with a, b, c fitted on annotated sounds, one set for text and one for example clips (Platt scaling over two
features).

Shape legend: m scores, k background sounds, d embedding.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np

from core.encoders.card import Calibration
from core.types import FloatArray

QueryKind = Literal["text", "clip"]

# A query that is equally similar to the whole background would have an endless z.
_LEAST_SPREAD = 1e-3
_LEAST_LENGTH = 1e-12


class Relevance:
    """The calibration of one model.

    Args:
        calibration: From the model's card.
        background: (k, d) embeddings of everyday sounds, of unit length; k is 2 or more.
        turn: (d, d) by which the model turns examples; None: it follows from the background.
    """

    def __init__(
        self,
        calibration: Calibration,
        background: FloatArray,
        turn: FloatArray | None = None,
    ) -> None:
        if background.ndim != 2 or len(background) < 2:
            raise ValueError(f"a background has the shape (k, d) with k of 2 or more, not {background.shape}")
        self.calibration = calibration
        self._fits = {"text": calibration.text, "clip": calibration.clip}
        self._background = np.ascontiguousarray(background, dtype=np.float32)
        self._turn = turn

    def example(self, vector: FloatArray) -> FloatArray:
        """What an example clip is compared by: (d,) or (n, d) of unit length -> the same.

        Sounds lie in a cone, and in some directions they all differ widely, whatever they are. The background's mean is
        taken away and such directions count less, so that what is left is what is special about the example. A turn of
        the model's own lets what only noise, a narrow band or another level changes count less as well. The windows
        stay as they are stored: all is done on the example's side of the dot product.
        """
        if self.calibration.clip_whitening == 0:
            return vector
        turned = (vector - self._background.mean(axis=0)) @ self._whitening
        length = np.linalg.norm(turned, axis=-1, keepdims=True)
        # An example that is the mean itself has nothing special.
        return np.asarray(np.where(length > 0, turned / np.maximum(length, _LEAST_LENGTH), vector), dtype=np.float32)

    @cached_property
    def _whitening(self) -> FloatArray:
        """(d, d) the model's own turn, or the background's covariance to the power of minus `clip_whitening`.

        The covariance is held back where it is small: few sounds do not tell small spreads.
        """
        if self._turn is not None:
            return self._turn
        centred = (self._background - self._background.mean(axis=0)).astype(np.float64)
        spreads, directions = np.linalg.eigh(centred.T @ centred / len(centred))
        held = np.maximum(spreads, 0.0) + max(float(spreads.mean()), _LEAST_LENGTH)
        powers = held**-self.calibration.clip_whitening
        return np.asarray((directions * powers) @ directions.T, dtype=np.float32)

    def features(self, query: FloatArray, scores: FloatArray) -> FloatArray:
        """What the fit sees: (d,) and its scores (m,) -> (m, 2) of s and z."""
        against = self._background @ query
        spread = max(float(against.std()), _LEAST_SPREAD)
        surprise = (scores - float(against.mean())) / spread
        return np.stack([scores, surprise], axis=-1).astype(np.float32)

    def log_odds(self, query: FloatArray, scores: FloatArray, kind: QueryKind) -> FloatArray:
        """Log-odds (m,) that each scored sound matches.

        Args:
            query: (d,) of unit length.
            scores: (m,) dot products with `query`.
            kind: Whether the query was a text or an example clip.
        """
        fit = self._fits[kind]
        values = self.features(query, scores) @ np.asarray([fit.score, fit.surprise], dtype=np.float32)
        return np.asarray(values + np.float32(fit.bias), dtype=np.float32)

    def relevance(self, query: FloatArray, scores: FloatArray, kind: QueryKind) -> FloatArray:
        """Probability (m,), 0 to 1, that each scored sound matches; see `log_odds`."""
        odds = self.log_odds(query, scores, kind).astype(np.float64)
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * odds)), dtype=np.float32)
