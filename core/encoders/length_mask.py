"""Which part of a padded map belongs to each clip.

Shape legend: b batch, c channels, t time, f frequency, d embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor


def length_mask(lengths: Tensor, width: int) -> Tensor:
    """True inside each clip: (b,) -> (b, width)."""
    return torch.arange(width, device=lengths.device) < lengths[:, None]


def clear_behind(maps: Tensor, lengths: Tensor | None) -> Tensor:
    """Set (b, c, t, f) to zero from each clip's length on; None: nothing is behind."""
    if lengths is None:
        return maps
    return maps.masked_fill(~length_mask(lengths, maps.shape[2])[:, None, :, None], 0.0)


def masked_mean(frames: Tensor, mask: Tensor) -> Tensor:
    """Mean over time of what the mask keeps: (b, t, d), (b, t) -> (b, d)."""
    total = (frames * mask[:, :, None]).sum(dim=1)
    return total / mask.sum(dim=1, keepdim=True).clamp(min=1)


def masked_max(frames: Tensor, mask: Tensor) -> Tensor:
    """Maximum over time of what the mask keeps: (b, t, d), (b, t) -> (b, d)."""
    return frames.masked_fill(~mask[:, :, None], -torch.inf).amax(dim=1)


def mean_plus_max(frames: Tensor, mask: Tensor) -> Tensor:
    """The pooling over time of PANNs (Kong et al. 2020): (b, t, d), (b, t) -> (b, d)."""
    return masked_mean(frames, mask) + masked_max(frames, mask)
