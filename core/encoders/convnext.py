"""ConvNeXt-Tiny for AudioSet (Pellegrini, Khalfaoui-Hassani, Labbe, Masquelier 2023), as in Labbe et al. 2023.

Shape legend: b batch, n samples, c channels, t time, f frequency, d embedding.

Maps have the shape (b, c, t, f). In a padded batch what lies behind a clip's end is set to zero before the stem
and before each 7 x 7 convolution; the 2 x 2 convolutions between the stages round down and so never read behind
it. A clip's result does not depend on what it was batched with. Clips too short to leave one frame of the last
map are taken as followed by silence up to `shortest_samples`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm

from core.encoders.checkpoint import LoadReport, load_state
from core.encoders.length_mask import clear_behind, mean_plus_max
from core.encoders.output import EncoderOutput
from core.encoders.spectrogram_encoder import AUDIOSET_CLASSES, COMPUTED_PREFIXES, SpectrogramEncoder, frames_of_map
from core.encoders.stochastic_depth import depth_rates, drop_branches

DEPTHS = (3, 3, 9, 3)
WIDTHS = (96, 192, 384, 768)
MEL_BINS = 224
TIME_STRIDE = 32
_STEM_STRIDE = 4
_STEM_PADDING = 4
_NORM_EPS = 1e-6
# The fewest frames of which the stem and three halvings leave one: (frames + 4) // 4 + 1 >= 8.
_SHORTEST_FRAMES = 24


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (b, c, t, f)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """(b, c, t, f) -> (b, c, t, f)."""
        last = layer_norm(maps.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, _NORM_EPS)
        return last.permute(0, 3, 1, 2)


class ConvNextBlock(nn.Module):
    """Depthwise 7 x 7, layer norm, two pointwise layers, layer scale `gamma`, plus the input.

    Args:
        channels: c.
        drop_path: Probability that a clip's branch is left out while training.
    """

    def __init__(self, channels: int, drop_path: float) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=_NORM_EPS)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), 1e-6))

    def forward(self, maps: Tensor, lengths: Tensor | None) -> Tensor:
        """(b, c, t, f) -> (b, c, t, f)."""
        branch: Tensor = self.dwconv(clear_behind(maps, lengths)).permute(0, 2, 3, 1)
        branch = self.gamma * self.pwconv2(gelu(self.pwconv1(self.norm(branch))))
        branch = branch.permute(0, 3, 1, 2)
        if self.training and self.drop_path > 0.0:
            branch = drop_branches(branch, self.drop_path)
        return maps + branch


class ConvNextTrunk(nn.Module):
    """From the log-mel to the last map and the classifier, with the official parameter names."""

    def __init__(self, *, classes: int, drop_path: float) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(MEL_BINS)
        stem = nn.Conv2d(1, WIDTHS[0], _STEM_STRIDE, _STEM_STRIDE, padding=(_STEM_PADDING, 0))
        self.downsample_layers = nn.ModuleList([nn.Sequential(stem, ChannelNorm(WIDTHS[0]))])
        for inputs, outputs in pairwise(WIDTHS):
            self.downsample_layers.append(nn.Sequential(ChannelNorm(inputs), nn.Conv2d(inputs, outputs, 2, 2)))
        rates = iter(depth_rates(drop_path, sum(DEPTHS)))
        self.stages = nn.ModuleList(
            nn.ModuleList(ConvNextBlock(width, next(rates)) for _ in range(depth))
            for width, depth in zip(WIDTHS, DEPTHS, strict=True)
        )
        self.norm = nn.LayerNorm(WIDTHS[-1], eps=_NORM_EPS)
        self.head_audioset = nn.Linear(WIDTHS[-1], classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def last_map(self, mel: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(b, t, f) -> (b, 768, t', f') and its lengths."""
        maps = self.bn0(mel.unsqueeze(1).transpose(1, 3)).transpose(1, 3)
        maps = clear_behind(maps, lengths)
        for index, (downsample, stage) in enumerate(zip(self.downsample_layers, self.stages, strict=True)):
            maps = downsample(maps)
            if lengths is not None:
                lengths = (lengths + _STEM_PADDING) // _STEM_STRIDE + 1 if index == 0 else lengths // 2
            assert isinstance(stage, nn.ModuleList)
            for block in stage:
                maps = block(maps, lengths)
        return maps, lengths

    def forward(self, mel: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(b, t, f) -> embedding (b, 768), frames (b, t', 768), frame mask (b, t'), logits."""
        maps, lengths = self.last_map(mel, lengths)
        frames, mask = frames_of_map(maps, lengths)
        embedding = self.norm(mean_plus_max(frames, mask))
        return embedding, frames, mask, self.head_audioset(embedding)


class ConvNextEncoder(SpectrogramEncoder):
    """Front-end and trunk: waveform in, `EncoderOutput` out.

    `frames` are the last map averaged over frequency without the final layer norm: 31 of 768 for 10 s, 94 for
    30 s, the captioner's input (Labbe et al. 2023). The first begins 40 ms before the clip, in the stem's padding.

    Args:
        classes: Of the classifier.
        drop_path: Stochastic depth of the last block while training; it grows linearly from 0.
    """

    def __init__(self, *, classes: int = AUDIOSET_CLASSES, drop_path: float = 0.0) -> None:
        super().__init__(MEL_BINS)
        self.trunk = ConvNextTrunk(classes=classes, drop_path=drop_path)

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return WIDTHS[-1]

    @property
    def shortest_samples(self) -> int:
        """Shorter clips are taken as followed by silence up to this."""
        return self.front_end.config.shortest_for(_SHORTEST_FRAMES)

    def encode_mel(self, mel: Tensor, frame_counts: Tensor | None = None) -> EncoderOutput:
        """The same from log-mels (b, t, f), of which `frame_counts` (b,) frames each are no padding."""
        embedding, frames, mask, logits = self.trunk(mel, frame_counts)
        times_s = self._times_s(frames, stride=TIME_STRIDE, first=(TIME_STRIDE - 1) / 2 - _STEM_PADDING)
        return EncoderOutput(embedding, frames, mask, times_s, logits)

    def load_official(self, state: Mapping[str, Tensor], *, strict: bool = True) -> LoadReport:
        """Take over an official checkpoint (zenodo 8020843 or 10987498).

        Raises:
            ModelError: It is of another architecture.
        """
        return load_state(self.trunk, state, expected="convnext-tiny", computed=COMPUTED_PREFIXES, strict=strict)
