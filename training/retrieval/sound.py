"""The sounds of a run, however they reach the heads: kept features, kept maps with a tail that learns, or waveforms.

Shape legend: n clips, b batch, t frames, e encoder embedding, c map channels, f map rows, s samples.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from core.encoders.efficientat import BLOCKS, MobileNetEncoder, MobileNetTrunk, TimeMask
from core.encoders.output import EncoderOutput
from core.types import FloatArray, IntArray
from training.data.augmentation import SpecAugment
from training.data.cache import ArrayCache, content_key, file_digest
from training.data.dataset import Clip
from training.data.sound import read_sound
from training.data.wave_augmentation import add_noise, change_gain
from training.retrieval.config import AudioPart, SpecAugmentConfig, WaveAugmentConfig
from training.retrieval.encoder import Places, digest, load_audio_encoder
from training.retrieval.ragged import Ragged

_CLIPS_IN_SHARD = 256
_EVALUATED_AT_ONCE = 16
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SoundBatch:
    """What a batch's sounds are made from.

    Attributes:
        values: Embeddings (b, e), maps (b, t, c f) or waveforms (b, s).
        frames: (b, t, e) kept frames, or None.
        mask: (b, t) of the frames or maps, or None.
        lengths: (b,) samples of each waveform, or None.
    """

    values: Tensor
    frames: Tensor | None = None
    mask: Tensor | None = None
    lengths: Tensor | None = None


class Sounds(nn.Module, ABC):
    """Clips by number, and from a batch of them to an `EncoderOutput`."""

    dimension: int
    at_once = 256
    """Clips that are evaluated together."""

    @abstractmethod
    def batch(self, rows: IntArray, rng: np.random.Generator | None = None) -> SoundBatch:
        """On the CPU; with `rng` as for training."""

    @abstractmethod
    def forward(self, batch: SoundBatch) -> EncoderOutput:
        """Encode a batch."""

    @abstractmethod
    def encoder(self) -> nn.Module:
        """The audio encoder as it is now, for export."""


def open_sounds(part: AudioPart, clips: Sequence[Clip], places: Places, *, frames: bool) -> Sounds:
    """The sounds of a recipe.

    Raises:
        KnownError: The encoder or a clip cannot be read.
    """
    encoder = load_audio_encoder(part, places.weights)
    if not part.is_cached:
        return LiveSounds(encoder, clips, part)
    if part.tuned == "last":
        assert isinstance(encoder, MobileNetEncoder)  # The recipe has been checked.
        return TailSounds(encoder, clips, part, places)
    return KeptSounds(encoder, clips, part, places, frames=frames)


def read_clip(clip: Clip, part: AudioPart, rate_hz: int, rng: np.random.Generator | None = None) -> FloatArray:
    """A clip's samples, at most `part.seconds`: with `rng` from a random place and changed as the recipe says, else
    from its beginning."""
    samples = read_sound(clip, sample_rate_hz=rate_hz)
    longest, shortest = round(part.seconds * rate_hz), round(part.shortest_s * rate_hz)
    if len(samples) > longest:
        start = 0 if rng is None else int(rng.integers(len(samples) - longest + 1))
        samples = samples[start : start + longest]
    if rng is not None and part.wave_augment is not None:
        samples = _changed(samples, part.wave_augment, rng)
    if len(samples) < shortest:
        samples = np.concatenate([samples, np.zeros(shortest - len(samples), dtype=np.float32)])
    return samples


def _changed(samples: FloatArray, config: WaveAugmentConfig, rng: np.random.Generator) -> FloatArray:
    samples = change_gain(samples, rng, most_db=config.gain_db)
    if rng.random() < config.noise_share:
        least, most = config.noise_snr_db
        samples = add_noise(samples, rng, least_snr_db=least, most_snr_db=most)
    return samples


Run = Callable[[Tensor], dict[str, FloatArray]]


def _shards(
    clips: Sequence[Clip], part: AudioPart, places: Places, rate_hz: int, run: Run, kinds: Sequence[str], **key: Any
) -> dict[str, list[dict[str, FloatArray]]]:
    """What `run` makes of every clip's waveform (1, s), kept shard by shard: its arrays one behind the other.

    Args:
        clips: All of them.
        part: How they are read.
        places: Says where the cache is.
        rate_hz: What the encoder takes.
        run: Gives arrays named "KIND" and "KIND/counts"; each kind is kept by itself.
        kinds: Those that are wanted.
        **key: What else the arrays follow from.

    Returns:
        For each kind its shards.
    """
    cache = ArrayCache(places.cache)
    shards = [clips[begin : begin + _CLIPS_IN_SHARD] for begin in range(0, len(clips), _CLIPS_IN_SHARD)]
    found: dict[str, list[dict[str, FloatArray]]] = {kind: [] for kind in kinds}
    for shard in track(shards, description="sounds", transient=True):
        files = [file_digest(clip.path) for clip in shard]
        made: dict[str, FloatArray] = {}

        def compute(
            kind: str, shard: Sequence[Clip] = shard, made: dict[str, FloatArray] = made
        ) -> dict[str, FloatArray]:
            if not made:
                rows = [run(torch.from_numpy(read_clip(clip, part, rate_hz))[None]) for clip in shard]
                made.update({name: np.concatenate([row[name] for row in rows]) for name in rows[0]})
            return {name.partition("/")[2] or "rows": rows for name, rows in made.items() if name.startswith(kind)}

        for kind in kinds:
            settings = {"seconds": part.seconds, "shortest_s": part.shortest_s, "kind": kind, **key}
            found[kind].append(cache.get(content_key(files=files, **settings), partial(compute, kind)))
    return found


class KeptSounds(Sounds):
    """A frozen encoder's embeddings, and its frames where they are needed."""

    def __init__(
        self, encoder: nn.Module, clips: Sequence[Clip], part: AudioPart, places: Places, *, frames: bool
    ) -> None:
        super().__init__()
        # Not a submodule: a frozen encoder is not saved with every run.
        self._encoder = [encoder.eval().requires_grad_(False)]
        rate_hz, self.dimension = int(encoder.sample_rate_hz), int(encoder.dimension)  # type: ignore[arg-type]

        @torch.inference_mode()
        def run(waveform: Tensor) -> dict[str, FloatArray]:
            output: EncoderOutput = encoder(waveform)
            return {
                "embedding": output.embedding.numpy(),
                "frames": output.frames[0].numpy(),
                "frames/counts": np.asarray([output.frames.shape[1]], dtype=np.float32),
            }

        key = digest(encoder, name=part.encoder, options=part.options)
        kinds = ["embedding", "frames"] if frames else ["embedding"]
        found = _shards(clips, part, places, rate_hz, run, kinds, encoder=key)
        self._embedding = torch.from_numpy(np.concatenate([one["rows"] for one in found["embedding"]]))
        self.frames = Ragged.join([(one["rows"], one["counts"]) for one in found["frames"]]) if frames else None

    def batch(self, rows: IntArray, rng: np.random.Generator | None = None) -> SoundBatch:
        """See `Sounds`."""
        frames, mask = (None, None) if self.frames is None else self.frames.padded(rows)
        return SoundBatch(self._embedding[rows], frames, mask)

    def forward(self, batch: SoundBatch) -> EncoderOutput:
        """See `Sounds`."""
        frames, mask = batch.frames, batch.mask
        if frames is None or mask is None:
            frames = batch.values[:, None]
            mask = torch.ones(frames.shape[:2], dtype=torch.bool, device=frames.device)
        return EncoderOutput(batch.values, frames, mask, torch.zeros(frames.shape[1]))

    def encoder(self) -> nn.Module:
        """See `Sounds`."""
        return self._encoder[0]


