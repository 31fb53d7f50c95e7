"""Softmax along the rows and along the columns of one matrix of scores, reading it as rarely as possible.

A loss over b pairs is little more than a few passes over (b, b) numbers, and at b = 4,096 each pass costs a tenth of
the matrix product that made them. `exp(s - m)` with m the largest score of all serves rows and columns alike, and
gives their sums and, in the backward pass, their gradients; a band of rows stays in the processor's cache meanwhile.
Where a row or a column lies so far below m that its exponentials would vanish, each gets its own maximum.

Shape legend: q texts (rows), b sounds (columns).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_BAND_NUMBERS = {"cpu": 1 << 18}
_OTHER_BAND_NUMBERS = 1 << 25
# exp(-60) keeps its full precision in float32, and what is a millionth of it adds nothing to a sum.
_DEEPEST = 60.0


def two_way_logsumexp(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of the sums of exponentials along both dimensions.

    Args:
        scores: (q, b) float32 or float64; minus infinity where a pair takes no part.

    Returns:
        Of each row (q,), of each column (b,). Where every score of one is minus infinity, so is its result.
    """
    rows, columns = _TwoWayLogSumExp.apply(scores)  # type: ignore[no-untyped-call]
    return rows, columns


def two_way_expectation(scores: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean scores under the softmax of `weights` along both dimensions.

        rows_i = sum_j softmax_j(w_i.)_j s_ij,   columns_j = sum_i softmax_i(w_.j)_i s_ij

    Args:
        scores: (q, b) float32 or float64, finite.
        weights: (q, b) of the same precision; no gradient flows to them.

    Returns:
        Of each row (q,), of each column (b,).
    """
    rows, columns = _TwoWayExpectation.apply(scores, weights.detach())  # type: ignore[no-untyped-call]
    return rows, columns


def _bands(scores: Tensor) -> Iterator[slice]:
    """Rows that are worked on together."""
    numbers = _BAND_NUMBERS.get(scores.device.type, _OTHER_BAND_NUMBERS)
    step = max(1, numbers // scores.shape[1])
    return (slice(first, first + step) for first in range(0, scores.shape[0], step))


def _summits(scores: Tensor) -> tuple[Tensor, Tensor]:
    """What is taken off before the exponential, for rows (q,) and columns (b,): the largest score of all if it may."""
    row_tops, column_tops = scores.amax(dim=1), scores.amax(dim=0)
    top = row_tops.max()
    if top - torch.minimum(row_tops.min(), column_tops.min()) <= _DEEPEST:
        return top.expand_as(row_tops), top.expand_as(column_tops)
    lowest = torch.finfo(scores.dtype).min
    return row_tops.clamp(min=lowest), column_tops.clamp(min=lowest)


def _is_shared(row_summits: Tensor, column_summits: Tensor) -> bool:
    return row_summits.stride() == (0,) and column_summits.stride() == (0,)


def _exponentials(band: Tensor, row_summits: Tensor, column_summits: Tensor) -> tuple[Tensor, Tensor]:
    """`exp(s - summit)` as rows and as columns see it; one and the same tensor where they share their summit."""
    by_row = (band - row_summits[:, None]).exp_()
    if _is_shared(row_summits, column_summits):
        return by_row, by_row
    return by_row, (band - column_summits).exp_()


def _gradient_of_sums(
    scores: Tensor, summits: tuple[Tensor, Tensor], row_factors: Tensor, column_factors: Tensor
) -> Tensor:
    """`exp(s - m_i) f_i + exp(s - m_j) f_j`: (q, b)."""
    gradient = torch.empty_like(scores)
    for rows in _bands(scores):
        by_row, by_column = _exponentials(scores[rows], summits[0][rows], summits[1])
        if by_row is by_column:
            torch.mul(by_row, row_factors[rows, None] + column_factors, out=gradient[rows])
        else:
            torch.mul(by_row, row_factors[rows, None], out=gradient[rows])
            gradient[rows].addcmul_(by_column, column_factors.expand_as(by_column))
    return gradient


class _TwoWayLogSumExp(torch.autograd.Function):
    """See `two_way_logsumexp`."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> tuple[Tensor, Tensor]:
        summits = _summits(scores)
        row_sums = scores.new_empty(scores.shape[0])
        column_sums = scores.new_zeros(scores.shape[1])
        for rows in _bands(scores):
            by_row, by_column = _exponentials(scores[rows], summits[0][rows], summits[1])
            row_sums[rows] = by_row.sum(dim=1)
            column_sums += by_column.sum(dim=0)
        ctx.save_for_backward(scores, *summits, row_sums, column_sums)
        return summits[0] + row_sums.log(), summits[1] + column_sums.log()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_rows: Tensor, of_columns: Tensor) -> Tensor:
        scores, row_summits, column_summits, row_sums, column_sums = ctx.saved_tensors
        return _gradient_of_sums(
            scores, (row_summits, column_summits), _over(of_rows, row_sums), _over(of_columns, column_sums)
        )


class _TwoWayExpectation(torch.autograd.Function):
    """See `two_way_expectation`."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        summits = _summits(weights)
        row_sums, row_means = weights.new_empty(2, weights.shape[0])
        column_sums, column_means = weights.new_zeros(2, weights.shape[1])
        for rows in _bands(weights):
            by_row, by_column = _exponentials(weights[rows], summits[0][rows], summits[1])
            row_sums[rows] = by_row.sum(dim=1)
            column_sums += by_column.sum(dim=0)
            weighted = by_row * scores[rows]
            row_means[rows] = weighted.sum(dim=1)
            column_means += (weighted if by_row is by_column else by_column * scores[rows]).sum(dim=0)
        ctx.save_for_backward(weights, *summits, row_sums, column_sums)
        return row_means / row_sums, column_means / column_sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_rows: Tensor, of_columns: Tensor) -> tuple[Tensor, None]:
        weights, row_summits, column_summits, row_sums, column_sums = ctx.saved_tensors
        factors = _over(of_rows, row_sums), _over(of_columns, column_sums)
        return _gradient_of_sums(weights, (row_summits, column_summits), *factors), None


def _over(gradient: Tensor, sums: Tensor) -> Tensor:
    """Gradients over sums; 0 where nothing was summed up."""
    return torch.where(sums > 0, gradient / sums, torch.zeros_like(sums))
