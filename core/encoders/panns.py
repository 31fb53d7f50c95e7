"""PANNs: CNN10, CNN14 and ResNet38 (Kong et al. 2020, IEEE/ACM TASLP 28).

Shape legend: b batch, n samples, c channels, t time, f frequency, d embedding.

Maps have the shape (b, c, t, f). In a padded batch what lies behind a clip's end is set to zero before each
3 x 3 convolution, which is what the convolution sees behind a clip that ends with the tensor; poolings halve
and round down. So a clip's result does not depend on what it was batched with. Clips too short to leave one
frame of the last map are taken as followed by silence up to `shortest_samples`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, dropout, relu

from core.encoders.checkpoint import LoadReport, load_state
from core.encoders.length_mask import clear_behind, mean_plus_max
from core.encoders.output import EncoderOutput
from core.encoders.spectrogram_encoder import AUDIOSET_CLASSES, COMPUTED_PREFIXES, SpectrogramEncoder, frames_of_map

MEL_BINS = 64
PannsEmbedding = Literal["fc1", "pooled"]


def _halve(lengths: Tensor | None) -> Tensor | None:
    return None if lengths is None else lengths // 2


class ConvBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm and ReLU, then average pooling."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        nn.init.xavier_uniform_(self.conv1.weight)
        nn.init.xavier_uniform_(self.conv2.weight)

    def forward(self, maps: Tensor, lengths: Tensor | None, *, pool: int) -> Tensor:
        """(b, c, t, f) -> (b, c', t / pool, f / pool)."""
        maps = relu(self.bn1(self.conv1(clear_behind(maps, lengths))))
        maps = relu(self.bn2(self.conv2(clear_behind(maps, lengths))))
        return maps if pool == 1 else avg_pool2d(maps, pool)


class ResidualBlock(nn.Module):
    """ResNet's basic block; one of stride 2 average-pools before its first convolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        nn.init.xavier_uniform_(self.conv1.weight)
        nn.init.xavier_uniform_(self.conv2.weight)
        nn.init.zeros_(self.bn2.weight)
        self.downsample: nn.Sequential | None = None
        if stride == 2:
            self.downsample = nn.Sequential(
                nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, maps: Tensor, lengths: Tensor | None) -> Tensor:
        """(b, c, t, f) -> (b, c', t / stride, f / stride); `lengths` are those before the stride."""
        identity = maps if self.downsample is None else self.downsample(maps)
        if self.stride == 2:
            maps, lengths = avg_pool2d(maps, 2), _halve(lengths)
        maps = relu(self.bn1(self.conv1(clear_behind(maps, lengths))))
        maps = dropout(maps, 0.1, self.training)
        return relu(self.bn2(self.conv2(clear_behind(maps, lengths))) + identity)


class _ResNetLayers(nn.Module):
    """The four layers of ResNet38's middle: 3, 4, 6 and 3 blocks."""

    def __init__(self) -> None:
        super().__init__()
        inputs = 64
        for index, (outputs, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
            blocks = nn.ModuleList()
            for position in range(count):
                blocks.append(ResidualBlock(inputs, outputs, 2 if position == 0 and index > 1 else 1))
                inputs = outputs
            self.add_module(f"layer{index}", blocks)

    def forward(self, maps: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(b, 64, t, f) -> (b, 512, t / 8, f / 8) and its lengths."""
        for layer in self.children():
            assert isinstance(layer, nn.ModuleList)
            for block in layer:
                maps = block(maps, lengths)
                lengths = lengths if block.stride == 1 else _halve(lengths)
        return maps, lengths


class PannsTrunk(nn.Module):
    """What the three networks share: batch norm over mels, pooling over the last map, two linear layers."""

    time_stride: int

    def __init__(self, *, dimension: int, mel_bins: int, classes: int, conv_dropout: float, dropout: float) -> None:
        super().__init__()
        self.dimension = dimension
        self.conv_dropout = conv_dropout
        self.dropout = dropout
        self.bn0 = nn.BatchNorm2d(mel_bins)
        self.fc1 = nn.Linear(dimension, dimension)
        self.fc_audioset = nn.Linear(dimension, classes)
        for layer in (self.fc1, self.fc_audioset):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def last_map(self, maps: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(b, 1, t, f) normalised log-mel -> (b, d, t / time_stride, f') and its lengths."""
        raise NotImplementedError

    def _dropped(self, maps: Tensor) -> Tensor:
        return dropout(maps, self.conv_dropout, self.training)

    def forward(self, mel: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Encode log-mels.

        Args:
            mel: (b, t, f).
            lengths: (b,) frames of each clip or None.

        Returns:
            Pooled (b, d), embedding after fc1 (b, d), frames (b, t', d), frame mask (b, t'), logits.
        """
        maps = self.bn0(mel.unsqueeze(1).transpose(1, 3)).transpose(1, 3)
        maps, lengths = self.last_map(maps, lengths)
        frames, mask = frames_of_map(maps, lengths)
        pooled = mean_plus_max(frames, mask)
        hidden = relu(self.fc1(dropout(pooled, self.dropout, self.training)))
        logits = self.fc_audioset(hidden)
        return pooled, dropout(hidden, self.dropout, self.training), frames, mask, logits


class ConvTrunk(PannsTrunk):
    """CNN10 and CNN14: convolution blocks one after the other.

    Args:
        channels: Of each block.
        last_pool: 2 or 1, the pooling of the last block.
    """

    def __init__(
        self, channels: tuple[int, ...], *, last_pool: int, mel_bins: int, classes: int, conv_dropout: float,
        dropout: float,
    ) -> None:  # fmt: skip
        super().__init__(
            dimension=channels[-1], mel_bins=mel_bins, classes=classes, conv_dropout=conv_dropout, dropout=dropout
        )
        self.pools = (*(2 for _ in channels[1:]), last_pool)
        self.time_stride = 2 ** (len(channels) - 1) * last_pool
        inputs = 1
        for index, outputs in enumerate(channels, start=1):
            self.add_module(f"conv_block{index}", ConvBlock(inputs, outputs))
            inputs = outputs

    def last_map(self, maps: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """See `PannsTrunk.last_map`."""
        for index, pool in enumerate(self.pools, start=1):
            maps = self._dropped(self.get_submodule(f"conv_block{index}")(maps, lengths, pool=pool))
            lengths = lengths if pool == 1 else _halve(lengths)
        return maps, lengths


class ResNet38Trunk(PannsTrunk):
    """A convolution block, a ResNet of 3-4-6-3 basic blocks, and a wide convolution block."""

    time_stride = 32

    def __init__(self, *, mel_bins: int, classes: int, conv_dropout: float, dropout: float) -> None:
        super().__init__(dimension=2048, mel_bins=mel_bins, classes=classes, conv_dropout=conv_dropout, dropout=dropout)
        self.conv_block1 = ConvBlock(1, 64)
        self.resnet = _ResNetLayers()
        self.conv_block_after1 = ConvBlock(512, 2048)

    def last_map(self, maps: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """See `PannsTrunk.last_map`."""
        maps = self._dropped(self.conv_block1(maps, lengths, pool=2))
        maps, lengths = self.resnet(maps, _halve(lengths))
        maps, lengths = self._dropped(avg_pool2d(maps, 2)), _halve(lengths)
        return self._dropped(self.conv_block_after1(maps, lengths, pool=1)), lengths


PannsName = Literal["cnn10", "cnn14", "resnet38"]
_CONV_CHANNELS = {"cnn10": (64, 128, 256, 512), "cnn14": (64, 128, 256, 512, 1024, 2048)}


class PannsEncoder(SpectrogramEncoder):
    """Front-end and trunk: waveform in, `EncoderOutput` out.

    `frames` are the last map averaged over frequency, (b, t, d), before fc1.

    Args:
        network: "cnn10", "cnn14" or "resnet38".
        last_pool: Of CNN14's last block: 1 as published; 2 as Mei et al. 2022 and Xin and Zou 2023 have it, which
            gives half as many frames of 0.64 s. CNN10 has 2. ResNet38 takes no choice.
        embedding: "fc1" is the published embedding; "pooled" is the mean plus the maximum over time before the
            "last two linear layers", which Mei et al. discard (section 2.2).
        classes: Of the classifier.
        conv_dropout: After each block while training.
        dropout: Around fc1 while training.
    """

    def __init__(
        self,
        *,
        network: PannsName,
        last_pool: int | None = None,
        embedding: PannsEmbedding = "fc1",
        classes: int = AUDIOSET_CLASSES,
        conv_dropout: float = 0.2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__(MEL_BINS)
        if last_pool is not None and (network == "resnet38" or last_pool not in (1, 2)):
            raise ValueError(f"last_pool is 1 or 2 for cnn10 and cnn14, not {last_pool} for {network}")
        self.network = network
        self.embedding: PannsEmbedding = embedding
        self.trunk: PannsTrunk
        if network == "resnet38":
            self.trunk = ResNet38Trunk(mel_bins=MEL_BINS, classes=classes, conv_dropout=conv_dropout, dropout=dropout)
        else:
            self.trunk = ConvTrunk(
                _CONV_CHANNELS[network],
                last_pool=last_pool or (2 if network == "cnn10" else 1),
                mel_bins=MEL_BINS,
                classes=classes,
                conv_dropout=conv_dropout,
                dropout=dropout,
            )

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return self.trunk.dimension

    @property
    def shortest_samples(self) -> int:
        """Shorter clips are taken as followed by silence up to this."""
        return self.front_end.config.shortest_for(self.trunk.time_stride)

    def encode_mel(self, mel: Tensor, frame_counts: Tensor | None = None) -> EncoderOutput:
        """The same from log-mels (b, t, f), of which `frame_counts` (b,) frames each are no padding."""
        pooled, hidden, frames, mask, logits = self.trunk(mel, frame_counts)
        stride = self.trunk.time_stride
        times_s = self._times_s(frames, stride=stride, first=(stride - 1) / 2)
        return EncoderOutput(pooled if self.embedding == "pooled" else hidden, frames, mask, times_s, logits)

    def load_official(self, state: Mapping[str, Tensor], *, strict: bool = True) -> LoadReport:
        """Take over an official checkpoint (zenodo 3987831).

        Raises:
            ModelError: It is of another architecture.
        """
        return load_state(self.trunk, state, expected=self.network, computed=COMPUTED_PREFIXES, strict=strict)
