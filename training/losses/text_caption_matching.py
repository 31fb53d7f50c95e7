"""Matching a text with the captions that a captioner wrote for the sounds (loss "text-caption-matching")."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import normalize

from training.losses.pair import check_pairs, diagonal_cross_entropies, off_diagonal, similarity


@dataclass(frozen=True, slots=True)
class CaptionedBatch:
    """Texts and the generated captions of their sounds.

    Attributes:
        text: (b, d) embedding of each text.
        caption: (b, d) embedding of the caption generated for the text's sound, from the frozen caption encoder.
        matches: (b, b) True where text and caption are of one sound.
    """

    text: Tensor
    caption: Tensor
    matches: Tensor


class TextCaptionMatching(nn.Module):
    """Symmetric cross-entropy between texts and generated captions.

    With s_ij the cosine of text i and caption j:

        L_tc = -1/N ( sum_i log softmax_j(s_i. / tau)_i + sum_i log softmax_j(s_.i / tau)_i )

    Xin and Zou, eq. 10; added to the audio-text loss or to L_hci (eq. 11). Two texts of one sound have the very same
    generated caption, so that one of them is a negative that cannot be told from the positive: the paper does not speak
    of it, `exclude_same_audio` leaves such pairs out.

    Args:
        temperature: tau, above 0.
        exclude_same_audio: Leave out matching pairs off the diagonal.

    Inputs: a `CaptionedBatch`, not necessarily of unit length.
    """

    def __init__(self, *, temperature: float = 0.07, exclude_same_audio: bool = False) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f"a temperature is above 0, not {temperature}")
        self.temperature = temperature
        self.exclude_same_audio = exclude_same_audio

    def forward(self, batch: CaptionedBatch) -> dict[str, Tensor]:
        """Give the parts "text_to_caption" and "caption_to_text", to be added up.

        Raises:
            TypeError: Another kind of batch.
            ValueError: Features that are not paired row by row.
        """
        if not isinstance(batch, CaptionedBatch):
            raise TypeError(f"expected a CaptionedBatch, got {type(batch).__name__}")
        check_pairs(batch.text, batch.caption)
        text, caption = normalize(batch.text, dim=-1), normalize(batch.caption, dim=-1)
        excluded = off_diagonal(batch.matches) if self.exclude_same_audio else None
        by_text, by_caption = diagonal_cross_entropies(
            similarity(text, caption, temperature=self.temperature), excluded
        )
        return {"text_to_caption": by_text, "caption_to_text": by_caption}


def complement_scores(audio_scores: Tensor, caption_scores: Tensor, *, weight: float) -> Tensor:
    """Scores at test time: text-audio plus weighted text-caption similarities, both (q, n).

    Xin and Zou, section 3.2.4, give no weight; it is tuned on validation data.

    Raises:
        ValueError: The shapes differ.
    """
    if audio_scores.shape != caption_scores.shape:
        raise ValueError(f"expected scores of one shape, got {audio_scores.shape} and {caption_scores.shape}")
    return audio_scores + weight * caption_scores
