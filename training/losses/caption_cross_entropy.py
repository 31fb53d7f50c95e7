"""Next-word prediction with label smoothing (loss "caption-cross-entropy")."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

_PAD = 0


@dataclass(frozen=True, slots=True)
class CaptionBatch:
    """What a caption decoder predicted, and what it should have.

    Attributes:
        logits: (b, l, v) of each next token.
        targets: (b, l) that token; eos included, padding where the caption is over.
    """

    logits: Tensor
    targets: Tensor


class CaptionCrossEntropy(nn.Module):
    """Cross-entropy to the next word, some of whose probability is spread over all words.

    With p the softmax of the logits at a place whose next word is w, v words and smoothing e:

        L = -1/M sum_places (1 - e) log p_w + e/v sum_u log p_u

    over all M places that are not padding. Labbé et al. (2023), section 2.2 and 3.3, e = .2; the code for AudioCaps has
    .1. Mixup mixes inputs only, the targets stay.

    Args:
        smoothing: e, from 0 to below 1.
        pad: The padding token.

    Inputs: a `CaptionBatch`; logits of any precision, the softmax is taken in float32 at least.
    """

    def __init__(self, *, smoothing: float = 0.2, pad: int = _PAD) -> None:
        super().__init__()
        if not 0 <= smoothing < 1:
            raise ValueError(f"a smoothing is at least 0 and below 1, not {smoothing}")
        self.smoothing = smoothing
        self.pad = pad

    def forward(self, batch: CaptionBatch) -> dict[str, Tensor]:
        """Give the one part "caption".

        Raises:
            TypeError: Another kind of batch.
            ValueError: Shapes that do not fit, or nothing but padding.
        """
        if not isinstance(batch, CaptionBatch):
            raise TypeError(f"expected a CaptionBatch, got {type(batch).__name__}")
        if batch.logits.ndim != 3 or batch.logits.shape[:2] != batch.targets.shape:
            raise ValueError(
                f"expected logits (b, l, v) and targets (b, l), got {tuple(batch.logits.shape)} "
                f"and {tuple(batch.targets.shape)}"
            )
        if not bool((batch.targets != self.pad).any()):
            raise ValueError("the targets hold nothing but padding")
        loss = cross_entropy(
            batch.logits.float().flatten(0, 1),
            batch.targets.flatten(),
            ignore_index=self.pad,
            label_smoothing=self.smoothing,
        )
        return {"caption": loss}
