"""Projections of a tower's output into the shared space.

Shape legend: e inputs, d outputs.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize


class LinearProjection(nn.Module):
    """One linear layer: Primus et al. (2024), 1024 outputs.

    Args:
        inputs: e.
        outputs: d.
        unit_length: Bring the result to unit length.
    """

    def __init__(self, *, inputs: int, outputs: int = 1024, unit_length: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.unit_length = unit_length

    def forward(self, features: Tensor) -> Tensor:
        """(..., e) -> (..., d)."""
        projected: Tensor = self.linear(features)
        return normalize(projected, dim=-1) if self.unit_length else projected


class MlpProjection(nn.Module):
    """Two linear layers with a ReLU between: Mei et al. (2022), section 2.2, 1024 outputs.

    Args:
        inputs: e.
        outputs: d.
        hidden: Width between the layers; None: d.
        unit_length: Bring the result to unit length.
    """

    def __init__(
        self, *, inputs: int, outputs: int = 1024, hidden: int | None = None, unit_length: bool = True
    ) -> None:
        super().__init__()
        width = outputs if hidden is None else hidden
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))
        self.unit_length = unit_length

    def forward(self, features: Tensor) -> Tensor:
        """(..., e) -> (..., d)."""
        projected: Tensor = self.layers(features)
        return normalize(projected, dim=-1) if self.unit_length else projected
