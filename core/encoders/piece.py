"""Cutting long clips into the pieces that an encoder can take, and joining the results.

Shape legend: b batch, p pieces of the whole batch, k pieces of the longest clip, n samples, t frames, d embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.audio.filterbank import fill_short_clips


@dataclass(frozen=True, slots=True)
class Pieces:
    """A batch cut into pieces that do not overlap.

    Attributes:
        waveform: (p, n) each piece, silent behind its end.
        lengths: (p,) samples of each piece, or None where every piece fills the tensor.
        counts: (b,) pieces of each clip.
        piece_samples: Samples from one piece's beginning to the next's.
    """

    waveform: Tensor
    lengths: Tensor | None
    counts: Tensor
    piece_samples: int

    @property
    def most(self) -> int:
        """k, pieces of the longest clip."""
        return int(self.counts.max())

    @property
    def filled(self) -> Tensor:
        """(b, k) True where a clip has a piece."""
        return torch.arange(self.most, device=self.counts.device) < self.counts[:, None]

    def per_clip(self, values: Tensor) -> Tensor:
        """Sort pieces into their clips: (p, ...) -> (b, k, ...), zero (False) where there is none."""
        sorted_values = values.new_zeros(len(self.counts), self.most, *values.shape[1:])
        sorted_values[self.filled] = values
        return sorted_values

    def mean(self, embeddings: Tensor) -> Tensor:
        """Mean over each clip's own pieces, each weighing what it holds of the clip: (p, d) -> (b, d).

        Whole pieces weigh the same, so this is the plain mean unless the last piece is shorter.
        """
        if self.lengths is None:
            return self.per_clip(embeddings).sum(dim=1) / self.counts[:, None]
        weights = self.per_clip(self.lengths.to(embeddings.dtype))[:, :, None]
        return (self.per_clip(embeddings) * weights).sum(dim=1) / weights.sum(dim=1)

    def joined(self, frames: Tensor) -> Tensor:
        """One piece's frames behind another's: (p, t, ...) -> (b, k t, ...)."""
        return self.per_clip(frames).flatten(1, 2)

    def times_s(self, times_s: Tensor, sample_rate_hz: int) -> Tensor:
        """Centres of the joined frames: (t,) within a piece -> (k t,)."""
        begins_s = torch.arange(self.most, device=times_s.device) * (self.piece_samples / sample_rate_hz)
        return (begins_s[:, None] + times_s).flatten()


def cut_pieces(
    waveform: Tensor, lengths: Tensor | None, *, piece_samples: int, shortest_samples: int, fill: bool
) -> Pieces:
    """Cut each clip from its beginning into pieces; the last one may be shorter.

    Args:
        waveform: (b, n).
        lengths: (b,) samples of each clip or None.
        piece_samples: Length of a piece.
        shortest_samples: A rest shorter than this is left out, unless it is the whole clip, which then counts as
            followed by silence.
        fill: Whether the last piece counts as followed by silence up to a whole piece.
    """
    batch, samples = waveform.shape
    if lengths is None:
        lengths = torch.full((batch,), samples, device=waveform.device)
    waveform, filled = fill_short_clips(waveform, lengths, shortest_samples)
    assert filled is not None
    counts = -(-(filled - shortest_samples + 1) // piece_samples)
    most = int(counts.max())
    width = piece_samples if most > 1 or fill else min(piece_samples, int(filled.max()))
    missing = most * width - waveform.shape[1]
    if missing > 0:
        waveform = torch.nn.functional.pad(waveform, (0, missing))
    begins = torch.arange(most, device=waveform.device) * piece_samples
    wanted = begins < counts[:, None] * piece_samples
    pieces = waveform[:, : most * width].reshape(batch, most, width)[wanted]
    own = (filled[:, None] - begins)[wanted].clamp(max=width)
    whole = fill or bool((own == width).all())
    return Pieces(pieces, None if whole else own, counts, piece_samples)
