"""Triplet loss over the hardest negative (loss "triplet-max")."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu

from training.losses.protocol import Batch
from training.losses.triplet import TripletLoss


class TripletMax(TripletLoss):
    """Only the hardest negative of each anchor counts.

        L = 1/B sum_i max_{j != i} [m + s_ij - s_ii]+ + max_{j != i} [m + s_ji - s_ii]+

    Mei et al. (2022), eq. 3, after Faghri et al. (2018). An anchor without any negative adds nothing.

    Args:
        margin: m.

    Inputs: unit-length `text` and `audio` (b, d), paired row by row; `matches` (b, b).
    """

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Give the parts "text_to_audio" and "audio_to_text", to be added up."""
        triplets = self.triplets(batch)
        return {
            name: relu(self.margin + triplets.hardest(dim) - triplets.positive).mean()
            for name, dim in (("text_to_audio", 1), ("audio_to_text", 0))
        }
