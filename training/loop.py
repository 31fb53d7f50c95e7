"""The training loop: AdamW, warm-up and cosine, the best weights by validation."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import Progress
from torch import nn

from training.config import LoopConfig
from training.data.sampler import CaptionSampler
from training.task import RetrievalTask

_logger = logging.getLogger(__name__)
Validate = Callable[[nn.Module, nn.Module], float]


@dataclass(frozen=True, slots=True)
class TrainedHeads:
    """The best heads of a run, in evaluation mode.

    Attributes:
        audio: Head of the sounds' side.
        text: Head of the texts' side.
        epoch: When they were best, from 1.
        validation: Their validation figure.
    """

    audio: nn.Module
    text: nn.Module
    epoch: int
    validation: float


def learning_rate_factor(step: int, *, warmup_steps: int, steps: int) -> float:
    """Rises linearly to 1 over the warm-up, then falls to 0 along half a cosine."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup_steps) / max(1, steps - warmup_steps))))


def train_heads(
    task: RetrievalTask, sampler: CaptionSampler, *, config: LoopConfig, validate: Validate, log_file: Path
) -> TrainedHeads:
    """Train both heads of a task.

    Args:
        task: Holds the heads; they are changed.
        sampler: Gives the batches.
        config: Optimiser and schedule.
        validate: A figure of (audio head, text head), higher is better; called after each epoch.
        log_file: CSV with one row an epoch.
    """
    heads = nn.ModuleList([task.audio_head, task.text_head])
    decayed = [parameter for parameter in heads.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in heads.parameters() if parameter.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=config.learning_rate,
    )
    steps = config.epochs * len(sampler)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: learning_rate_factor(step, warmup_steps=config.warmup_steps, steps=steps)
    )
    best: TrainedHeads | None = None
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("w", newline="", encoding="utf-8") as file, Progress(transient=True) as progress:
        bar = progress.add_task("training", total=steps)
        log: csv.DictWriter[str] | None = None
        for epoch in range(1, config.epochs + 1):
            sums: dict[str, float] = {}
            heads.train()
            for clips, captions in sampler.epoch():
                total, parts = task.loss(clips, captions)
                if not torch.isfinite(total):
                    raise FloatingPointError(f"the loss is {total.item()} in epoch {epoch}: {parts}")
                optimiser.zero_grad()
                torch.autograd.backward(total)
                nn.utils.clip_grad_norm_(heads.parameters(), config.clip_norm)
                optimiser.step()
                schedule.step()
                progress.advance(bar)
                for name, value in {"loss": total.item(), **parts}.items():
                    sums[name] = sums.get(name, 0.0) + value / len(sampler)
            heads.eval()
            figure = validate(task.audio_head, task.text_head)
            row = {"epoch": epoch, "validation": figure, **sums}
            if log is None:
                log = csv.DictWriter(file, fieldnames=list(row))
                log.writeheader()
            log.writerow(row)
            file.flush()
            _logger.info("epoch %d: loss %.4f, validation %.4f", epoch, sums["loss"], figure)
            if best is None or figure > best.validation:
                best = TrainedHeads(deepcopy(task.audio_head), deepcopy(task.text_head), epoch, figure)
            elif epoch - best.epoch >= config.patience:
                break
    assert best is not None  # An epoch at least was run.
    return best
