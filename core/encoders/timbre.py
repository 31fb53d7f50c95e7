"""How a sound sounds, whatever it is of: the part of an embedding that only other sounds are compared by.

What a text can ask for says little of pitch, colour and attack; another take of the same sound shares all of them.

Shape legend: b batch, e what the trunk says, m of its numbers that are looked at, t timbre.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class TimbreHead(nn.Module):
    """A linear map of some of what the trunk says.

    Args:
        inputs: Ranges [first, end) of the trunk's numbers that are looked at.
        dimension: t.
        share: Of the embedding's squared length, 0 to 1.
        limit: Inputs count as no further than so many standard deviations from their mean.

    Raises:
        ValueError: A range is empty, or there are no ranges.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, *, inputs: Sequence[tuple[int, int]], dimension: int, share: float, limit: float = 2.0) -> None:
        super().__init__()
        if not inputs or any(first >= end for first, end in inputs):
            raise ValueError(f"ranges of inputs hold something, these do not: {inputs}")
        looked_at = sum(end - first for first, end in inputs)
        self.inputs = tuple((first, end) for first, end in inputs)
        self.dimension = dimension
        self.share = share
        self.limit = limit
        self.register_buffer("mean", torch.zeros(looked_at))
        self.register_buffer("scale", torch.ones(looked_at))
        self.register_buffer("weight", torch.zeros(looked_at, dimension))
        self.register_buffer("bias", torch.zeros(dimension))

    def set_inputs(self, *, mean: Tensor, scale: Tensor) -> None:
        """Give mean and standard deviation (e,) of what the trunk says of the training sounds."""
        self.mean.copy_(self._chosen(mean))
        self.scale.copy_(self._chosen(scale))

    def set_map(self, *, weight: Tensor, bias: Tensor) -> None:
        """Give the map, (m, t) and (t,)."""
        self.weight.copy_(weight)
        self.bias.copy_(bias)

    def seen(self, trunk: Tensor) -> Tensor:
        """What is looked at: (b, e) -> (b, m), in standard deviations."""
        return ((self._chosen(trunk) - self.mean) / self.scale).clamp(-self.limit, self.limit)

    def forward(self, trunk: Tensor) -> Tensor:
        """(b, e) -> (b, t) unit length."""
        return normalize(self.seen(trunk) @ self.weight + self.bias, dim=-1)

    def _chosen(self, trunk: Tensor) -> Tensor:
        """(..., e) -> (..., m)."""
        return torch.cat([trunk[..., first:end] for first, end in self.inputs], dim=-1)
