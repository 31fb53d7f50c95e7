"""Evaluation mode for the time of a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(decoder: object) -> Iterator[None]:
    """No gradients and, where the decoder is a module, no dropout; afterwards it is in the mode that it was in."""
    module = decoder if isinstance(decoder, nn.Module) and decoder.training else None
    if module is not None:
        module.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        if module is not None:
            module.train()
