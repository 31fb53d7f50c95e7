"""Several losses over one batch (loss "weighted-sum")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class WeightedSum(nn.Module):
    """Losses added with weights, as stage 2 of Primus et al. (2024): L = w_sup L_sup + w_dist L_dist.

    Args:
        losses: By name the losses; all take the same kind of batch.
        weights: By the same names, at least 0. A weight of 0 leaves the loss out.

    Inputs: whatever the losses take.
    """

    def __init__(self, *, losses: Mapping[str, nn.Module], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not losses or set(losses) != set(weights):
            raise ValueError(f"expected a weight for each of {sorted(losses)}, got {sorted(weights)}")
        if min(weights.values()) < 0 or max(weights.values()) == 0:
            raise ValueError(f"weights are at least 0 and not all 0, not {dict(weights)}")
        self.losses = nn.ModuleDict(losses)
        self.weights = dict(weights)

    def forward(self, batch: Any) -> dict[str, Tensor]:
        """Give every part of every loss as "loss/part", weighted, to be added up."""
        return {
            f"{name}/{part}": self.weights[name] * value
            for name, loss in self.losses.items()
            if self.weights[name]
            for part, value in loss(batch).items()
        }


def teacher_agreement(teachers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Estimated correspondences of M teachers: the mean over them of their cosines.

    Primus et al. (2024), section 3; M = 1 with the student's own first stage is self-distillation. The softmax with
    tau is taken by the loss "estimated-correspondence".

    Args:
        teachers: Of each its texts (q, d_m) and sounds (b, d_m), of any length.

    Returns:
        (q, b), without gradient.

    Raises:
        ValueError: No teacher, or teachers of different batches.
    """
    if not teachers:
        raise ValueError("there is no teacher")
    with torch.no_grad():
        scores = [normalize(text.float(), dim=-1) @ normalize(audio.float(), dim=-1).T for text, audio in teachers]
    if len({score.shape for score in scores}) > 1:
        raise ValueError(f"teachers of different batches: {sorted({tuple(score.shape) for score in scores})}")
    return torch.stack(scores).mean(dim=0)
