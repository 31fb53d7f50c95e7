"""Triplet loss with polynomial weights (loss "triplet-weighted")."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import relu

from training.losses.protocol import Batch
from training.losses.triplet import TripletLoss

_POSITIVE = (0.5, -0.7, 0.2)
_NEGATIVE = (0.03, -0.4, 0.9)


class TripletWeighted(TripletLoss):
    """Maximum polynomial loss: positives and hardest negatives weighted by their own similarity.

    With n_i the hardest negative of anchor i:

        L = 1/B sum_i [sum_p a_p s_ii^p + sum_q b_q n_i^q]+     in each direction

    Mei et al. (2022), eq. 6, after Wei et al. (2020); a = (.5, -.7, .2), b = (.03, -.4, .9). Their code clamps the two
    polynomials separately, [sum_p ...]+ + [sum_q ...]+, and skips an anchor none of whose negatives lies above
    s_ii - m; `published` does so too. (With the paper's formula the margin has no part.)

    Args:
        margin: m of the skipping rule.
        positive: a_0, a_1, ...
        negative: b_0, b_1, ...
        published: Compute what the code does.

    Inputs: unit-length `text` and `audio` (b, d), paired row by row; `matches` (b, b).
    """

    def __init__(
        self,
        *,
        margin: float = 0.2,
        positive: Sequence[float] = _POSITIVE,
        negative: Sequence[float] = _NEGATIVE,
        published: bool = False,
    ) -> None:
        super().__init__(margin=margin)
        if not positive or not negative:
            raise ValueError("each polynomial needs a coefficient")
        self.positive = tuple(positive)
        self.negative = tuple(negative)
        self.published = published

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the parts "text_to_audio" and "audio_to_text", to be added up."""
        triplets = self.triplets(batch)
        attracted = _polynomial(self.positive, triplets.positive)
        parts = {}
        for name, dim in (("text_to_audio", 1), ("audio_to_text", 0)):
            hardest = triplets.hardest(dim)
            counts = torch.isfinite(hardest)
            repelled = _polynomial(self.negative, hardest.masked_fill(~counts, 0.0))
            if self.published:
                counts = counts & (hardest + self.margin > triplets.positive)
                cost = relu(attracted) + relu(repelled)
            else:
                cost = relu(attracted + repelled)
            parts[name] = cost.masked_fill(~counts, 0.0).sum() / len(cost)
        return parts


def _polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    """Horner's rule, from the highest power down."""
    value = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value
