"""A caption decoder that hears a clip as a whole, in a few stretches, and frame by frame.

The transformer of CNext-trans (`core.captioning.decoder`), but what it attends to begins with places made from
embeddings in the space that sounds and texts share: of the whole clip and of its stretches, a few parts of equal
length from its beginning to its end. Attention knows no order by itself, and "a, then b" needs one: each stretch has a
place of its own. The frames follow, normalised and with sinusoidal positions.

Shape legend: a audios, t frames, d encoder features, e embedding, q stretches, p places of an embedding, w width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from core.captioning.decoder import TransformerCaptionDecoder
from core.captioning.protocol import AudioFeatures


class PrefixedCaptionDecoder(TransformerCaptionDecoder):
    """Takes `AudioFeatures.clip` (a, (1 + q) e): the embedding of the whole clip, then those of its stretches in time.

    Args:
        vocabulary_size: v, special tokens included.
        feature_dimension: d of the encoder's frames.
        clip_dimension: e.
        prefix: p.
        stretches: q.
        options: As `TransformerCaptionDecoder`.
    """

    frame_mean: Tensor
    frame_scale: Tensor
    clip_mean: Tensor

    def __init__(
        self,
        *,
        vocabulary_size: int,
        feature_dimension: int,
        clip_dimension: int,
        prefix: int = 4,
        stretches: int = 4,
        **options: Any,
    ) -> None:
        super().__init__(vocabulary_size=vocabulary_size, feature_dimension=feature_dimension, **options)
        self.clip_dimension = clip_dimension
        self.prefix = prefix
        self.stretches = stretches
        self.clip_projection = nn.Linear(clip_dimension, prefix * self.width)
        self.stretch_places = nn.Parameter(torch.randn(stretches, 1, self.width))
        self.memory_norm = nn.LayerNorm(self.width)
        self.register_buffer("frame_mean", torch.zeros(feature_dimension))
        self.register_buffer("frame_scale", torch.ones(feature_dimension))
        self.register_buffer("clip_mean", torch.zeros(clip_dimension))

    def set_statistics(self, *, frame_mean: Tensor, frame_scale: Tensor, clip_mean: Tensor) -> None:
        """Give mean and scale (d,) of the training frames and the mean (e,) of the clips' embeddings."""
        with torch.no_grad():
            self.frame_mean.copy_(frame_mean)
            self.frame_scale.copy_(frame_scale)
            self.clip_mean.copy_(clip_mean)

    def hear(self, audio: AudioFeatures) -> tuple[Tensor, Tensor]:
        """Places of the whole, places of the stretches, frames: (a, p + q p + t, w), and which of them count."""
        wanted = (1 + self.stretches) * self.clip_dimension
        if audio.clip is None or audio.clip.shape[1] != wanted:
            raise ValueError(f"expected {wanted} numbers of the clip and its stretches for each audio")
        embeddings = audio.clip.view(len(audio), 1 + self.stretches, self.clip_dimension) - self.clip_mean
        places = self.clip_projection(embeddings).view(len(audio), 1 + self.stretches, self.prefix, self.width)
        whole, parts = places[:, 0], (places[:, 1:] + self.stretch_places).flatten(1, 2)
        projected = self.project((audio.frames - self.frame_mean) / self.frame_scale)
        projected = projected + self.positions[: projected.shape[1]]
        memory: Tensor = self.memory_norm(torch.cat([whole, parts, projected], dim=1))
        always = audio.frame_mask.new_ones(len(audio), (1 + self.stretches) * self.prefix)
        return memory, torch.cat([always, audio.frame_mask], dim=1)


def stretch_means(frames: Tensor, mask: Tensor, count: int) -> Tensor:
    """Means (a, count, d) of stretches of the frames that count, which stand at the front of (a, t, d).

    A frame on the border of two stretches belongs to each with its share, so that short clips have all stretches, too.
    """
    lengths = mask.sum(dim=1, keepdim=True).to(frames.dtype).clamp(min=1)  # (a, 1)
    edges = torch.arange(count + 1, device=frames.device, dtype=frames.dtype) / count * lengths  # (a, count + 1)
    begins, ends = edges[:, :-1, None], edges[:, 1:, None]
    first = torch.arange(frames.shape[1], device=frames.device, dtype=frames.dtype)  # (t,)
    shares = (torch.minimum(ends, first + 1) - torch.maximum(begins, first)).clamp(min=0)  # (a, count, t)
    means: Tensor = (shares * (count / lengths)[:, :, None]) @ frames
    return means
