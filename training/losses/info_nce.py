"""InfoNCE, softmax cross-entropy in one direction (loss "info-nce")."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from training.losses.pair import diagonal_cross_entropy, off_diagonal, paired_scores
from training.losses.protocol import Batch

_DIMENSION = {"text_to_audio": 1, "audio_to_text": 0}


class InfoNce(nn.Module):
    """Each text picks its sound among those of the batch, or each sound its text.

    With s_ij the cosine of text i and sound j:

        L = -1/N sum_i log( exp(s_ii / tau) / sum_j exp(s_ij / tau) )

    Tymofieiev (2025), eq. 3.1, after van den Oord et al. (2018); half the sum of both directions is NT-Xent (eq. 3.2).
    Nothing is said of several captions of one sound, which push each other away here; `exclude_same_audio` leaves such
    pairs out of the denominator. (Mei et al. mean to, but mask after the softmax, which has no effect.)

    Args:
        temperature: tau, above 0.
        direction: Who picks.
        exclude_same_audio: Leave out matching pairs off the diagonal.

    Inputs: unit-length `text` and `audio` (b, d), paired row by row; `matches` (b, b).
    """

    def __init__(
        self,
        *,
        temperature: float = 0.05,
        direction: Literal["text_to_audio", "audio_to_text"] = "text_to_audio",
        exclude_same_audio: bool = False,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"a temperature is above 0, not {temperature}")
        if direction not in _DIMENSION:
            raise ValueError(f"expected a direction among {', '.join(_DIMENSION)}, not {direction!r}")
        self.temperature = temperature
        self.direction = direction
        self.exclude_same_audio = exclude_same_audio

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give one part, named by the direction."""
        logits = paired_scores(batch, temperature=self.temperature)
        excluded = off_diagonal(batch.matches) if self.exclude_same_audio else None
        return {self.direction: diagonal_cross_entropy(logits, excluded, _DIMENSION[self.direction])}
