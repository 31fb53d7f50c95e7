"""Normalised temperature-scaled cross-entropy with several positives (loss "nt-xent")."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from training.losses.pair import check_batch, diagonal_cross_entropies, off_diagonal, paired_scores, similarity
from training.losses.protocol import Batch
from training.losses.two_way import two_way_logsumexp


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
            ValueError: No pair of the batch matches, its shapes do not fit, or (diagonal) a text does not match its
                own sound.
        """
        if self.positives == "diagonal":
            logits = paired_scores(batch, temperature=self.temperature)
            excluded = off_diagonal(batch.matches) if self.exclude_same_audio else None
            by_text, by_audio = diagonal_cross_entropies(logits, excluded)
            return {"text_to_audio": 0.5 * by_text, "audio_to_text": 0.5 * by_audio}
        check_batch(batch)
        texts, sounds = batch.matches.nonzero(as_tuple=True)
        if not len(texts):
            raise ValueError("no pair of the batch matches")
        scores = similarity(batch.text, batch.audio, temperature=self.temperature)
        of_texts, of_sounds = two_way_logsumexp(scores)
        positive = scores[texts, sounds]
        return {
            "text_to_audio": 0.5 * (of_texts[texts] - positive).mean(),
            "audio_to_text": 0.5 * (of_sounds[sounds] - positive).mean(),
        }
