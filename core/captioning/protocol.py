"""What a caption decoder takes and offers; the seam between decoders, generation and scoring.

Shape legend: a audios, t frames, d encoder features, c captions, l tokens, n prefixes, r rows, v vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from core.captioning.guess import CaptionerCard, CaptionGuess, FileCaptioner

if TYPE_CHECKING:
    from core.captioning.prefix import PrefixTree

__all__ = [
    "AudioFeatures",
    "CaptionDecoder",
    "CaptionGuess",
    "CaptionerCard",
    "DecoderState",
    "FileCaptioner",
    "RecomputedState",
]


@dataclass(frozen=True, slots=True)
class AudioFeatures:
    """What an audio encoder found in a batch of clips.

    Attributes:
        frames: (a, t, d) features over time.
        frame_mask: (a, t) True where a frame belongs to the clip and not to padding.
        clip: (a, e) one vector per clip, for decoders that want it.

    Raises:
        ValueError: Shapes that do not belong together, no clip at all, a clip without a frame, NaN or infinity.
    """

    frames: Tensor
    frame_mask: Tensor
    clip: Tensor | None = None

    def __post_init__(self) -> None:
        if self.frames.ndim != 3 or 0 in self.frames.shape:
            raise ValueError(f"expected frames (audios, frames, features), got shape {tuple(self.frames.shape)}")
        if self.frame_mask.dtype != torch.bool or self.frame_mask.shape != self.frames.shape[:2]:
            raise ValueError(
                f"expected a boolean mask {tuple(self.frames.shape[:2])}, "
                f"got {self.frame_mask.dtype} {tuple(self.frame_mask.shape)}"
            )
        if self.clip is not None and (self.clip.ndim != 2 or self.clip.shape[0] != self.frames.shape[0]):
            raise ValueError(f"expected one clip vector for each of {len(self)} audios, got {tuple(self.clip.shape)}")
        if not bool(self.frame_mask.any(dim=1).all()):
            raise ValueError("every audio needs at least one frame that is not padding")
        if not bool(torch.isfinite(self.frames).all()):
            raise ValueError("the frames hold NaN or infinity")
        if self.clip is not None and not bool(torch.isfinite(self.clip).all()):
            raise ValueError("the clip vectors hold NaN or infinity")

    def __len__(self) -> int:
        return self.frames.shape[0]

    def select(self, rows: Tensor | slice) -> AudioFeatures:
        """The audios at these rows, in this order."""
        clip = None if self.clip is None else self.clip[rows]
        return AudioFeatures(self.frames[rows], self.frame_mask[rows], clip)

    def to(self, *, device: torch.device | None = None, dtype: torch.dtype | None = None) -> AudioFeatures:
        """The same features elsewhere or in another precision."""
        clip = None if self.clip is None else self.clip.to(device=device, dtype=dtype)
        return AudioFeatures(self.frames.to(device=device, dtype=dtype), self.frame_mask.to(device=device), clip)


class DecoderState(Protocol):
    """Captions under way: one row per caption, each bound to one audio."""

    def step(self, tokens: Tensor) -> Tensor:
        """Append one token to every row, (r,), and return the logits of the next, (r, v)."""
        ...

    def select(self, rows: Tensor) -> None:
        """Keep the rows (r',) in this order; a row may be kept several times."""
        ...


class CaptionDecoder(Protocol):
    """An `nn.Module` that writes and judges captions."""

    @property
    def vocabulary_size(self) -> int:
        """v."""
        ...

    def __call__(self, audio: AudioFeatures, tokens: Tensor, token_mask: Tensor | None = None) -> Tensor:
        """Teacher forcing: audios (a), tokens (a, l) beginning with bos -> logits (a, l, v) of each next token."""
        ...

    def start(self, audio: AudioFeatures) -> DecoderState:
        """One empty caption for each audio, with all that can be computed once kept."""
        ...

    def prefix_logits(self, audio: AudioFeatures, tree: PrefixTree) -> Tensor:
        """Logits (a, n, v) of the token after every distinct prefix of the tree, for every audio."""
        ...


class RecomputedState:
    """A `DecoderState` without memory: every step runs the decoder over the whole prefix again.

    The yardstick that the cached states are compared with.
    """

    def __init__(self, decoder: CaptionDecoder, audio: AudioFeatures) -> None:
        self._decoder = decoder
        self._audio = audio
        self._tokens = torch.empty(len(audio), 0, dtype=torch.long, device=audio.frames.device)

    def step(self, tokens: Tensor) -> Tensor:
        """(r,) -> (r, v)."""
        self._tokens = torch.cat([self._tokens, tokens[:, None]], dim=1)
        return self._decoder(self._audio, self._tokens)[:, -1]

    def select(self, rows: Tensor) -> None:
        """Keep these rows."""
        self._audio = self._audio.select(rows)
        self._tokens = self._tokens[rows]
