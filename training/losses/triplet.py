"""What the three triplet losses share: who is whose negative, in both directions.

Mei et al. (2022), section 2.3. In a batch of pairs (text i, sound i) every sound is an anchor with its text as the
positive, and the other way round. A negative is any other row that is not known to match: as in the published code,
captions of the same sound are no negatives of each other (the paper does not speak of them).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from training.losses.pair import LOWEST, paired_scores
from training.losses.protocol import Batch


@dataclass(frozen=True, slots=True)
class Triplets:
    """Similarities of a batch, seen from its anchors.

    Attributes:
        positive: (b,) s_ii.
        negatives: (b, b) text i, sound j; minus infinity where the pair is no negative.
    """

    positive: Tensor
    negatives: Tensor

    def hardest(self, dim: int) -> Tensor:
        """(b,) the highest negative of each anchor; minus infinity where there is none.

        Args:
            dim: 1 for texts as anchors, 0 for sounds.
        """
        # Unlike `amax`, its gradient goes to one entry without looking at all others.
        return self.negatives.max(dim=dim).values


class TripletLoss(nn.Module):
    """Base of the triplet losses.

    Args:
        margin: m, at least 0.
    """

    def __init__(self, *, margin: float = 0.2) -> None:
        super().__init__()
        if margin < 0:
            raise ValueError(f"a margin is at least 0, not {margin}")
        self.margin = margin

    def triplets(self, batch: Batch) -> Triplets:
        """See `training.losses.pair.paired_scores` for what is refused."""
        scores = paired_scores(batch)
        return Triplets(scores.diagonal(), scores.masked_fill(batch.matches, LOWEST))
