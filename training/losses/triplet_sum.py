"""Triplet loss over all negatives (loss "triplet-sum")."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from training.losses.protocol import Batch
from training.losses.triplet import TripletLoss


class TripletSum(TripletLoss):
    """Every negative closer than the positive by less than the margin counts.

    With s_ij the cosine of text i and sound j, m the margin and [x]+ = max(0, x):

        L = 1/B sum_i sum_{j != i} [m + s_ij - s_ii]+ + [m + s_ji - s_ii]+

    Mei et al. (2022), eq. 2.

    Args:
        margin: m.

    Inputs: unit-length `text` and `audio` (b, d), paired row by row; `matches` (b, b).
    """

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the parts "text_to_audio" and "audio_to_text", to be added up."""
        triplets = self.triplets(batch)
        allowed = triplets.positive - self.margin
        return {
            "text_to_audio": relu(triplets.negatives - allowed[:, None]).sum() / len(allowed),
            "audio_to_text": relu(triplets.negatives - allowed[None, :]).sum() / len(allowed),
        }
