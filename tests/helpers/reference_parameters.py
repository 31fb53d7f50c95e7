"""Parameters that can be drawn anew from their names, so that outputs of other implementations can be compared.

Every tensor has its own generator, seeded with the CRC of its name; the rule by kind of tensor is in `draw_parameter`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def draw_parameter(name: str, shape: Sequence[int]) -> Tensor:
    """The reproducible value of the tensor with this name and shape."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    shape = tuple(shape)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    if name.endswith("running_mean"):
        values = 0.1 * rng.standard_normal(shape)
    elif name.endswith("running_var") or (len(shape) == 1 and name.endswith(("weight", "gamma", "scale"))):
        values = 0.5 + rng.random(shape)
    elif len(shape) <= 1:
        values = 0.1 * rng.standard_normal(shape)
    else:
        gain = 2 if len(shape) == 4 else 1
        values = rng.standard_normal(shape) * np.sqrt(gain / np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def draw_state(module: torch.nn.Module, renamed: Mapping[str, str] | None = None) -> dict[str, Tensor]:
    """A state dict for a module; `renamed` maps our names to those that seed the values."""
    renamed = renamed or {}
    return {
        renamed.get(name, name): draw_parameter(renamed.get(name, name), tensor.shape)
        for name, tensor in module.state_dict().items()
    }


def relative_error(ours: Tensor, expected: np.ndarray | Tensor) -> float:
    """norm(ours - expected) / norm(expected)."""
    other = torch.as_tensor(np.asarray(expected))
    assert ours.shape == other.shape
    return float((ours.double() - other.double()).norm() / other.double().norm())


def shared_folder() -> Path:
    """The developers' folder that holds the corpus and, beside it, reference outputs; for tests marked `corpus`."""
    shared = os.environ.get("EARSHOT_SHARED")
    return Path(shared) if shared else Path(__file__).resolve().parents[2].parent / "shared"
