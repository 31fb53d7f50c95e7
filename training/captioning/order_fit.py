"""Weights for judging captions of two sounds, fitted on scenes of validation clips (see `training.captioning.order`).

Shape legend: n judgements, k candidates, t terms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid

from core.captioning.card import OrderFit
from core.types import FloatArray
from training.captioning.order import OrderedLoss, OrderWitness, leads, signs_of_sequence, weigh_claims
from training.captioning.relation import take_apart
from training.perturb import PAPER, Contrast, accuracies

_DECAY, _FRONT_DECAY = 1e-3, 1e-2
_NO_WEIGHTS = (0.0,) * 6
_EVENED = ("replace/seq2sup", "replace/sup2seq")
_SHIFTS = tuple(np.linspace(-2.0, 2.0, 17).tolist())


def fit_order(
    witness: OrderWitness,
    captions: Sequence[str],
    tests: Sequence[Contrast],
    scores: FloatArray,
    *,
    top: int,
) -> OrderFit:
    """Fit all weights.

    Args:
        witness: Of n scenes.
        captions: A true one of each scene.
        tests: True and false captions of them.
        scores: (n, n) of captions against scenes by the search model.
        top: So many of its best are put in a new order.
    """
    claims = [claim for caption in captions if (claim := take_apart(caption, front=True)) is not None]
    rows = np.asarray([row for row, caption in enumerate(captions) if take_apart(caption, front=True) is not None])
    asked = leads(witness, rows, claims)
    order, front = _fit_leads(asked.order[asked.sequence]), _fit_front(asked.front[~asked.sequence])
    first = OrderFit(
        relation=_fit_relation(signs_of_sequence(witness.scenes.change[rows], asked), asked.sequence),
        order=(order[0], order[1]),
        front=tuple(front),
        weights=_NO_WEIGHTS,
    )
    weights = _fit_weights(_contrasted(witness, first, tests), _reranked(witness, first, captions, scores, top))
    return _evened(witness, first.model_copy(update={"weights": weights}), tests)


def _evened(witness: OrderWitness, fit: OrderFit, tests: Sequence[Contrast]) -> OrderFit:
    """The same, with the constant of the odds of a sequence where both tests of them clear the paper's accuracy best.

    Superpositions are told from sequences less surely than the other way round, and table 5 asks more of them.
    """
    asked = [test for test in tests if test.name in _EVENED]
    if {test.name for test in asked} != set(_EVENED):
        return fit
    *signs, constant = fit.relation
    shifted = [fit.model_copy(update={"relation": (*signs, constant + shift)}) for shift in _SHIFTS]
    clear = [
        min(found[name].share - PAPER[name] for name in _EVENED)
        for found in (accuracies(OrderedLoss(witness, one), asked) for one in shifted)
    ]
    # Of several as good, the one that moves least.
    return shifted[max(range(len(_SHIFTS)), key=lambda number: (clear[number], -abs(_SHIFTS[number])))]


def _fit_relation(signs: FloatArray, sequences: np.ndarray) -> tuple[float, float, float, float, float, float]:
    inputs = torch.from_numpy(signs).double()
    sides = torch.from_numpy(np.where(sequences, 1.0, -1.0))
    # Neither relation is the likelier one beforehand, however many scenes there are of each.
    shares = torch.from_numpy(np.where(sequences, 0.5 / sequences.sum(), 0.5 / (~sequences).sum()))
    one, two, three, four, five, six = _minimised(
        6, lambda weights: -(shares * logsigmoid(sides * (inputs @ weights))).sum()
    )
    return one, two, three, four, five, six


def _fit_leads(lead: FloatArray, *, decay: float = _DECAY) -> list[float]:
    """Of (n, t) leads that are all on the right side, more or less."""
    inputs = torch.from_numpy(lead).double()
    return _minimised(lead.shape[1], lambda weights: -logsigmoid(inputs @ weights).mean(), decay=decay)


def _fit_front(lead: FloatArray) -> list[float]:
    """The same for fronts, whose leads are of very different size, and many for the scenes that there are."""
    scale = np.sqrt(np.square(lead).mean(axis=0)) + 1e-6
    found = _fit_leads(lead / scale, decay=_FRONT_DECAY)
    return [value / float(size) for value, size in zip(found, scale, strict=True)]


def _contrasted(witness: OrderWitness, fit: OrderFit, tests: Sequence[Contrast]) -> tuple[Tensor, Tensor]:
    """Terms (n, 2, t), the true caption first, and how much each test weighs: every kind of test the same."""
    rows = np.asarray([test.sound for test in tests], dtype=np.int64)
    terms = [weigh_claims(witness, fit, rows, texts) for texts in _both(tests)]
    names = [test.name for test in tests]
    shares = torch.tensor([1 / (names.count(name) * len(set(names))) for name in names], dtype=torch.float64)
    return torch.from_numpy(np.stack(terms, axis=1)).double(), shares


def _both(tests: Sequence[Contrast]) -> tuple[list[str], list[str]]:
    return [test.true for test in tests], [test.false for test in tests]


def _reranked(
    witness: OrderWitness, fit: OrderFit, captions: Sequence[str], scores: FloatArray, top: int
) -> tuple[Tensor, Tensor]:
    """Terms (n, k, t) of the best scenes of queries that have their own among them, and which one that is (n,)."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    own = np.arange(len(captions))[:, None]
    kept = np.flatnonzero((best == own).any(axis=1)).tolist()
    best = best[kept]
    asked = [captions[row] for row in kept for _ in range(best.shape[1])]
    terms = weigh_claims(witness, fit, best.reshape(-1).astype(np.int64), asked)
    right = (best == own[kept]).argmax(axis=1)
    return torch.from_numpy(terms.reshape(*best.shape, -1)).double(), torch.from_numpy(right)


def _fit_weights(
    contrasted: tuple[Tensor, Tensor], reranked: tuple[Tensor, Tensor]
) -> tuple[float, float, float, float, float, float]:
    pairs, shares = contrasted
    lists, right = reranked
    # Terms are of very different size; what is fitted is told in their own spread.
    scale = (
        torch.cat([(pairs - pairs.mean(1, keepdim=True)).flatten(0, 1), _centred(lists).flatten(0, 1)]).std(0) + 1e-6
    )

    def loss(weights: Tensor) -> Tensor:
        true = -(log_softmax((pairs / scale) @ weights, dim=1)[:, 0] * shares).sum()
        if not len(lists):
            return true
        chosen = log_softmax((lists / scale) @ weights, dim=1).gather(1, right[:, None])
        return true - chosen.mean()

    one, two, three, four, five, six = (
        value / float(size) for value, size in zip(_minimised(6, loss), scale, strict=True)
    )
    return one, two, three, four, five, six


def _centred(lists: Tensor) -> Tensor:
    return lists - lists.mean(dim=1, keepdim=True)


def _minimised(count: int, loss: Callable[[Tensor], Tensor], *, decay: float = _DECAY) -> list[float]:
    weights = torch.zeros(count, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        total = loss(weights) + decay * weights.square().sum()
        torch.autograd.backward(total)
        return total

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return [float(value) for value in weights.detach()]
