"""What every audio encoder checks before it begins."""

from __future__ import annotations

import torch
from torch import Tensor

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.uint8)


def check_waveform(waveform: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Refuse what is no batch of sound.

    Args:
        waveform: (b, n) floating point, b and n at least 1, finite.
        lengths: (b,) whole numbers from 1 to n, or None.

    Returns:
        The waveform as it came, and the lengths as int64 on its device, or None where every clip fills the
        tensor.

    Raises:
        ValueError: Something is not as said; the message tells what was expected and what came.
    """
    if waveform.ndim != 2:
        raise ValueError(f"expected a waveform of shape (batch, samples), got shape {tuple(waveform.shape)}")
    if not waveform.is_floating_point():
        raise ValueError(f"expected a waveform of floating-point samples in [-1, 1], got {waveform.dtype}")
    batch, samples = waveform.shape
    if batch == 0:
        raise ValueError("expected a batch of at least one clip, got an empty batch")
    if samples == 0:
        raise ValueError("expected clips of at least one sample, got a waveform of length 0")
    if not torch.isfinite(waveform).all():
        raise ValueError("expected finite samples, got NaN or infinity in the waveform")
    if lengths is None:
        return waveform, None
    if tuple(lengths.shape) != (batch,):
        raise ValueError(f"expected lengths of shape ({batch},), one for each clip, got {tuple(lengths.shape)}")
    if lengths.dtype not in _INTEGERS:
        raise ValueError(f"expected lengths as whole numbers of samples, got {lengths.dtype}")
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < 1 or longest > samples:
        raise ValueError(f"expected lengths from 1 to the waveform's {samples} samples, got {shortest} to {longest}")
    if shortest == samples:
        return waveform, None
    return waveform, lengths.to(device=waveform.device, dtype=torch.int64)
