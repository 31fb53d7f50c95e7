"""Frames that listen to a generated caption.

Xin and Zou: Improving audio-text retrieval via hierarchical cross-modal interaction and auxiliary captions, section
3.2.3. There is no public code.

Shape legend: b sounds, t frames, l caption tokens, d features.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from core.encoders.hierarchical import check_members


class CaptionInteraction(nn.Module):
    """One co-attention layer, frames to caption, and one standard transformer layer over the frames.

    The paper's only key is the caption's [CLS] embedding. The softmax over one key is 1, so the co-attention adds one
    and the same vector, made of the caption, to every frame; that is kept as the default. With `keys="words"` the
    caption's words are the keys, and each frame finds its own.

    The paper gives neither the number of heads nor the width of the feed-forward parts; eight and 4 d are those of BERT
    and ViLBERT, on whose layers it builds. Both layers normalise after adding.

    Args:
        dimension: d.
        heads: Of both layers; divides d.
        hidden: Width of the feed-forward parts; None: 4 d.
        dropout: While training.
        keys: "sentence": the first token; "words": all tokens.
    """

    def __init__(
        self,
        *,
        dimension: int,
        heads: int = 8,
        hidden: int | None = None,
        dropout: float = 0.1,
        keys: Literal["sentence", "words"] = "sentence",
    ) -> None:
        super().__init__()
        if keys not in ("sentence", "words"):
            raise ValueError(f'expected keys "sentence" or "words", not {keys!r}')
        width = 4 * dimension if hidden is None else hidden
        self.keys = keys
        self.co_attention = nn.MultiheadAttention(dimension, heads, dropout, batch_first=True)
        self.attended_norm = nn.LayerNorm(dimension)
        self.feed_forward = nn.Sequential(
            nn.Linear(dimension, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, dimension)
        )
        self.fed_norm = nn.LayerNorm(dimension)
        self.dropout = nn.Dropout(dropout)
        self.over_time = nn.TransformerEncoderLayer(
            dimension, heads, width, dropout, activation="gelu", batch_first=True
        )

    def forward(
        self, frames: Tensor, caption: Tensor, frame_mask: Tensor | None = None, caption_mask: Tensor | None = None
    ) -> Tensor:
        """Enhanced frames (b, t, d), zero where they are padding.

        Args:
            frames: (b, t, d).
            caption: (b, l, d) token embeddings, [CLS] first; (b, 1, d) is enough for "sentence".
            frame_mask: (b, t) True for frames that are no padding; None: all.
            caption_mask: (b, l) True for tokens that are no padding; None: all.

        Raises:
            ValueError: Shapes that do not fit, or a sound or caption that is all padding.
        """
        check_members(frames, frame_mask)
        check_members(caption, caption_mask)
        if len(frames) != len(caption):
            raise ValueError(f"expected one caption for each of {len(frames)} sounds, got {len(caption)}")
        if self.keys == "sentence":
            caption, caption_mask = caption[:, :1], None
        padding = None if caption_mask is None else ~caption_mask
        heard, _ = self.co_attention(frames, caption, caption, key_padding_mask=padding, need_weights=False)
        x = self.attended_norm(frames + self.dropout(heard))
        x = self.fed_norm(x + self.dropout(self.feed_forward(x)))
        silent = None if frame_mask is None else torch.where(frame_mask, 0.0, float("-inf")).to(x.dtype)
        enhanced: Tensor = self.over_time(x, src_key_padding_mask=silent)
        return enhanced if frame_mask is None else enhanced.masked_fill(~frame_mask[..., None], 0.0)
