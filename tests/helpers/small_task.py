"""A task of a few numbers, for tests of the training loop; with dropout, so that chance has to be kept as well."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from training.data.batch import Shard
from training.distributed import gather_rows, processes, rank, world_size
from training.loop import LoopConfig, fit, seed_everything
from training.optim import ParameterGroup, decay_groups

ROWS = 24
BATCH = 4


class SmallTask:
    """Learns y = x W.

    Args:
        dropout: Before the last layer.
        die_at: (epoch, batch) at which the process kills itself, as if the plug was pulled.
        broken_at: (epoch, batch) whose inputs are no numbers.
        lasting: Above 0: so many times the figure "score" gets better.
    """

    def __init__(
        self,
        *,
        dropout: float = 0.2,
        die_at: tuple[int, int] | None = None,
        broken_at: tuple[int, int] | None = None,
        lasting: int = 0,
    ) -> None:
        seed_everything(0)
        self.module: nn.Module = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 2))
        generator = torch.Generator().manual_seed(1)
        self.inputs = torch.randn(ROWS, 6, generator=generator)
        self.targets = self.inputs @ torch.randn(6, 2, generator=generator)
        self.die_at, self.broken_at, self.lasting = die_at, broken_at, lasting
        self.seen: list[int] = []
        self._validated = 0

    def steps_per_epoch(self) -> int:
        return ROWS // BATCH

    def batches(self, epoch: int) -> Iterator[dict[str, Tensor]]:
        order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(epoch)).tolist()
        for number in range(ROWS // BATCH):
            if self.die_at == (epoch, number):
                os.kill(os.getpid(), signal.SIGKILL)
            rows = order[number * BATCH : (number + 1) * BATCH][Shard(rank(), world_size()).rows(BATCH)]
            inputs = self.inputs[rows]
            if self.broken_at == (epoch, number):
                inputs = inputs * float("nan")
            yield {"rows": torch.tensor(rows), "inputs": inputs, "targets": self.targets[rows]}

    def describe(self, batch: dict[str, Tensor]) -> list[str]:
        return [f"row {row}" for row in batch["rows"].tolist()]

    def loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        outputs, targets = gather_rows(self.module(batch["inputs"])), gather_rows(batch["targets"])
        # Every row looks at every other, as with negatives.
        total = (outputs[:, None] - targets[None]).square().mean() * 0.1 + (outputs - targets).square().mean()
        return total, {"part": float(total.detach())}

    def validate(self) -> dict[str, float]:
        with torch.no_grad():
            error = (self.module(self.inputs) - self.targets).square().mean()
        self._validated += 1
        score = {"score": float(min(self._validated, self.lasting))} if self.lasting else {}
        return {"error": float(error), **score}

    def parameter_groups(self) -> list[ParameterGroup]:
        return decay_groups("all", self.module)


def config(**changes: object) -> LoopConfig:
    settings: dict[str, object] = {
        "epochs": 4,
        "optimiser": {"learning_rate": 0.02},
        "schedule": {"kind": "cosine", "warmup_steps": 2},
        "monitor": {"name": "error", "direction": "min"},
        "tensorboard": False,
    }
    return LoopConfig.model_validate({**settings, **changes})


def main() -> None:
    """`small_task.py FOLDER EPOCH BATCH SAVE_EVERY`: train, and die there unless EPOCH is 0."""
    torch.set_num_threads(1)
    folder, epoch, batch, every = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    task = SmallTask(die_at=(epoch, batch) if epoch else None, dropout=0.0 if "WORLD_SIZE" in os.environ else 0.2)
    with processes():
        fit(task, config=config(save_every_steps=every), folder=folder, device="cpu", show=False)


if __name__ == "__main__":
    main()
