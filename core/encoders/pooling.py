"""From frames to one vector: mean, average plus maximum, and attention that a text directs.

Shape legend: a sounds, c texts, t frames, d features, p projection.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear, normalize

from core.encoders.hierarchical import check_members

_NUMBERS_AT_ONCE = 1 << 26


class MeanPooling(nn.Module):
    """Mean over the frames that are no padding."""

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """(a, t, d), (a, t) -> (a, d).

        Raises:
            ValueError: Shapes that do not fit, or a sound without any frame.
        """
        check_members(frames, mask)
        if mask is None:
            return frames.mean(dim=1)
        total = frames.masked_fill(~mask[..., None], 0.0).sum(dim=1)
        return total / mask.sum(dim=1, keepdim=True).to(frames.dtype)


class AverageMaxPooling(nn.Module):
    """Mean plus maximum over the frames that are no padding, as the PANNs pool (Kong et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = MeanPooling()

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """(a, t, d), (a, t) -> (a, d)."""
        average: Tensor = self.mean(frames, mask)
        there = frames if mask is None else frames.masked_fill(~mask[..., None], torch.finfo(frames.dtype).min)
        return average + there.amax(dim=1)


class TextAwarePooling(nn.Module):
    """TAP: each text attends to the frames of each sound, so that a sound has one vector for every text.

        q = LN(text) W_q,  k = LN(frames) W_k,  v = LN(frames) W_v
        z = LN( softmax(q k^T / sqrt(p)) v W_0 )

    Tymofieiev (2025), section 3.6, after Xin, Yang and Zou (2023); p = 2048, dropout .05 on the attention. The thesis
    writes LN for each; its code has *one* LayerNorm for text, frames and output. `shared_norm` does so too, and its
    published weights load then. The code also brings the texts to unit length again inside its loop over sounds, which
    makes scores depend on the order of the sounds; here nothing does.

    Since the attention's shares are the same for `v W_0` as for `v`, W_0 is applied to the frames, of which there are
    fewer than pairs of text and sound.

    Args:
        dimension: d.
        projection: p.
        dropout: Of the attention while training.
        shared_norm: One LayerNorm for all.
    """

    def __init__(
        self, *, dimension: int = 1024, projection: int = 2048, dropout: float = 0.05, shared_norm: bool = False
    ) -> None:
        super().__init__()
        self.w_q = nn.Linear(dimension, projection)
        self.w_k = nn.Linear(dimension, projection)
        self.w_v = nn.Linear(dimension, projection)
        self.w_0 = nn.Linear(projection, dimension)
        self.layer_norm = nn.LayerNorm(dimension)
        self.text_norm = None if shared_norm else nn.LayerNorm(dimension)
        self.frame_norm = None if shared_norm else nn.LayerNorm(dimension)
        self.dropout = dropout

    def forward(self, frames: Tensor, text: Tensor, mask: Tensor | None = None) -> Tensor:
        """Every sound as every text hears it, before any normalisation to unit length.

        Args:
            frames: (a, t, d).
            text: (c, d).
            mask: (a, t) True for frames that are no padding; None: all.

        Returns:
            (a, c, d).

        Raises:
            ValueError: Shapes that do not fit, or a sound without any frame.
        """
        queries = self._queries(frames, text, mask)
        return self._pool(frames, queries, mask)

    def similarity(
        self,
        frames: Tensor,
        text: Tensor,
        mask: Tensor | None = None,
        *,
        numbers_at_once: int = _NUMBERS_AT_ONCE,
    ) -> Tensor:
        """Cosine of every text with every sound as that text hears it.

        Args:
            frames: (a, t, d).
            text: (c, d), of any length.
            mask: (a, t).
            numbers_at_once: Upper bound of the numbers in the pooled vectors held at a time, except while a gradient
                is wanted; 2^26 are 256 MiB.

        Returns:
            (c, a).
        """
        queries = self._queries(frames, text, mask)
        wanted = normalize(text, dim=-1)
        step = len(frames)
        if not torch.is_grad_enabled():
            step = max(1, numbers_at_once // max(text.numel(), text.shape[0] * frames.shape[1]))
        parts = []
        for first in range(0, len(frames), step):
            rows = slice(first, first + step)
            pooled = normalize(self._pool(frames[rows], queries, None if mask is None else mask[rows]), dim=-1)
            parts.append((pooled * wanted).sum(dim=-1))
        return torch.cat(parts).T

    def _queries(self, frames: Tensor, text: Tensor, mask: Tensor | None) -> Tensor:
        check_members(frames, mask)
        if text.ndim != 2 or 0 in text.shape or text.shape[-1] != frames.shape[-1]:
            raise ValueError(f"expected texts (texts, {frames.shape[-1]}), got shape {tuple(text.shape)}")
        norm = self.layer_norm if self.text_norm is None else self.text_norm
        queries: Tensor = self.w_q(norm(text)) / math.sqrt(self.w_q.out_features)
        return queries

    def _pool(self, frames: Tensor, queries: Tensor, mask: Tensor | None) -> Tensor:
        norm = self.layer_norm if self.frame_norm is None else self.frame_norm
        normed = norm(frames)
        keys, values = self.w_k(normed), linear(self.w_v(normed), self.w_0.weight)
        scores = (queries @ keys.transpose(1, 2)).float()  # (a, c, t)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], float("-inf"))
        shares = dropout(scores.softmax(dim=-1), self.dropout, self.training).to(values.dtype)
        pooled: Tensor = self.layer_norm(shares @ values + self.w_0.bias)
        return pooled
