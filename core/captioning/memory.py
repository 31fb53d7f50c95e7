"""What a captioner says of sounds that it knows, for when it hears one like them.

A decoder has to put everything that it learned into its weights; a rare name is lost there. The embeddings of the
sounds that it learned from, kept beside its own captions of them, bring such a name back: captions of the nearest of
them have a vote in what is said of a new sound, and may be chosen themselves (`core.captioning.consensus`).

Shape legend: n known sounds, e embedding, l tokens of the longest caption, b sounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.captioning.vocabulary import PAD

_STEPS = 127
"""Of an embedding's numbers, on either side of zero."""


@dataclass(frozen=True, slots=True)
class Vote:
    """A caption of known sounds, and how much it counts.

    Attributes:
        tokens: After bos, eos at the end.
        share: Of all votes; they add up to one.
    """

    tokens: tuple[int, ...]
    share: float


class CaptionMemory(nn.Module):
    """Known sounds in the space of texts, each with a caption.

    Args:
        sounds: n.
        dimension: e.
        longest: l.
    """

    embeddings: Tensor
    scale: Tensor
    captions: Tensor

    def __init__(self, *, sounds: int, dimension: int, longest: int) -> None:
        super().__init__()
        if sounds < 1:
            raise ValueError("a memory without a sound remembers nothing")
        self.register_buffer("embeddings", torch.zeros(sounds, dimension, dtype=torch.int8))
        self.register_buffer("scale", torch.ones(sounds, 1))
        self.register_buffer("captions", torch.full((sounds, longest), PAD, dtype=torch.int16))

    @property
    def sizes(self) -> dict[str, int]:
        """What builds a memory as large as this one."""
        sounds, dimension = self.embeddings.shape
        return {"sounds": sounds, "dimension": dimension, "longest": self.captions.shape[1]}

    def learn(self, embeddings: Tensor, captions: Sequence[Sequence[int]]) -> None:
        """Give all n sounds' embeddings (n, e), which are rounded to whole steps, and captions with eos at the end."""
        scale = embeddings.abs().amax(dim=1, keepdim=True).clamp(min=1e-9) / _STEPS
        rows = nn.utils.rnn.pad_sequence(
            [torch.tensor(list(caption)) for caption in captions], batch_first=True, padding_value=PAD
        )
        self.embeddings.copy_((embeddings / scale).round())
        self.scale.copy_(scale)
        self.captions.fill_(PAD)
        self.captions[:, : rows.shape[1]] = rows.to(self.captions)

    def recall(self, embeddings: Tensor, *, nearest: int, sharpness: float) -> list[list[Vote]]:
        """What is said of the known sounds nearest to each of (b, e) embeddings, all of unit length.

        Args:
            embeddings: Of new sounds.
            nearest: So many known ones vote.
            sharpness: A sound's vote falls by e for each 1 / sharpness that it is less similar than the nearest.

        Returns:
            For each new sound the distinct captions, those with the most votes first.
        """
        known = self.embeddings.to(embeddings.dtype) * self.scale
        similar, rows = (embeddings @ known.T).topk(min(nearest, len(known)), dim=1)
        shares = torch.softmax(sharpness * similar, dim=1)
        captions = self.captions[rows]  # (b, nearest, l)
        return [_counted(own.tolist(), votes.tolist()) for own, votes in zip(captions, shares, strict=True)]


def _counted(captions: list[list[int]], shares: list[float]) -> list[Vote]:
    counted: dict[tuple[int, ...], float] = {}
    for padded, share in zip(captions, shares, strict=True):
        tokens = tuple(token for token in padded if token != PAD)
        counted[tokens] = counted.get(tokens, 0.0) + share
    return [Vote(tokens, share) for tokens, share in sorted(counted.items(), key=lambda item: -item[1])]
