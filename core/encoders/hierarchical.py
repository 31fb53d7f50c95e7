"""Hierarchical cross-modal interaction: frames to segments to clips, words to phrases to sentences, and their likeness.

Xin and Zou: Improving audio-text retrieval via hierarchical cross-modal interaction and auxiliary captions, section
3.1. There is no public code.

Shape legend: b items, a sounds, c texts, n members (frames or words), m members of the other side, s parts (segments or
phrases), d features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

_PAIRS_AT_ONCE = 1 << 24


class Aggregator(nn.Module):
    """Members to a few parts, each a weighted mean of the members passed through a small network.

        parts = softmax(X W)^T h(X),   softmax over the members,   h = FC(d, 2 d) - ReLU - FC(2 d, d) - ReLU

    Eq. 3 and 4; s = 10. "A two-layer FC-ReLU" is read as a ReLU behind both layers; `last_relu` leaves the second out.
    With s = 1 it makes the clip or the sentence out of segments or phrases. Padding takes no part.

    Args:
        dimension: d.
        parts: s.
        last_relu: ReLU behind the second layer.
    """

    def __init__(self, *, dimension: int, parts: int = 10, last_relu: bool = True) -> None:
        super().__init__()
        self.weight = nn.Linear(dimension, parts, bias=False)
        layers = [nn.Linear(dimension, 2 * dimension), nn.ReLU(), nn.Linear(2 * dimension, dimension)]
        self.network = nn.Sequential(*layers, *([nn.ReLU()] if last_relu else []))

    def forward(self, members: Tensor, mask: Tensor | None = None) -> Tensor:
        """(b, n, d) -> (b, s, d).

        Args:
            members: (b, n, d).
            mask: (b, n) True for members that count; None: all.

        Raises:
            ValueError: Shapes that do not fit, or an item without any member.
        """
        check_members(members, mask)
        scores = self.weight(members).float()
        if mask is not None:
            scores = scores.masked_fill(~mask[..., None], float("-inf"))
        shares = scores.softmax(dim=1).to(members.dtype)
        parts: Tensor = shares.transpose(1, 2) @ self.network(members)
        return parts


class Hierarchy(nn.Module):
    """Both steps of one side: members to parts, parts to a whole.

    Args:
        dimension: d.
        parts: s.
    """

    def __init__(self, *, dimension: int, parts: int = 10) -> None:
        super().__init__()
        self.to_parts = Aggregator(dimension=dimension, parts=parts)
        self.to_whole = Aggregator(dimension=dimension, parts=1)

    def forward(self, members: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(b, n, d) -> parts (b, s, d) and whole (b, d)."""
        parts = self.to_parts(members, mask)
        return parts, self.to_whole(parts)[:, 0]


def cross_modal_interaction(
    first: Tensor,
    second: Tensor,
    first_mask: Tensor | None = None,
    second_mask: Tensor | None = None,
    *,
    pairs_at_once: int = _PAIRS_AT_ONCE,
) -> Tensor:
    """CI of every item of the first side with every item of the second.

    Half the sum of two means: for each member of the second its best cosine among the first, and for each of the first
    its best among the second. Eq. 6 and 8; their printed indices are swapped (the first mean runs over n up to N_w but
    takes frame m up to N_f of it). Symmetric in its sides, up to a transposition.

    Args:
        first: (a, n, d), any length.
        second: (c, m, d), any length.
        first_mask: (a, n) True for members that count; None: all.
        second_mask: (c, m) likewise.
        pairs_at_once: Upper bound of cosines held at a time while no gradient is wanted.

    Returns:
        (a, c), from -1 to 1.

    Raises:
        ValueError: Shapes that do not fit, or an item without any member.
    """
    check_members(first, first_mask)
    check_members(second, second_mask)
    if first.shape[-1] != second.shape[-1]:
        raise ValueError(f"expected features of one dimension, got {first.shape[-1]} and {second.shape[-1]}")
    one, other = normalize(first, dim=-1), normalize(second, dim=-1)
    step = len(one)
    if not (torch.is_grad_enabled() and (first.requires_grad or second.requires_grad)):
        step = max(1, pairs_at_once // (one.shape[1] * other.shape[0] * other.shape[1]))
    parts = [
        _interaction(one[i : i + step], other, None if first_mask is None else first_mask[i : i + step], second_mask)
        for i in range(0, len(one), step)
    ]
    return torch.cat(parts)


def _interaction(one: Tensor, other: Tensor, one_mask: Tensor | None, other_mask: Tensor | None) -> Tensor:
    a, n, d = one.shape
    c, m, _ = other.shape
    cosines = (one.reshape(a * n, d) @ other.reshape(c * m, d).T).view(a, n, c, m)
    lowest = torch.finfo(cosines.dtype).min
    of_first = cosines if other_mask is None else cosines.masked_fill(~other_mask, lowest)
    of_second = cosines if one_mask is None else cosines.masked_fill(~one_mask[:, :, None, None], lowest)
    best_of_first = of_first.amax(dim=3)  # (a, n, c)
    best_of_second = of_second.amax(dim=1)  # (a, c, m)
    return (_mean(best_of_first, one_mask, 1) + _mean(best_of_second, other_mask, 2)) / 2


def _mean(best: Tensor, mask: Tensor | None, dim: int) -> Tensor:
    """Mean over the members that count: (a, n, c) over n, or (a, c, m) over m."""
    if mask is None:
        return best.mean(dim=dim)
    there = mask[:, :, None] if dim == 1 else mask[None]
    return best.masked_fill(~there, 0.0).sum(dim=dim) / there.sum(dim=dim).to(best.dtype)


def check_members(members: Tensor, mask: Tensor | None) -> None:
    """Refuse what cannot be pooled.

    Raises:
        ValueError: Not (b, n, d), a mask of another shape or kind, or an item without any member.
    """
    if members.ndim != 3 or 0 in members.shape:
        raise ValueError(f"expected (items, members, features), got shape {tuple(members.shape)}")
    if mask is None:
        return
    if mask.dtype != torch.bool or mask.shape != members.shape[:2]:
        raise ValueError(f"expected a boolean mask {tuple(members.shape[:2])}, got {mask.dtype} {tuple(mask.shape)}")
    if not bool(mask.any(dim=1).all()):
        raise ValueError("every item needs at least one member that is not padding")
