"""Normalised temperature-scaled cross-entropy with several positives (loss "nt-xent")."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from training.losses.pair import diagonal_cross_entropy, off_diagonal, paired_scores, widened
from training.losses.protocol import Batch


class NtXent(nn.Module):
    """NT-Xent in which a text may belong to several sounds of a batch.

    With S = T A^T / tau, P the set of pairs (text i, sound j) that belong together, and both directions
    counting half:

        L = -1/2 (1/|P|) sum_P log softmax_j(S_i.)_j  -  1/2 (1/|P|) sum_P log softmax_i(S_.j)_i

    This is the supervised loss of Primus et al. (2024), eq. 2-4, averaged over all matching pairs in place of
    the diagonal alone. With one sound per text it is the loss of Mei et al. (2022), eq. 4.

    Args:
        temperature: tau, above 0.
        positives: "all" for P as above; "diagonal" for text i and sound i alone, as in Mei et al.
        exclude_same_audio: With "diagonal", leave other pairs that match out of both denominators. Mei et al. mean
            to; their code masks after the softmax, which has no effect, as without this.

    Inputs: unit-length `text` (b, d) and `audio` (b, d), `matches` (b, b) with at least one True, and with "diagonal"
    all of its diagonal True.
    """

    def __init__(
        self,
        *,
        temperature: float = 0.05,
        positives: Literal["all", "diagonal"] = "all",
        exclude_same_audio: bool = False,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"a temperature is above 0, not {temperature}")
        if positives not in ("all", "diagonal"):
            raise ValueError(f'expected positives of "all" or "diagonal", not {positives!r}')
        if exclude_same_audio and positives == "all":
            raise ValueError("pairs that count as positives cannot be left out: exclude_same_audio needs the diagonal")
        self.temperature = temperature
        self.positives = positives
        self.exclude_same_audio = exclude_same_audio

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the parts "text_to_audio" and "audio_to_text", to be added up.

        Raises:
            ValueError: No pair of the batch matches, or (diagonal) a text does not match its own sound.
        """
        matches = batch.matches
        if self.positives == "diagonal":
            scores = paired_scores(batch) / self.temperature
            excluded = off_diagonal(matches) if self.exclude_same_audio else None
            return {
                "text_to_audio": 0.5 * diagonal_cross_entropy(scores, excluded, 1),
                "audio_to_text": 0.5 * diagonal_cross_entropy(scores, excluded, 0),
            }
        if not bool(matches.any()):
            raise ValueError("no pair of the batch matches")
        scores = widened(batch.text @ batch.audio.T) / self.temperature
        pairs = matches.sum()
        zero = torch.zeros((), dtype=scores.dtype, device=scores.device)
        by_text = torch.where(matches, log_softmax(scores, dim=1), zero).sum() / pairs
        by_audio = torch.where(matches, log_softmax(scores, dim=0), zero).sum() / pairs
        return {"text_to_audio": -0.5 * by_text, "audio_to_text": -0.5 * by_audio}
