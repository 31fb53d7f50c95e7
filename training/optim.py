"""Optimisers from settings, over groups of parameters with learning rates and weight decay of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

Undecayed = Literal["none", "biases", "one-dimensional"]


class OptimiserConfig(BaseModel):
    """An optimiser.

    Attributes:
        name: "adam" adds the decay to the gradient, "adamw" takes it from the weights.
        learning_rate: At the schedule's factor of one.
        weight_decay: Of groups that decay.
        undecayed: Which parameters of a module never decay: "biases", all of one dimension (biases and norms), or none.
        betas: Of Adam's two means.
        eps: Of Adam.
        momentum: Of SGD.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    undecayed: Undecayed = "one-dimensional"
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = Field(default=1e-8, gt=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """Parameters that are treated alike.

    Attributes:
        name: For logs.
        parameters: Frozen ones among them are left out.
        learning_rate_factor: Times the optimiser's learning rate.
        learning_rate: In place of that product; the schedule still applies to it.
        decays: Whether the optimiser's weight decay applies.
    """

    name: str
    parameters: tuple[nn.Parameter, ...]
    learning_rate_factor: float = 1.0
    learning_rate: float | None = None
    decays: bool = True


def decay_groups(
    name: str,
    module: nn.Module,
    *,
    undecayed: Undecayed = "one-dimensional",
    learning_rate_factor: float = 1.0,
    learning_rate: float | None = None,
) -> list[ParameterGroup]:
    """A module's parameters as one group that decays and one that does not; empty ones are left out.

    A submodule with a `parameter_learning_rate` (as the sigmoid loss) gets a group of its own with that rate.
    """
    own_rates: dict[int, float] = {}
    for part in module.modules():
        rate = getattr(part, "parameter_learning_rate", None)
        if rate is not None:
            own_rates.update({id(parameter): float(rate) for parameter in part.parameters()})
    sorted_out: dict[tuple[float | None, bool], list[nn.Parameter]] = {}
    for path, parameter in module.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = own_rates.get(id(parameter))
        decays = rate is None and _decays(path, parameter, undecayed)
        sorted_out.setdefault((learning_rate if rate is None else rate, decays), []).append(parameter)
    # What decays comes first, as the shipped model was trained.
    order = sorted(sorted_out, key=lambda key: not key[1])
    return [
        ParameterGroup(
            f"{name}/{'decayed' if decays else 'undecayed'}{'' if rate == learning_rate else ', own rate'}",
            tuple(sorted_out[rate, decays]),
            learning_rate_factor=learning_rate_factor,
            learning_rate=rate,
            decays=decays,
        )
        for rate, decays in order
    ]


def _decays(path: str, parameter: nn.Parameter, undecayed: Undecayed) -> bool:
    if undecayed == "one-dimensional":
        return parameter.ndim > 1
    return undecayed == "none" or path.rpartition(".")[2] not in ("bias", "in_proj_bias")


def create_optimiser(groups: Sequence[ParameterGroup], config: OptimiserConfig) -> torch.optim.Optimizer:
    """An optimiser; each of its groups keeps its undiminished rate as "base_lr", for the schedule.

    Raises:
        ValueError: There is nothing to train, or a parameter is in two groups.
    """
    settings: list[dict[str, Any]] = []
    seen: set[int] = set()
    for group in groups:
        parameters = [parameter for parameter in group.parameters if parameter.requires_grad]
        if not parameters:
            continue
        if seen & {id(parameter) for parameter in parameters}:
            raise ValueError(f"a parameter of the group {group.name} is in another group, too")
        seen |= {id(parameter) for parameter in parameters}
        rate = group.learning_rate
        rate = config.learning_rate * group.learning_rate_factor if rate is None else rate
        decay = config.weight_decay if group.decays else 0.0
        settings.append({"params": parameters, "lr": rate, "base_lr": rate, "weight_decay": decay, "name": group.name})
    if not settings:
        raise ValueError("there is nothing to train: every parameter is frozen")
    if config.name == "sgd":
        return torch.optim.SGD(settings, lr=config.learning_rate, momentum=config.momentum)
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return kind(settings, lr=config.learning_rate, betas=config.betas, eps=config.eps)


def set_learning_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """Give every group its own rate times a factor."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * factor
