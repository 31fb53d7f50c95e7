"""EfficientAT's MobileNetV3 audio taggers at any width (Schmid, Koutini, Widmer 2023).

Shape legend: b batch, n samples, t time, f frequency, c channels, d embedding.

Feature maps have the shape (b, c, f, t). In a padded batch the part of every map that lies behind a clip's
end is set to zero before each spatial convolution, and every mean leaves it out; so a clip's result does not
depend on what it was batched with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.audio.frontend import PASST_LOG_MEL, LogMel, LogMelConfig
from core.audio.frontend import frame_times_s as frame_centres_s
from core.encoders.checkpoint import LoadReport, load_state
from core.encoders.output import EncoderOutput
from core.encoders.validation import check_waveform

AUDIOSET_CLASSES = 527
_BATCH_NORM_EPS = 1e-3
_BATCH_NORM_MOMENTUM = 0.01
TIME_STRIDE = 32
"""Front-end frames for each frame of the last map."""


@dataclass(frozen=True, slots=True)
class BlockConfig:
    """One inverted residual block; channel counts are those of width 1."""

    kernel: int
    expanded: int
    out: int
    excited: bool
    hard_swish: bool
    stride: int


# MobileNetV3-Large (Howard et al. 2019, table 1).
BLOCKS: tuple[BlockConfig, ...] = (
    BlockConfig(3, 16, 16, False, False, 1),
    BlockConfig(3, 64, 24, False, False, 2),
    BlockConfig(3, 72, 24, False, False, 1),
    BlockConfig(5, 72, 40, True, False, 2),
    BlockConfig(5, 120, 40, True, False, 1),
    BlockConfig(5, 120, 40, True, False, 1),
    BlockConfig(3, 240, 80, False, True, 2),
    BlockConfig(3, 200, 80, False, True, 1),
    BlockConfig(3, 184, 80, False, True, 1),
    BlockConfig(3, 184, 80, False, True, 1),
    BlockConfig(3, 480, 112, True, True, 1),
    BlockConfig(3, 672, 112, True, True, 1),
    BlockConfig(5, 672, 160, True, True, 2),
    BlockConfig(5, 960, 160, True, True, 1),
    BlockConfig(5, 960, 160, True, True, 1),
)
_STEM_CHANNELS = 16
_HIDDEN_CHANNELS = 1280


def divisible_channels(channels: float, divisor: int = 8) -> int:
    """Round to a multiple of `divisor`, but never down by more than a tenth (Howard et al. 2019)."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class TimeMask:
    """How much of each map belongs to each clip, through all strides.

    Args:
        lengths: (b,) front-end frames of each clip.
    """

    def __init__(self, lengths: Tensor) -> None:
        self._lengths = lengths

    def lengths(self, stride: int) -> Tensor:
        """(b,) frames of each clip after a total stride: every stride of two rounds up."""
        return -(-self._lengths // stride)

    def mask(self, width: int, stride: int) -> Tensor:
        """(b, 1, 1, width) True inside the clip."""
        position = torch.arange(width, device=self._lengths.device)
        return (position < self.lengths(stride)[:, None])[:, None, None, :]

    def clear(self, maps: Tensor, stride: int) -> Tensor:
        """Set (b, c, f, t) to zero behind each clip's end."""
        return maps.masked_fill(~self.mask(maps.shape[3], stride), 0.0)

    def mean(self, maps: Tensor, stride: int) -> Tensor:
        """Mean of (b, c, f, t) over frequency and each clip's own time: (b, c)."""
        # In half precision the sum of a map leaves the range of numbers before the division brings it back.
        wide = torch.promote_types(maps.dtype, torch.float32)
        total = self.clear(maps, stride).sum(dim=(2, 3), dtype=wide)
        return (total / (self.lengths(stride)[:, None] * maps.shape[2])).to(maps.dtype)

    def over_time(self, maps: Tensor, stride: int) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of (b, c, f, t) over each clip's own time: (b, c, f) each, in float32."""
        wide = maps.to(torch.promote_types(maps.dtype, torch.float32))
        length = self.lengths(stride)[:, None, None]
        mean = self.clear(wide, stride).sum(dim=3) / length
        spread = self.clear(wide - mean[..., None], stride).square().sum(dim=3) / length
        return mean, spread.sqrt()


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm, activation; the official names are `0` and `1`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] | None = None,
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPS, momentum=_BATCH_NORM_MOMENTUM),
        ]
        if activation is not None:
            layers.append(activation())
        super().__init__(*layers)