class TailSounds(Sounds):
    """A MobileNet whose last blocks learn, on kept maps from before them. Batch norms keep their statistics."""

    def __init__(self, encoder: MobileNetEncoder, clips: Sequence[Clip], part: AudioPart, places: Places) -> None:
        super().__init__()
        self._encoder = [encoder.eval().requires_grad_(False)]
        self.dimension = encoder.dimension
        trunk, first = encoder.trunk, len(BLOCKS) - part.tuned_blocks
        self._channels = 0

        @torch.inference_mode()
        def run(waveform: Tensor) -> dict[str, FloatArray]:
            maps = _maps_before(trunk, encoder.front_end(waveform, None), first)
            rows = maps[0].flatten(0, 1).T.numpy()
            return {"maps": rows, "maps/counts": np.asarray([len(rows)], dtype=np.float32)}

        key = digest(encoder, name=part.encoder, options=part.options)
        found = _shards(clips, part, places, encoder.sample_rate_hz, run, ["maps"], encoder=key, first=first)
        self._maps = Ragged.join([(one["rows"], one["counts"]) for one in found["maps"]])
        self.blocks = nn.ModuleList(list(trunk.blocks)[first:])
        self.last = trunk.last
        self.requires_grad_(True)
        self._channels = int(trunk.blocks[first - 1].project[0].out_channels)  # type: ignore[union-attr,index]

    def batch(self, rows: IntArray, rng: np.random.Generator | None = None) -> SoundBatch:
        """See `Sounds`."""
        maps, mask = self._maps.padded(rows)
        return SoundBatch(maps, None, mask)

    def forward(self, batch: SoundBatch) -> EncoderOutput:
        """See `Sounds`."""
        assert batch.mask is not None  # Written by `batch`.
        values = batch.values.transpose(1, 2)
        maps = values.reshape(len(values), self._channels, -1, values.shape[2])
        counts = TimeMask(batch.mask.sum(dim=1))
        for block in self.blocks:
            maps = block(maps, counts, 1)
        maps = counts.clear(self.last(maps), 1)
        times = torch.zeros(maps.shape[3], device=maps.device)
        return EncoderOutput(counts.mean(maps, 1), maps.mean(dim=2).transpose(1, 2), batch.mask, times)

    def train(self, mode: bool = True) -> TailSounds:
        """Training mode, but for the batch norms."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def encoder(self) -> nn.Module:
        """See `Sounds`; its last blocks are the ones that learn."""
        return self._encoder[0]


def _maps_before(trunk: MobileNetTrunk, mel: Tensor, first: int) -> Tensor:
    """(1, t, f) log-mel -> the map (1, c, f', t') that the block `first` is given."""
    maps: Tensor = trunk.stem(mel.transpose(1, 2).unsqueeze(1))
    for block in list(trunk.blocks)[:first]:
        maps = block(maps)
    return maps


class LiveSounds(Sounds):
    """Waveforms through the encoder, which learns or is at least given other pieces and other stripes every time."""

    at_once = _EVALUATED_AT_ONCE

    def __init__(self, encoder: nn.Module, clips: Sequence[Clip], part: AudioPart) -> None:
        super().__init__()
        self._clips = clips
        self._part = part
        self._rate_hz, self.dimension = int(encoder.sample_rate_hz), int(encoder.dimension)  # type: ignore[arg-type]
        self._learns = part.tuned == "all"
        encoder.requires_grad_(self._learns)
        self.network = encoder
        front_end = getattr(encoder, "front_end", None)
        if part.spec_augment is not None and isinstance(front_end, nn.Module):
            self.blank = blanking(part.spec_augment)
            front_end.register_forward_hook(self._blanked)

    def _blanked(self, front_end: Any, inputs: tuple[Tensor, Tensor | None], mel: Tensor) -> Tensor:
        """A log-mel (b, t, f) with stripes, those in time on the sound itself."""
        lengths = inputs[1]
        blanked: Tensor = self.blank(mel, None if lengths is None else front_end.frame_counts(lengths))
        return blanked

    def batch(self, rows: IntArray, rng: np.random.Generator | None = None) -> SoundBatch:
        """See `Sounds`."""
        sounds = [read_clip(self._clips[row], self._part, self._rate_hz, rng) for row in rows]
        lengths = torch.tensor([len(sound) for sound in sounds])
        waveform = torch.zeros(len(sounds), int(lengths.max()))
        for row, sound in enumerate(sounds):
            waveform[row, : len(sound)] = torch.from_numpy(sound)
        return SoundBatch(waveform, lengths=lengths)

    def forward(self, batch: SoundBatch) -> EncoderOutput:
        """See `Sounds`."""
        with nullcontext() if self._learns else torch.no_grad():
            output: EncoderOutput = self.network(batch.values, batch.lengths)
        return output

    def train(self, mode: bool = True) -> LiveSounds:
        """Training mode; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if not self._learns:
            self.network.eval()
        return self

    def encoder(self) -> nn.Module:
        """See `Sounds`."""
        return self.network


def blanking(config: SpecAugmentConfig) -> SpecAugment:
    """The stripes of a recipe: each holds its clip's own mean."""
    return SpecAugment(
        time_stripes=config.time_stripes,
        time_width=config.time_frames,
        feature_stripes=config.mel_stripes,
        feature_width=config.mel_bins,
        fill=None,
    )


def existing(path: str, beside: Path) -> Path:
    """A path as it is given, or beside the run's folder."""
    return Path(path) if Path(path).is_absolute() else beside / path
