"""Stochastic depth: in training, whole branches of residual blocks are left out clip by clip (Huang et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor


def depth_rates(last: float, blocks: int) -> list[float]:
    """Probability for each block that its branch is left out: from 0 in equal steps to `last`."""
    return [last * number / max(1, blocks - 1) for number in range(blocks)]


def drop_branches(branch: Tensor, rate: float) -> Tensor:
    """Set the branch (b, ...) of each clip to zero with probability `rate`; what is kept grows to make up for it."""
    kept = 1.0 - rate
    one_each = (branch.shape[0], *(1 for _ in branch.shape[1:]))
    return branch * (torch.rand(one_each, device=branch.device) < kept) / kept
