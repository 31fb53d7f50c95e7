"""Linear layers whose weights lie in memory in half precision; they compute in float32.

A sentence has a dozen words, so a layer's time goes into fetching its weights: half as many bytes take half as long.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class HalfLinear(nn.Module):
    """A linear layer for inference on a CPU.

    Args:
        layer: Its weights are numbers of half precision, else they are rounded to such.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self._packed = torch.ops.quantized.linear_prepack_fp16(layer.weight, layer.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        outputs: Tensor = torch.ops.quantized.linear_dynamic_fp16(inputs, self._packed)
        return outputs


def has_half_linears() -> bool:
    """Whether this processor has such layers: those of the x86 family do."""
    return "fbgemm" in torch.backends.quantized.supported_engines


def halve_linears(module: nn.Module) -> None:
    """Put a `HalfLinear` in the place of every linear layer inside a module, where this processor has them."""
    if not has_half_linears():
        return
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            setattr(module, name, HalfLinear(child))
        else:
            halve_linears(child)
