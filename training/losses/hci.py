"""Hierarchical cross-modal interaction (loss "hci")."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import normalize

from core.encoders.hierarchical import cross_modal_interaction
from training.losses.pair import check_pairs, diagonal_cross_entropies, off_diagonal, widened


@dataclass(frozen=True, slots=True)
class HierarchicalBatch:
    """Sounds and texts on three levels, paired row by row.

    Attributes:
        clip: (b, d) whole sounds.
        sentence: (b, d) whole texts; the paper takes the [CLS] embedding.
        frames: (b, f, d).
        frame_mask: (b, f) True where a frame is no padding.
        words: (b, w, d).
        word_mask: (b, w) True where a word is neither padding nor a special token.
        segments: (b, s, d) from the audio aggregator.
        phrases: (b, p, d) from the text aggregator.
        matches: (b, b) True where text i and sound j belong together.
    """

    clip: Tensor
    sentence: Tensor
    frames: Tensor
    frame_mask: Tensor
    words: Tensor
    word_mask: Tensor
    segments: Tensor
    phrases: Tensor
    matches: Tensor


class HierarchicalLoss(nn.Module):
    """Contrast on the levels of clip and sentence, frame and word, segment and phrase.

        L_hci = L_c-s + alpha L_f-w + beta L_s-p

    and each L is, with S_ij the similarity of sound i and text j on its level,

        L = -1/N ( sum_i log softmax_j(S_i. / tau)_i + sum_i log softmax_j(S_.i / tau)_i )

    S is the cosine for clip and sentence, else the cross-modal interaction CI of
    `core.encoders.hierarchical.cross_modal_interaction`. Xin and Zou, eq. 2 and 5 to 9; tau = .07, alpha = .5,
    beta = .1; there is no public code. The two directions are added, not averaged. Several texts of one sound are not
    spoken of; `exclude_same_audio` leaves such pairs out of the denominators.

    Args:
        temperature: tau, above 0.
        alpha: Weight of frame and word; 0 leaves the level out.
        beta: Weight of segment and phrase; 0 leaves the level out.
        exclude_same_audio: Leave out matching pairs off the diagonal.

    Inputs: a `HierarchicalBatch`, not necessarily of unit length.
    """

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        alpha: float = 0.5,
        beta: float = 0.1,
        exclude_same_audio: bool = False,
    ) -> None:
        super().__init__()
        if temperature <= 0 or min(alpha, beta) < 0:
            raise ValueError(f"expected tau > 0 and weights of at least 0, got {temperature}, {alpha} and {beta}")
        self.temperature = temperature
        self.alpha = alpha
        self.beta = beta
        self.exclude_same_audio = exclude_same_audio

    def forward(self, batch: HierarchicalBatch) -> dict[str, Tensor]:
        """Give the weighted parts "clip_sentence", "frame_word" and "segment_phrase", to be added up.

        Raises:
            TypeError: Another kind of batch.
            ValueError: Features that are not paired row by row.
        """
        if not isinstance(batch, HierarchicalBatch):
            raise TypeError(f"expected a HierarchicalBatch, got {type(batch).__name__}")
        check_pairs(batch.clip, batch.sentence)
        excluded = off_diagonal(batch.matches.T) if self.exclude_same_audio else None
        cosines = normalize(batch.clip, dim=-1) @ normalize(batch.sentence, dim=-1).T
        parts = {"clip_sentence": self._contrast(cosines, excluded)}
        if self.alpha:
            scores = cross_modal_interaction(batch.frames, batch.words, batch.frame_mask, batch.word_mask)
            parts["frame_word"] = self.alpha * self._contrast(scores, excluded)
        if self.beta:
            scores = cross_modal_interaction(batch.segments, batch.phrases)
            parts["segment_phrase"] = self.beta * self._contrast(scores, excluded)
        return parts

    def _contrast(self, scores: Tensor, excluded: Tensor | None) -> Tensor:
        by_sound, by_text = diagonal_cross_entropies(widened(scores) / self.temperature, excluded)
        return by_sound + by_text
