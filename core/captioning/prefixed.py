"""A caption decoder that hears a clip as a whole, in a few stretches, and frame by frame.

The transformer of CNext-trans (`core.captioning.decoder`), but what it attends to begins with places made from
embeddings in the space that sounds and texts share: of the whole clip and of its stretches, a few parts of equal
length from its beginning to its end. Attention knows no order by itself, and "a, then b" needs one: each stretch has a
place of its own. Where the trunk has taps, its summary of the clip comes next: the last block knows names, the ones
before still know pitch, texture and attacks. The frames follow, normalised and with sinusoidal positions.

Shape legend: a audios, t frames, d encoder features, e embedding, q stretches, s summary, p places of an embedding,
w width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from core.captioning.decoder import TransformerCaptionDecoder
from core.captioning.protocol import AudioFeatures

_FAR_OUT = 5.0


class PrefixedCaptionDecoder(TransformerCaptionDecoder):
    """Takes `AudioFeatures.clip` (a, (1 + q) e + s): the embedding of the whole clip, those of its stretches in time,
    and the summary.

    Args:
        vocabulary_size: v, special tokens included.
        feature_dimension: d of the encoder's frames.
        clip_dimension: e.
        prefix: p.
        stretches: q.
        summary_dimension: s; 0: there is no summary.
        summary_dropout: Of the summary's numbers while training: many of them know nearly the same.
        options: As `TransformerCaptionDecoder`.
    """

    frame_mean: Tensor
    frame_scale: Tensor
    clip_mean: Tensor
    summary_mean: Tensor
    summary_scale: Tensor

    def __init__(
        self,
        *,
        vocabulary_size: int,
        feature_dimension: int,
        clip_dimension: int,
        prefix: int = 4,
        stretches: int = 4,
        summary_dimension: int = 0,
        summary_dropout: float = 0.4,
        **options: Any,
    ) -> None:
        super().__init__(vocabulary_size=vocabulary_size, feature_dimension=feature_dimension, **options)
        self.clip_dimension = clip_dimension
        self.prefix = prefix
        self.stretches = stretches
        self.clip_projection = nn.Linear(clip_dimension, prefix * self.width)
        self.stretch_places = nn.Parameter(torch.randn(stretches, 1, self.width))
        self.summary_dimension = summary_dimension
        if summary_dimension:
            self.summary_projection = nn.Sequential(
                nn.Dropout(summary_dropout),
                nn.Linear(summary_dimension, self.width),
                nn.GELU(),
                nn.Linear(self.width, prefix * self.width),
            )
            self.register_buffer("summary_mean", torch.zeros(summary_dimension))
            self.register_buffer("summary_scale", torch.ones(summary_dimension))
        self.memory_norm = nn.LayerNorm(self.width)
        self.register_buffer("frame_mean", torch.zeros(feature_dimension))
        self.register_buffer("frame_scale", torch.ones(feature_dimension))
        self.register_buffer("clip_mean", torch.zeros(clip_dimension))

    @property
    def first_frame(self) -> int:
        """Places of the memory that come before the frames."""
        return (1 + self.stretches + (self.summary_dimension > 0)) * self.prefix

    def set_statistics(
        self,
        *,
        frame_mean: Tensor,
        frame_scale: Tensor,
        clip_mean: Tensor,
        summary_mean: Tensor | None = None,
        summary_scale: Tensor | None = None,
    ) -> None:
        """Give mean and scale (d,) of the training frames, the mean (e,) of the clips' embeddings, and of summaries
        mean and scale (s,) where there are some."""
        with torch.no_grad():
            self.frame_mean.copy_(frame_mean)
            self.frame_scale.copy_(frame_scale)
            self.clip_mean.copy_(clip_mean)
            if summary_mean is not None and summary_scale is not None:
                self.summary_mean.copy_(summary_mean)
                self.summary_scale.copy_(summary_scale)

    def hear(self, audio: AudioFeatures) -> tuple[Tensor, Tensor]:
        """Places of the whole, of the stretches and of the summary, then frames, and which of them count.

        Returns:
            (a, m, w) and (a, m), m = p + q p + t, or p more with a summary.
        """
        placed = (1 + self.stretches) * self.clip_dimension
        wanted = placed + self.summary_dimension
        if audio.clip is None or audio.clip.shape[1] != wanted:
            raise ValueError(f"expected {wanted} numbers of the clip and its stretches for each audio")
        embeddings = audio.clip[:, :placed].view(len(audio), 1 + self.stretches, self.clip_dimension) - self.clip_mean
        places = self.clip_projection(embeddings).view(len(audio), 1 + self.stretches, self.prefix, self.width)
        before = [places[:, 0], (places[:, 1:] + self.stretch_places).flatten(1, 2)]
        if self.summary_dimension:
            # Far out of what training has seen, a number says no more than that it is far out.
            summary = ((audio.clip[:, placed:] - self.summary_mean) / self.summary_scale).clamp(-_FAR_OUT, _FAR_OUT)
            before.append(self.summary_projection(summary).view(len(audio), self.prefix, self.width))
        projected = self.project((audio.frames - self.frame_mean) / self.frame_scale)
        projected = projected + self.positions[: projected.shape[1]]
        memory: Tensor = self.memory_norm(torch.cat([*before, projected], dim=1))
        always = audio.frame_mask.new_ones(len(audio), self.first_frame)
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
