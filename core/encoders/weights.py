"""Tensors of a model in a safetensors file: in half precision, and large matrices in eight bits where asked for.

A matrix in eight bits is `NAME` in int8 and `NAME.row_scale` in float16, by which each of its rows is multiplied.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

_SCALE = ".row_scale"
_LARGEST = 127
# Of a row of zeros; half precision still holds it.
_LEAST_SCALE = 1e-7


def pack_weights(state: Mapping[str, Tensor], *, least_dimensions: int = 0, eight_bits: Collection[str] = ()) -> bytes:
    """The content of a file.

    Args:
        state: Tensors by name.
        least_dimensions: Tensors of fewer stay as they are.
        eight_bits: Names of matrices that are kept in eight bits; others are ignored.

    Raises:
        ValueError: A tensor does not fit into half precision.
    """
    stored: dict[str, Tensor] = {}
    for name, value in state.items():
        if name in eight_bits:
            scale = (value.abs().amax(dim=1, keepdim=True) / _LARGEST).clamp_min(_LEAST_SCALE).half()
            # Where the scale was rounded down, the largest number has no room.
            rounded = torch.round(value / scale.float()).clamp(-_LARGEST, _LARGEST)
            stored[name], stored[name + _SCALE] = rounded.to(torch.int8), scale
        else:
            fits = value.is_floating_point() and value.ndim >= least_dimensions
            stored[name] = value.half() if fits else value
    for name, value in stored.items():
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} does not fit into half precision")
    return save(stored)


def unpack_weights(content: bytes) -> dict[str, Tensor]:
    """The tensors of a file, in float32 where they are floating point.

    Raises:
        ValueError: The content is no such file.
    """
    try:
        stored = load(content)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    scales = {name.removesuffix(_SCALE): stored.pop(name) for name in list(stored) if name.endswith(_SCALE)}
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in stored.items()}
    for name, scale in scales.items():
        matrix = tensors.get(name)
        if matrix is None or matrix.ndim != 2 or scale.shape != (len(matrix), 1):
            raise ValueError(f"{name} is no matrix of as many rows as it has scales")
        tensors[name] = matrix.float() * scale.float()
    return tensors
