"""What losses over pairs share: cosines of a batch, checked, and the cross-entropy in both directions.

Shape legend: b pairs, d embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from training.losses.protocol import Batch

LOWEST = float("-inf")


def paired_scores(batch: Batch) -> Tensor:
    """Cosines (b, b) of texts (rows) and sounds (columns), row i and column i being a pair.

    The product runs in the features' own precision, what follows in float32 at least.

    Raises:
        ValueError: The batch is empty, its texts and sounds are not paired one by one, or the shapes do not fit.
    """
    check_pairs(batch.text, batch.audio)
    pairs = len(batch.text)
    if batch.matches.shape != (pairs, pairs) or batch.matches.dtype != torch.bool:
        raise ValueError(f"expected boolean matches ({pairs}, {pairs}), got {tuple(batch.matches.shape)}")
    if not bool(batch.matches.diagonal().all()):
        raise ValueError("text i must match sound i")
    return widened(batch.text @ batch.audio.T)


def check_pairs(first: Tensor, second: Tensor) -> None:
    """Refuse features that are not paired row by row.

    Raises:
        ValueError: Not two (b, d) of one shape, or nothing in them.
    """
    if first.ndim != 2 or first.shape != second.shape or 0 in first.shape:
        raise ValueError(
            f"expected two sets of as many features (b, d), got {tuple(first.shape)} and {tuple(second.shape)}"
        )


def widened(scores: Tensor) -> Tensor:
    """Half precision to float32; the rest as it is."""
    return scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores


def off_diagonal(matches: Tensor) -> Tensor:
    """(b, b) True for pairs that match without being row and column of one index: captions of one sound."""
    others = matches.clone()
    others.fill_diagonal_(False)
    return others


def diagonal_cross_entropy(logits: Tensor, excluded: Tensor | None, dim: int) -> Tensor:
    """Mean over i of -log softmax(logits)_ii along `dim`; pairs `excluded` (b, b) take no part."""
    if excluded is not None:
        logits = logits.masked_fill(excluded, LOWEST)
    return -log_softmax(logits, dim=dim).diagonal().mean()
