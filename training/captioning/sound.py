"""What a frozen encoder hears in clips and in scenes of them, computed once and kept.

Shape legend: n items, s samples, t frames, d features, e clip embedding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from rich.progress import track
from torch import Tensor, nn

from core.audio.frontend import PASST_LOG_MEL
from core.audio.mel_stream import MelBank, fast_log_mel
from core.audio.mono import read_mono
from core.captioning.protocol import AudioFeatures
from core.encoders.efficientat import TIME_STRIDE, MobileNetEncoder
from core.encoders.folded import FoldedMobileNet
from core.encoders.output import EncoderOutput
from core.encoders.windows import fill_with_silence
from core.types import FloatArray, IntArray
from training.captioning.scene import Scene, compose
from training.data.cache import ArrayCache, content_key, file_digest
from training.data.dataset import Clip
from training.retrieval.config import AudioPart
from training.retrieval.encoder import digest
from training.retrieval.ragged import Ragged

_ITEMS_IN_SHARD = 256
_CLIPS_IN_MEMORY = 1024
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class KeptSounds:
    """What was heard in n clips or scenes.

    Attributes:
        embeddings: (n, d) of the encoder; a MobileNet with taps gives its summaries, which begin with them.
        frames: Of each, (t, d).
        clip: (n, (1 + q) e) embeddings of the whole and of its q stretches, and then the summary where there is one,
            for the decoder's prefix, or None.
    """

    embeddings: FloatArray
    frames: Ragged
    clip: Tensor | None = None

    def __len__(self) -> int:
        return len(self.embeddings)

    def take(self, rows: IntArray) -> KeptSounds:
        """Some of them."""
        clip = None if self.clip is None else self.clip[rows]
        return KeptSounds(self.embeddings[rows], self.frames.take(rows), clip)

    def features(self, rows: IntArray) -> AudioFeatures:
        """Of some of them, frames in float32 padded with zeros."""
        frames, mask = self.frames.padded(rows)
        return AudioFeatures(frames, mask, None if self.clip is None else self.clip[rows])


class Listener:
    """A frozen encoder, fed as it will be in use.

    A MobileNet gets log-mels as the program computes them, and gives no frames of the silence behind a short clip;
    other encoders get waveforms.

    Args:
        encoder: In evaluation mode, on the CPU.
        part: Of the recipe.
    """

    def __init__(self, encoder: nn.Module, part: AudioPart) -> None:
        self.rate_hz = int(encoder.sample_rate_hz)  # type: ignore[arg-type]
        self.dimension = int(encoder.dimension)  # type: ignore[arg-type]
        self.key = {
            "encoder": digest(encoder, name=part.encoder, options=part.options),
            "seconds": part.seconds,
            "shortest_s": part.shortest_s,
        }
        self._longest = round(part.seconds * self.rate_hz)
        self._shortest_s = part.shortest_s
        self._run = self._mobile_net(encoder) if isinstance(encoder, MobileNetEncoder) else self._any(encoder)

    def __call__(self, samples: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Samples (s,) -> embedding (1, d), frames (t, d)."""
        with torch.inference_mode():
            embedding, frames = self._run(samples[: self._longest])
        return np.asarray(embedding.numpy()), np.asarray(frames[0].numpy())

    def read(self, path: Path) -> FloatArray:
        """A file's samples at the encoder's rate, as long as the encoder listens."""
        return read_mono(path, sample_rate_hz=self.rate_hz)[: self._longest]

    def _mobile_net(self, encoder: MobileNetEncoder) -> Callable[[FloatArray], tuple[Tensor, Tensor]]:
        folded, bank = FoldedMobileNet(encoder.trunk), MelBank(PASST_LOG_MEL)
        per_second = PASST_LOG_MEL.sample_rate_hz / PASST_LOG_MEL.hop_samples
        shortest = round(self._shortest_s * per_second)
        longest = round(self._longest / PASST_LOG_MEL.sample_rate_hz * per_second)

        def run(samples: FloatArray) -> tuple[Tensor, Tensor]:
            mel = fast_log_mel(bank, samples)[:longest]
            filled = fill_with_silence(mel, shortest, PASST_LOG_MEL.silence)
            embedding, frames, _ = folded.listen(torch.from_numpy(filled)[None])
            return embedding, frames[:, : math.ceil(len(mel) / TIME_STRIDE)]

        return run

    def _any(self, encoder: nn.Module) -> Callable[[FloatArray], tuple[Tensor, Tensor]]:
        shortest = round(self._shortest_s * self.rate_hz)

        def run(samples: FloatArray) -> tuple[Tensor, Tensor]:
            filled = np.pad(samples, (0, max(0, shortest - len(samples))))
            output: EncoderOutput = encoder(torch.from_numpy(filled)[None])
            return output.embedding, output.frames

        return run


def hear_clips(clips: Sequence[Clip], listener: Listener, cache: ArrayCache) -> KeptSounds:
    """What is heard in clips.

    Raises:
        UnusableFileError: A file cannot be read.
    """

    def key(shard: Sequence[Clip]) -> list[object]:
        return [file_digest(clip.path) for clip in shard]

    return _kept(clips, listener, cache, key=key, read=lambda clip: listener.read(clip.path))


def hear_scenes(scenes: Sequence[Scene], clips: Sequence[Clip], listener: Listener, cache: ArrayCache) -> KeptSounds:
    """What is heard in scenes.

    Raises:
        UnusableFileError: A file cannot be read.
    """

    @lru_cache(_CLIPS_IN_MEMORY)
    def sound(row: int) -> FloatArray:
        return listener.read(clips[row].path)

    @lru_cache(None)
    def told(row: int) -> str:
        return file_digest(clips[row].path)

    def key(shard: Sequence[Scene]) -> list[object]:
        return [{**asdict(scene), "first": told(scene.first), "second": told(scene.second)} for scene in shard]

    def read(scene: Scene) -> FloatArray:
        return compose(sound(scene.first), sound(scene.second), scene, sample_rate_hz=listener.rate_hz)

    return _kept(scenes, listener, cache, key=key, read=read)


def _kept(
    items: Sequence[_Item],
    listener: Listener,
    cache: ArrayCache,
    *,
    key: Callable[[Sequence[_Item]], list[object]],
    read: Callable[[_Item], FloatArray],
) -> KeptSounds:
    shards = [items[begin : begin + _ITEMS_IN_SHARD] for begin in range(0, len(items), _ITEMS_IN_SHARD)]
    parts: list[dict[str, FloatArray]] = []
    for shard in track(shards, description="listening", transient=True):

        def compute(shard: Sequence[_Item] = shard) -> dict[str, FloatArray]:
            heard = [listener(read(item)) for item in shard]
            return {
                "embedding": np.concatenate([embedding for embedding, _ in heard]),
                "frames": np.concatenate([frames for _, frames in heard]),
                "counts": np.asarray([len(frames) for _, frames in heard], dtype=np.float32),
            }

        parts.append(cache.get(content_key(kind="caption frames", items=key(shard), **listener.key), compute))
    return KeptSounds(
        np.concatenate([part["embedding"] for part in parts]),
        Ragged.join([(part["frames"], part["counts"]) for part in parts]),
    )
