"""Texts that describe no sound should find none (loss "unheard")."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import softplus

from training.losses.pair import check_batch, similarity
from training.losses.protocol import Batch


class Unheard(nn.Module):
    """Pushes every sound's score for a text below a margin: what the sigmoid loss does with mismatches.

    With texts i that describe nothing audible ("quarterly tax report") and any sounds j:

        L = mean_ij softplus((t_i . a_j - margin) / tau)

    The negative half of Zhai et al. (2023), eq. 1, with a fixed bias. A ranking loss cannot do this: it compares scores
    of one text alone, so the best sound for a senseless text may score as high as that for a sensible one.

    Args:
        temperature: tau, above 0.
        margin: Scores above it are pushed down noticeably.

    Inputs: unit-length `text` (q, d) and `audio` (b, d); none of them match.
    """

    def __init__(self, *, temperature: float = 0.05, margin: float = 0.0) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"a temperature is above 0, not {temperature}")
        self.temperature = temperature
        self.margin = margin

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the one part "score".

        Raises:
            ValueError: See `training.losses.pair.check_batch`.
        """
        check_batch(batch)
        scores = similarity(batch.text, batch.audio)
        return {"score": softplus((scores - self.margin) / self.temperature).mean()}
