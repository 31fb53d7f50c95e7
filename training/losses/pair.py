"""What losses over pairs share: cosines of a batch, checked, and the cross-entropy in both directions.

Shape legend: b pairs, d embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from training.losses.protocol import Batch
from training.losses.two_way import two_way_logsumexp

LOWEST = float("-inf")


def similarity(first: Tensor, second: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Products of all rows over the temperature: (q, d), (b, d) -> (q, b).

    The product runs in the features' own precision, what follows in float32 at least.
    """
    if first.dtype in (torch.float16, torch.bfloat16):
        return (first @ second.T).float() / temperature
    # To divide d features of each row is cheaper than to divide b scores.
    return (first / temperature) @ second.T


def paired_scores(batch: Batch, *, temperature: float = 1.0) -> Tensor:
    """`similarity` (b, b) of texts (rows) and sounds (columns), row i and column i being a pair.

    Raises:
        ValueError: The batch is empty, its texts and sounds are not paired one by one, or the shapes do not fit.
    """
    check_pairs(batch.text, batch.audio)
    pairs = len(batch.text)
    if batch.matches.shape != (pairs, pairs) or batch.matches.dtype != torch.bool:
        raise ValueError(f"expected boolean matches ({pairs}, {pairs}), got {tuple(batch.matches.shape)}")
    if not bool(batch.matches.diagonal().all()):
        raise ValueError("text i must match sound i")
    return similarity(batch.text, batch.audio, temperature=temperature)


def check_pairs(first: Tensor, second: Tensor) -> None:
    """Refuse features that are not paired row by row.

    Raises:
        ValueError: Not two (b, d) of one shape, or nothing in them.
    """
    if first.ndim != 2 or first.shape != second.shape or 0 in first.shape:
        raise ValueError(
            f"expected two sets of as many features (b, d), got {tuple(first.shape)} and {tuple(second.shape)}"
        )


def check_batch(batch: Batch) -> None:
    """Refuse texts and sounds (of any numbers) that make no table of scores.

    Raises:
        ValueError: The batch is empty, its features have different lengths, or `matches` or `estimates` is no (q, b).
    """
    text, audio = batch.text, batch.audio
    if text.ndim != 2 or audio.ndim != 2 or text.shape[1] != audio.shape[1] or 0 in (*text.shape, *audio.shape):
        raise ValueError(
            f"expected texts (q, d) and sounds (b, d), at least one of each, "
            f"got {tuple(text.shape)} and {tuple(audio.shape)}"
        )
    for name, table in (("matches", batch.matches), ("estimates", batch.estimates)):
        if table.shape != (len(text), len(audio)):
            raise ValueError(f"expected {name} ({len(text)}, {len(audio)}), got {tuple(table.shape)}")
    if batch.matches.dtype != torch.bool:
        raise ValueError(f"expected boolean matches, got {batch.matches.dtype}")


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


def diagonal_cross_entropies(logits: Tensor, excluded: Tensor | None) -> tuple[Tensor, Tensor]:
    """`diagonal_cross_entropy` along the rows (each row picks its column) and along the columns."""
    if excluded is not None:
        logits = logits.masked_fill(excluded, LOWEST)
    of_rows, of_columns = two_way_logsumexp(logits)
    own = logits.diagonal()
    return (of_rows - own).mean(), (of_columns - own).mean()
