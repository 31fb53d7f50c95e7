"""EfficientAT for inference on a CPU: the same function, in half the time.

Batch norms are folded into the convolutions before them; maps lie in memory with channels last, so that a 1x1
convolution is one matrix product over all positions; activations work in place; a batch is done in parts that
fit into the cache; and each part is one call (see `core.traced`).

Shape legend: b batch, t time, f frequency, c channels, d embedding.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, hardswish, linear, relu

from core.encoders.efficientat import BLOCKS, BlockConfig, ConvNorm, InvertedResidual, MobileNetTrunk, SqueezeExcitation
from core.traced import record

_PART = 2
"""Windows of ten seconds that are computed together."""
# Frames and mel bins of a window to record the network with; it takes any number of either.
_EXAMPLE = (1, 64, 128)


@dataclass(frozen=True, slots=True)
class _Affine:
    """A convolution with its batch norm folded in; weight (out, in / groups, k, k), or (out, in) if it is 1x1."""

    weight: Tensor
    bias: Tensor


def _fold(layer: ConvNorm) -> _Affine:
    conv, norm = layer[0], layer[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = (conv.weight.double() * scale[:, None, None, None]).float()
    bias = (norm.bias.double() - norm.running_mean.double() * scale).float()
    if conv.kernel_size == (1, 1):
        return _Affine(weight[:, :, 0, 0].contiguous(), bias)
    return _Affine(weight.contiguous(memory_format=torch.channels_last), bias)


def _frozen(excitation: SqueezeExcitation | None) -> SqueezeExcitation | None:
    return None if excitation is None else copy.deepcopy(excitation).requires_grad_(False)


def _activate(maps: Tensor, hard_swish: bool) -> Tensor:
    return hardswish(maps, inplace=True) if hard_swish else relu(maps, inplace=True)


def _pointwise(maps: Tensor, layer: _Affine) -> Tensor:
    """1x1 convolution of (b, c, f, t) with channels last."""
    return linear(maps.permute(0, 2, 3, 1), layer.weight, layer.bias).permute(0, 3, 1, 2)


def _over_time(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of (b, f, t, c) over t, each (b, f, c)."""
    mean = maps.mean(dim=2)
    return mean, (maps - mean[:, :, None]).square_().mean(dim=2).sqrt_()


class _FoldedBlock:
    def __init__(self, block: InvertedResidual, config: BlockConfig) -> None:
        self._config = config
        self._expand = None if block.expand is None else _fold(block.expand)
        self._depthwise = _fold(block.depthwise)
        self._excitation = _frozen(block.excitation)
        self._project = _fold(block.project)
        self._residual = block.residual

    def __call__(self, maps: Tensor) -> Tensor:
        config = self._config
        hidden = maps
        if self._expand is not None:
            hidden = _activate(_pointwise(maps, self._expand), config.hard_swish)
        hidden = conv2d(
            hidden,
            self._depthwise.weight,
            self._depthwise.bias,
            stride=config.stride,
            padding=(config.kernel - 1) // 2,
            groups=hidden.shape[1],
        )
        hidden = _activate(hidden, config.hard_swish)
        if self._excitation is not None:
            hidden.mul_(self._excitation.gate(hidden.mean(dim=(2, 3))))
        projected = _pointwise(hidden, self._project)
        return projected.add_(maps) if self._residual else projected


class FoldedMobileNet:
    """A trained `MobileNetTrunk`, frozen. Safe to call from several threads.

    Args:
        trunk: In evaluation mode, float32, on the CPU; it is not changed.
    """

    def __init__(self, trunk: MobileNetTrunk) -> None:
        with torch.no_grad():
            self._stem = _fold(trunk.stem)
            self._blocks = [
                _FoldedBlock(block, config)
                for block, config in zip(trunk.blocks, BLOCKS, strict=True)
                if isinstance(block, InvertedResidual)
            ]
            self._last = _fold(trunk.last)
        self._classifier = trunk.classifier
        self._taps = trunk.taps
        self._mel_summary = trunk.mel_summary
        self._dimension = trunk.dimension
        self._run = record(self._heard, torch.zeros(_EXAMPLE))

    @torch.inference_mode()
    def __call__(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """(b, t, f) log-mels of one length -> summary (b, s) and class logits (b, classes).

        Without taps and the log-mel the summary is the embedding (see `MobileNetTrunk.summarise`).
        """
        summary = torch.cat([self._run(mel[begin : begin + _PART])[0] for begin in range(0, len(mel), _PART)])
        return summary, self._classifier(summary[:, : self._dimension])

    @torch.inference_mode()
    def listen(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(b, t, f) -> summary (b, s), frames (b, t / 32, d), class logits (b, classes)."""
        parts = [self._run(mel[begin : begin + _PART]) for begin in range(0, len(mel), _PART)]
        summary = torch.cat([own for own, _ in parts])
        return summary, torch.cat([frames for _, frames in parts]), self._classifier(summary[:, : self._dimension])

    def _heard(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        seen: list[Tensor] = []
        maps = self._maps(mel, seen)
        if self._mel_summary:
            seen += [*(part.flatten(1) for part in _over_time(mel.unsqueeze(1))), mel.amax(dim=1)]
        return torch.cat([maps.mean(dim=(2, 3)), *seen], dim=1), maps.mean(dim=2).transpose(1, 2)

    def _maps(self, mel: Tensor, seen: list[Tensor] | None = None) -> Tensor:
        maps = conv2d(mel.transpose(1, 2).unsqueeze(1), self._stem.weight, self._stem.bias, stride=2, padding=1)
        maps = hardswish(maps.contiguous(memory_format=torch.channels_last), inplace=True)
        for number, block in enumerate(self._blocks):
            maps = block(maps)
            if seen is not None and number in self._taps:
                # With channels last in memory these are sums of whole rows: twelve times as fast as `std_mean`.
                seen += [part.transpose(1, 2).flatten(1) for part in _over_time(maps.permute(0, 2, 3, 1))]
        return hardswish(_pointwise(maps, self._last), inplace=True)
