"""Losses by name: one file each, one registry."""

from __future__ import annotations

from typing import Any

from torch import nn

from training.losses.caption_cross_entropy import CaptionCrossEntropy
from training.losses.correspondence import EstimatedCorrespondence
from training.losses.hci import HierarchicalLoss
from training.losses.info_nce import InfoNce
from training.losses.nt_xent import NtXent
from training.losses.protocol import Batch
from training.losses.sigmoid import SigmoidLoss
from training.losses.text_caption_matching import TextCaptionMatching
from training.losses.triplet_max import TripletMax
from training.losses.triplet_sum import TripletSum
from training.losses.triplet_weighted import TripletWeighted
from training.losses.unheard import Unheard
from training.losses.weighted_sum import WeightedSum

LOSSES: dict[str, type[nn.Module]] = {
    "nt-xent": NtXent,
    "estimated-correspondence": EstimatedCorrespondence,
    "triplet-sum": TripletSum,
    "triplet-max": TripletMax,
    "triplet-weighted": TripletWeighted,
    "info-nce": InfoNce,
    "sigmoid": SigmoidLoss,
    "hci": HierarchicalLoss,
    "text-caption-matching": TextCaptionMatching,
    "caption-cross-entropy": CaptionCrossEntropy,
    "weighted-sum": WeightedSum,
    "unheard": Unheard,
}

__all__ = ["LOSSES", "Batch", "EstimatedCorrespondence", "NtXent", "create_loss"]


def create_loss(name: str, **options: Any) -> nn.Module:
    """Build a loss.

    Raises:
        KeyError: No such name.
        TypeError: An option that the loss does not know.
    """
    return LOSSES[name](**options)