class SqueezeExcitation(nn.Module):
    """Scale channels by a sigmoid of their means, as in EfficientAT: the gate is not the hard sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = divisible_channels(channels // 4)
        self.fc1 = nn.Linear(channels, squeezed)
        self.fc2 = nn.Linear(squeezed, channels)

    def forward(self, maps: Tensor, mask: TimeMask | None = None, stride: int = 1) -> Tensor:
        """(b, c, f, t) -> (b, c, f, t)."""
        return maps * self.gate(maps.mean(dim=(2, 3)) if mask is None else mask.mean(maps, stride))

    def gate(self, mean: Tensor) -> Tensor:
        """Factors for the channels: their means (b, c) -> (b, c, 1, 1)."""
        return torch.sigmoid(self.fc2(torch.relu(self.fc1(mean))))[:, :, None, None]


class InvertedResidual(nn.Module):
    """Expand, depthwise convolution, squeeze-excitation, project; plus the input where shapes allow."""

    def __init__(self, config: BlockConfig, inputs: int, width: float) -> None:
        super().__init__()
        expanded = divisible_channels(config.expanded * width)
        outputs = divisible_channels(config.out * width)
        activation: type[nn.Module] = nn.Hardswish if config.hard_swish else nn.ReLU
        self.stride = config.stride
        self.residual = config.stride == 1 and inputs == outputs
        self.expand = ConvNorm(inputs, expanded, activation=activation) if expanded != inputs else None
        self.depthwise = ConvNorm(
            expanded,
            expanded,
            kernel=config.kernel,
            stride=config.stride,
            groups=expanded,
            activation=activation,
        )
        self.excitation = SqueezeExcitation(expanded) if config.excited else None
        self.project = ConvNorm(expanded, outputs)

    def forward(self, maps: Tensor, mask: TimeMask | None = None, stride: int = 1) -> Tensor:
        """(b, c, f, t) at a total stride -> (b, c', f', t') at `stride` times the block's own."""
        hidden = maps if self.expand is None else self.expand(maps)
        if mask is not None:
            hidden = mask.clear(hidden, stride)
        hidden = self.depthwise(hidden)
        if self.excitation is not None:
            hidden = self.excitation(hidden, mask, stride * self.stride)
        projected: Tensor = self.project(hidden)
        return maps + projected if self.residual else projected


class MobileNetTrunk(nn.Module):
    """Everything from the log-mel to the last map, and the AudioSet classifier.

    Args:
        width: Multiplies every channel count: 0.4 is mn04, 1.0 mn10, 4.0 mn40.
        classes: Outputs of the classifier.
        dropout: Before the last layer of the classifier.
        taps: Numbers of the blocks that a summary also describes (see `summarise`).
        mel_summary: It also describes the log-mel itself.
        mel_bins: f; a summary's length depends on it.
    """

    def __init__(
        self,
        *,
        width: float,
        classes: int = AUDIOSET_CLASSES,
        dropout: float = 0.2,
        taps: Sequence[int] = (),
        mel_summary: bool = False,
        mel_bins: int = PASST_LOG_MEL.mel_bins,
    ) -> None:
        super().__init__()
        channels = divisible_channels(_STEM_CHANNELS * width)
        self.stem = ConvNorm(1, channels, kernel=3, stride=2, activation=nn.Hardswish)
        self.blocks = nn.ModuleList()
        self.taps = frozenset(taps)
        self.mel_summary = mel_summary
        stride, tapped = 2, 3 * mel_bins * mel_summary
        for number, block in enumerate(BLOCKS):
            self.blocks.append(InvertedResidual(block, channels, width))
            channels = divisible_channels(block.out * width)
            stride *= block.stride
            if number in self.taps:
                tapped += 2 * channels * -(-mel_bins // stride)
        self.dimension = 6 * channels
        self.summary_dimension = self.dimension + tapped
        self.classes = classes
        self.last = ConvNorm(channels, self.dimension, activation=nn.Hardswish)
        hidden = divisible_channels(_HIDDEN_CHANNELS * width)
        self.classifier = nn.Sequential(
            nn.Linear(self.dimension, hidden), nn.Hardswish(), nn.Dropout(dropout), nn.Linear(hidden, classes)
        )

    def maps(self, mel: Tensor, mask: TimeMask | None = None) -> Tensor:
        """(b, 1, f, t) log-mel -> (b, d, f / 32, t / 32)."""
        stride = 2
        maps = self.stem(mel if mask is None else mask.clear(mel, 1))
        for block, config in zip(self.blocks, BLOCKS, strict=True):
            maps = block(maps, mask, stride)
            stride *= config.stride
        last: Tensor = self.last(maps)
        return last

    def forward(self, mel: Tensor, frame_counts: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Encode log-mels.

        Args:
            mel: (b, t, f).
            frame_counts: (b,) frames of each clip, the rest being padding; None: all t.

        Returns:
            Embedding (b, d), frames (b, t / 32, d), class logits (b, classes).
        """
        mask = None if frame_counts is None else TimeMask(frame_counts)
        maps = self.maps(mel.transpose(1, 2).unsqueeze(1), mask)
        if mask is None:
            embedding = maps.mean(dim=(2, 3))
        else:
            maps = mask.clear(maps, TIME_STRIDE)
            embedding = mask.mean(maps, TIME_STRIDE)
        return embedding, maps.mean(dim=2).transpose(1, 2), self.classifier(embedding)

    def summarise(self, mel: Tensor, frame_counts: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Encode log-mels, with what the tapped blocks make of them on the way.

        The last block knows what a sound is called; the ones before still know how it sounds: pitch, texture, attacks.

        Args:
            mel: (b, t, f).
            frame_counts: (b,) frames of each clip, the rest being padding; None: all t.

        Returns:
            Summary (b, s): the embedding (d); for each tapped block, in order, mean and standard deviation over time of
            every channel and frequency; mean, standard deviation and maximum of every mel bin, if they are wanted.
            Class logits (b, classes).
        """
        if frame_counts is None:
            frame_counts = torch.full((len(mel),), mel.shape[1], device=mel.device)
        mask = TimeMask(frame_counts)
        maps = self.stem(mask.clear(mel.transpose(1, 2).unsqueeze(1), 1))
        stride, seen = 2, []
        for number, (block, config) in enumerate(zip(self.blocks, BLOCKS, strict=True)):
            maps = block(maps, mask, stride)
            stride *= config.stride
            if number in self.taps:
                seen += [part.flatten(1).to(maps.dtype) for part in mask.over_time(maps, stride)]
        if self.mel_summary:
            bins = mel.transpose(1, 2).unsqueeze(1)
            highest = bins.masked_fill(~mask.mask(bins.shape[3], 1), -torch.inf).amax(dim=3)
            seen += [part.flatten(1).to(maps.dtype) for part in (*mask.over_time(bins, 1), highest)]
        embedding = mask.mean(self.last(maps), TIME_STRIDE)
        return torch.cat([embedding, *seen], dim=1), self.classifier(embedding)

    def load_official(self, state: Mapping[str, Tensor], *, strict: bool = True) -> LoadReport:
        """Take over a checkpoint of the authors, or any state dict with their names.

        Raises:
            ModelError: It is of another architecture.
        """
        return load_state(self, state, expected="EfficientAT", rename=_own_name, strict=strict)


_OFFICIAL_NAME = re.compile(r"classifier\.[25]\.\w+|features\.(0|16)\.\d\.\w+|features\.([1-9]|1[0-5])\.block\.\d\..+")


def _own_name(official: str) -> str:
    """Translate `features.4.block.2.conc_se_layers.0.fc1.weight` and the like; names of others stay as they are."""
    if not _OFFICIAL_NAME.fullmatch(official):
        return official
    part, *rest = official.split(".")
    if part == "classifier":
        # Theirs counts the pooling and the flattening that come before.
        return ".".join(["classifier", str(int(rest[0]) - 2), *rest[1:]])
    index = int(rest[0])
    if index == 0:
        return ".".join(["stem", *rest[1:]])
    if index == len(BLOCKS) + 1:
        return ".".join(["last", *rest[1:]])
    block = BLOCKS[index - 1]
    names = ["expand", "depthwise", "excitation", "project"]
    if index == 1:
        names.remove("expand")
    if not block.excited:
        names.remove("excitation")
    if int(rest[2]) >= len(names):
        return official
    name = names[int(rest[2])]
    tail = rest[5:] if name == "excitation" else rest[3:]
    return ".".join(["blocks", str(index - 1), name, *tail])


class MobileNetEncoder(nn.Module):
    """Front-end and trunk: waveform in, `EncoderOutput` out."""

    def __init__(
        self,
        *,
        width: float,
        classes: int = AUDIOSET_CLASSES,
        dropout: float = 0.2,
        taps: Sequence[int] = (),
        mel_summary: bool = False,
    ) -> None:
        super().__init__()
        self.front_end_config: LogMelConfig = PASST_LOG_MEL
        self.front_end = LogMel(self.front_end_config)
        self.trunk = MobileNetTrunk(
            width=width,
            classes=classes,
            dropout=dropout,
            taps=taps,
            mel_summary=mel_summary,
            mel_bins=self.front_end_config.mel_bins,
        )

    @property
    def sample_rate_hz(self) -> int:
        """The rate that `forward` expects."""
        return self.front_end_config.sample_rate_hz

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return self.trunk.dimension

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> EncoderOutput:
        """Encode clips.

        Args:
            waveform: (b, n) at `sample_rate_hz`.
            lengths: (b,) samples of each clip; None: all n.

        Raises:
            ValueError: This is no batch of sound (see `core.encoders.validation`).
        """
        waveform, lengths = check_waveform(waveform, lengths)
        counts = None if lengths is None else self.front_end.frame_counts(lengths)
        embedding, frames, logits = self.trunk(self.front_end(waveform, lengths), counts)
        width = frames.shape[1]
        if counts is None:
            mask = frames.new_ones(frames.shape[:2], dtype=torch.bool)
        else:
            mask = TimeMask(counts.to(frames.device)).mask(width, TIME_STRIDE)[:, 0, 0]
        times = torch.from_numpy(frame_centres_s(self.front_end_config, width, TIME_STRIDE))
        return EncoderOutput(embedding, frames, mask, times.to(frames.device), logits)

    def load_official(self, state: Mapping[str, Tensor], *, strict: bool = True) -> LoadReport:
        """Take over an official checkpoint (see `MobileNetTrunk.load_official`)."""
        return self.trunk.load_official(state, strict=strict)
