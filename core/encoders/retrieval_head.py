"""The published retrieval models' heads: a projection of what an encoder gives into the shared space.

Shape legend: b batch, e encoder embedding, t frames, w tokens, c caption embedding, d joint embedding.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from core.encoders.auxiliary_caption import CaptionInteraction
from core.encoders.hierarchical import Hierarchy
from core.encoders.pooling import AverageMaxPooling, MeanPooling, TextAwarePooling
from core.encoders.projection import LinearProjection, MlpProjection

ProjectionKind = Literal["linear", "mlp"]
PoolingKind = Literal["clip", "mean", "mean-max", "aggregated"]


def _projection(kind: str, inputs: int, outputs: int, hidden: int | None) -> nn.Module:
    if kind == "linear":
        return LinearProjection(inputs=inputs, outputs=outputs, unit_length=False)
    if kind == "mlp":
        return MlpProjection(inputs=inputs, outputs=outputs, hidden=hidden, unit_length=False)
    raise ValueError(f"a projection is linear or mlp, not {kind!r}")


class RetrievalAudioHead(nn.Module):
    """The sound's side.

    With the pooling "clip" the encoder's own vector is projected; else its frames are projected one by one and then
    pooled: their mean, mean plus maximum, or aggregated in two levels (Xin and Zou). With text-aware pooling
    (Tymofieiev 2025) every text pools them in its own way; where a sound gets one vector for all texts, they are pooled
    as the mean training text would.

    Args:
        inputs: e.
        dimension: d.
        projection: "linear" (Primus et al. 2024) or "mlp" (Mei et al. 2022).
        hidden: Width inside the MLP; None: d.
        pooling: See above.
        dropout: Before the projection while training.
        parts: Segments of the aggregation.
        caption_inputs: c; above 0 the frames listen to a generated caption of the sound before they are pooled
            (Xin and Zou). Where no caption is given they listen to the mean caption of the training sounds.
        caption_keys: See `core.encoders.auxiliary_caption.CaptionInteraction`.
        heads: Of that interaction.
        tap: Options of `core.encoders.pooling.TextAwarePooling` beyond its dimension; None: no such pooling.

    Raises:
        ValueError: Captions are to be listened to, or texts to pool, without frames.
    """

    mean_caption: Tensor
    mean_text: Tensor

    def __init__(
        self,
        *,
        inputs: int,
        dimension: int = 1024,
        projection: ProjectionKind = "mlp",
        hidden: int | None = None,
        pooling: PoolingKind = "clip",
        dropout: float = 0.0,
        parts: int = 10,
        caption_inputs: int = 0,
        caption_keys: Literal["sentence", "words"] = "sentence",
        heads: int = 8,
        tap: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if pooling not in ("clip", "mean", "mean-max", "aggregated"):
            raise ValueError(f"a pooling is clip, mean, mean-max or aggregated, not {pooling!r}")
        if (caption_inputs or tap is not None) and pooling == "clip":
            raise ValueError("only frames can listen to a caption or be pooled by a text: choose a pooling of frames")
        self.dimension = dimension
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.projection = _projection(projection, inputs, dimension, hidden)
        self.levels = Hierarchy(dimension=dimension, parts=parts) if pooling == "aggregated" else None
        self.pool = {"mean": MeanPooling, "mean-max": AverageMaxPooling}.get(pooling, nn.Identity)()
        self.interaction: CaptionInteraction | None = None
        self.caption_projection: nn.Linear | None = None
        if caption_inputs:
            self.caption_projection = nn.Linear(caption_inputs, dimension)
            self.interaction = CaptionInteraction(dimension=dimension, heads=heads, keys=caption_keys)
            self.register_buffer("mean_caption", torch.zeros(1, caption_inputs))
        self.tap: TextAwarePooling | None = None
        if tap is not None:
            self.tap = TextAwarePooling(dimension=dimension, **tap)
            self.register_buffer("mean_text", torch.ones(1, dimension))

    @property
    def needs_frames(self) -> bool:
        """Whether the encoder's vector alone is not enough."""
        return self.pooling != "clip"

    def members(
        self, frames: Tensor, mask: Tensor, caption: Tensor | None = None, caption_mask: Tensor | None = None
    ) -> Tensor:
        """Projected frames (b, t, d), zero where they are padding.

        Args:
            frames: (b, t, e).
            mask: (b, t) True for frames that are no padding.
            caption: (b, w, c) tokens of each sound's generated caption, or (b, 1, c); None: the mean caption.
            caption_mask: (b, w).
        """
        projected: Tensor = self.projection(self.dropout(frames)).masked_fill(~mask[..., None], 0.0)
        if self.interaction is None or self.caption_projection is None:
            return projected
        if caption is None:
            caption, caption_mask = self.mean_caption.expand(len(frames), 1, -1), None
        heard: Tensor = self.interaction(projected, self.caption_projection(caption), mask, caption_mask)
        return heard

    def pooled(self, members: Tensor, mask: Tensor) -> Tensor:
        """Projected frames -> (b, d) unit length."""
        if self.tap is not None:
            return normalize(self.tap(members, self.mean_text, mask)[:, 0], dim=-1)
        vector = self.pool(members, mask) if self.levels is None else self.levels(members, mask)[1]
        return normalize(vector, dim=-1)

    def forward(
        self,
        embedding: Tensor,
        logits: Tensor | None = None,
        frames: Tensor | None = None,
        mask: Tensor | None = None,
        caption: Tensor | None = None,
        caption_mask: Tensor | None = None,
    ) -> Tensor:
        """(b, d) unit length.

        Args:
            embedding: (b, e).
            logits: Taken so that all audio heads are called alike; not used.
            frames: (b, t, e), where `needs_frames`.
            mask: (b, t).
            caption: See `members`.
            caption_mask: See `members`.

        Raises:
            ValueError: Frames are needed and there are none.
        """
        if not self.needs_frames:
            return normalize(self.projection(self.dropout(embedding)), dim=-1)
        if frames is None or mask is None:
            raise ValueError(f"the pooling {self.pooling} needs frames")
        return self.pooled(self.members(frames, mask, caption, caption_mask), mask)


class RetrievalTextHead(nn.Module):
    """The text's side.

    Args:
        inputs: Of a sentence embedding, and of a token.
        dimension: d.
        projection: "linear" or "mlp".
        hidden: Width inside the MLP; None: d.
        dropout: Before the projection while training.
    """

    def __init__(
        self,
        *,
        inputs: int,
        dimension: int = 1024,
        projection: ProjectionKind = "mlp",
        hidden: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.dropout = nn.Dropout(dropout)
        self.projection = _projection(projection, inputs, dimension, hidden)

    def members(self, tokens: Tensor) -> Tensor:
        """Projected tokens: (b, w, e) -> (b, w, d)."""
        projected: Tensor = self.projection(self.dropout(tokens))
        return projected

    def forward(self, sentence: Tensor) -> Tensor:
        """(b, e) -> (b, d) unit length."""
        return normalize(self.projection(self.dropout(sentence)), dim=-1)
