"""How the learning rate changes over a run: a factor that follows from the step alone, so that a resumed run agrees."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ScheduleConfig(BaseModel):
    """A schedule: a linear warm-up, then "constant", half a "cosine", or a "step" every so many epochs.

    Attributes:
        kind: What comes after the warm-up.
        per: Whether the factor changes with each step or stays for an epoch.
        warmup_steps: Length of the warm-up in optimiser steps.
        warmup_epochs: Or in epochs.
        floor: The cosine ends at this factor.
        decay: Factor of each step down ("step").
        decay_epochs: Epochs between two steps down ("step").
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["constant", "cosine", "step"] = "cosine"
    per: Literal["step", "epoch"] = "step"
    warmup_steps: int = Field(default=0, ge=0)
    warmup_epochs: float = Field(default=0.0, ge=0)
    floor: float = Field(default=0.0, ge=0, le=1)
    decay: float = Field(default=0.1, gt=0, le=1)
    decay_epochs: int = Field(default=20, ge=1)

    @model_validator(mode="after")
    def _one_warmup(self) -> ScheduleConfig:
        if self.warmup_steps and self.warmup_epochs:
            raise ValueError("a warm-up is so many steps or so many epochs, not both")
        return self


def learning_rate_factor(config: ScheduleConfig, step: int, *, steps_per_epoch: int, epochs: int) -> float:
    """The factor at an optimiser step, from 0.

    During the warm-up of w it is (step + 1) / (w + 1), so that the first step already learns.

    Args:
        config: The schedule.
        step: Counted over the whole run.
        steps_per_epoch: Optimiser steps in an epoch.
        epochs: Of the whole run.
    """
    warmup = config.warmup_steps or round(config.warmup_epochs * steps_per_epoch)
    total = epochs * steps_per_epoch
    if config.per == "epoch":
        step -= step % steps_per_epoch
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if config.kind == "constant":
        return 1.0
    if config.kind == "step":
        return config.decay ** (step // steps_per_epoch // config.decay_epochs)
    way = min(1.0, (step - warmup) / max(1, total - warmup))
    return config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * way))
