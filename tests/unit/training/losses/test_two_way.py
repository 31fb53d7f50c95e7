"""Softmax along both dimensions at once, beside what torch computes along each."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.losses import Batch, EstimatedCorrespondence, NtXent, two_way
from training.losses.two_way import two_way_expectation, two_way_logsumexp

# Rows whose exponentials vanish beside the largest score of all, or do not.
TABLES = {"near": 1.0, "far apart": 300.0}


def table(rows: int = 7, columns: int = 5, *, scale: float = 1.0, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return drawn + scale * torch.arange(rows, dtype=torch.float64)[:, None]


@pytest.fixture(autouse=True, params=[1, 10, 1 << 18], ids=["a row at a time", "two rows", "all at once"])
def band(request, monkeypatch):
    monkeypatch.setitem(two_way._BAND_NUMBERS, "cpu", request.param)


@pytest.mark.parametrize("scale", TABLES.values(), ids=TABLES)
def test_that_sums_are_those_of_each_dimension(scale):
    scores = table(scale=scale)
    rows, columns = two_way_logsumexp(scores)
    torch.testing.assert_close(rows, scores.logsumexp(dim=1))
    torch.testing.assert_close(columns, scores.logsumexp(dim=0))


@pytest.mark.parametrize("scale", TABLES.values(), ids=TABLES)
def test_that_expectations_are_those_under_each_softmax(scale):
    scores, weights = table(seed=1), table(scale=scale)
    rows, columns = two_way_expectation(scores, weights)
    torch.testing.assert_close(rows, (weights.softmax(dim=1) * scores).sum(dim=1))
    torch.testing.assert_close(columns, (weights.softmax(dim=0) * scores).sum(dim=0))


@pytest.mark.parametrize("scale", TABLES.values(), ids=TABLES)
def test_that_gradients_are_those_of_finite_differences(scale):
    scores, weights = table(4, 3, scale=scale).requires_grad_(), table(4, 3, scale=scale, seed=1)
    assert torch.autograd.gradcheck(two_way_logsumexp, scores)
    assert torch.autograd.gradcheck(lambda s: two_way_expectation(s, weights), scores)


def test_that_pairs_that_take_no_part_have_no_gradient():
    scores = table(3, 3)
    scores[0, 1] = scores[2, 0] = -torch.inf
    scores.requires_grad_()
    rows, columns = two_way_logsumexp(scores)
    torch.testing.assert_close(rows, scores.logsumexp(dim=1))
    (rows.sum() + columns.sum()).backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert scores.grad[0, 1] == scores.grad[2, 0] == 0.0


def test_that_a_row_of_which_nothing_takes_part_is_minus_infinity_and_harmless():
    scores = table(3, 3)
    scores[1] = -torch.inf
    scores.requires_grad_()
    rows, columns = two_way_logsumexp(scores)
    assert rows[1] == -torch.inf
    columns.sum().backward()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_that_losses_and_gradients_are_those_of_the_plain_formulas():
    generator = torch.Generator().manual_seed(2)
    text, audio = (
        torch.nn.functional.normalize(torch.randn(9, 6, generator=generator, dtype=torch.float64), dim=-1)
        for _ in range(2)
    )
    ids = torch.arange(9) // 2
    matches, estimates = ids[:, None] == ids, torch.rand(9, 9, generator=generator, dtype=torch.float64)

    def supervised(scores: Tensor) -> Tensor:
        shares = scores.log_softmax(dim=1) + scores.log_softmax(dim=0)
        return -0.5 * shares[matches].mean()

    def estimated(scores: Tensor) -> Tensor:
        taught = estimates / 0.1
        by_row = (taught.softmax(dim=1) * scores.log_softmax(dim=1)).sum(dim=1).mean()
        return -0.5 * (by_row + (taught.softmax(dim=0) * scores.log_softmax(dim=0)).sum(dim=0).mean())

    for loss, plain in ((NtXent(), supervised), (EstimatedCorrespondence(teacher_temperature=0.1), estimated)):
        ours, theirs = text.clone().requires_grad_(), text.clone().requires_grad_()
        told = torch.stack(list(loss(Batch(ours, audio, matches, estimates)).values())).sum()
        expected = plain(theirs @ audio.T / 0.05)
        torch.testing.assert_close(told, expected)
        told.backward()
        expected.backward()
        torch.testing.assert_close(ours.grad, theirs.grad)
