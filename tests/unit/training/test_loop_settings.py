"""Schedules and parameter groups of the training loop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from training.losses import create_loss
from training.optim import OptimiserConfig, ParameterGroup, create_optimiser, decay_groups, set_learning_rates
from training.schedule import ScheduleConfig, learning_rate_factor


def factors(config: ScheduleConfig, *, epochs: int = 4, steps: int = 5) -> list[float]:
    return [learning_rate_factor(config, step, steps_per_epoch=steps, epochs=epochs) for step in range(epochs * steps)]


def test_that_the_warm_up_rises_and_the_cosine_falls_to_its_floor() -> None:
    found = factors(ScheduleConfig(warmup_epochs=1, floor=0.005))
    assert found[:5] == pytest.approx([step / 6 for step in range(1, 6)])
    assert found[5] == 1.0
    assert found[5:] == sorted(found[5:], reverse=True)
    assert found[-1] == pytest.approx(0.005 + 0.995 * 0.5 * (1 + math.cos(math.pi * 14 / 15)))


def test_that_a_cosine_by_epoch_stays_within_each() -> None:
    found = factors(ScheduleConfig(per="epoch"))
    expected = [0.5 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4)]
    assert found == pytest.approx([value for value in expected for _ in range(5)])


def test_that_steps_come_every_so_many_epochs() -> None:
    found = factors(ScheduleConfig(kind="step", decay=0.1, decay_epochs=2))
    assert found == pytest.approx([1.0] * 10 + [0.1] * 10)


def test_that_a_warm_up_cannot_be_given_twice() -> None:
    with pytest.raises(ValueError, match="not both"):
        ScheduleConfig(warmup_steps=1, warmup_epochs=1)


@pytest.mark.parametrize(("undecayed", "shapes"), [("one-dimensional", [1, 1, 1]), ("biases", [1, 1]), ("none", [])])
def test_that_weight_decay_leaves_out_what_it_should(undecayed: str, shapes: list[int]) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    groups = decay_groups("it", module, undecayed=undecayed)
    left_out = [parameter.ndim for group in groups if not group.decays for parameter in group.parameters]
    assert left_out == shapes
    assert sum(len(group.parameters) for group in groups) == 4


def test_that_the_sigmoid_loss_brings_its_own_learning_rate() -> None:
    module = nn.ModuleDict({"head": nn.Linear(2, 2), "loss": create_loss("sigmoid")})
    optimiser = create_optimiser(decay_groups("it", module), OptimiserConfig(learning_rate=1e-3, weight_decay=0.1))
    rates = {
        group["name"]: (group["lr"], group["weight_decay"], len(group["params"])) for group in optimiser.param_groups
    }
    assert sorted(rates.values()) == [(0.001, 0.0, 1), (0.001, 0.1, 1), (0.1, 0.0, 2)]
    set_learning_rates(optimiser, 0.5)
    assert sorted(group["lr"] for group in optimiser.param_groups) == [0.0005, 0.0005, 0.05]


def test_that_a_group_learns_at_its_factor_and_frozen_parameters_not_at_all() -> None:
    slow, fast = nn.Linear(2, 2, bias=False), nn.Linear(2, 2)
    fast.bias.requires_grad_(False)
    groups = [*decay_groups("slow", slow, learning_rate_factor=0.2), *decay_groups("fast", fast)]
    optimiser = create_optimiser(groups, OptimiserConfig(learning_rate=1.0))
    assert [group["lr"] for group in optimiser.param_groups] == [0.2, 1.0]
    assert sum(len(group["params"]) for group in optimiser.param_groups) == 2


def test_that_a_parameter_is_not_trained_twice() -> None:
    one = nn.Parameter(torch.zeros(2))
    with pytest.raises(ValueError, match="another group"):
        create_optimiser([ParameterGroup("a", (one,)), ParameterGroup("b", (one,))], OptimiserConfig())
    with pytest.raises(ValueError, match="nothing to train"):
        create_optimiser([], OptimiserConfig())
