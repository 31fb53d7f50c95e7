"""The training loop. A `Task` says what is learned; the loop says when, how fast, and keeps it safe.

A run can be stopped at any moment, also by pulling the plug: the same command goes on from the last save and makes the
same model as a run that was never stopped. Started by `torchrun`, every process takes its share of each batch, and
gradients are those of one process with the whole batch (see `training.distributed`).
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from core.errors import KnownError
from training.checkpoint import (
    BAD_BATCH_FILE,
    BEST_FILE,
    FIGURES_FILE,
    LOG_FILE,
    STATE_FILE,
    CheckpointError,
    load_state,
    load_weights,
    moved,
    plain,
    save_state,
    save_weights,
    write_log,
)
from training.distributed import (
    anywhere,
    average_gradients,
    from_first,
    is_distributed,
    of_all,
    rank,
    same_start,
)
from training.monitor import Monitor
from training.optim import OptimiserConfig, ParameterGroup, create_optimiser, set_learning_rates
from training.schedule import ScheduleConfig, learning_rate_factor

# What a run may go on with, although it began with other values.
_FREE = ("tensorboard", "save_every_steps", "nonfinite", "nonfinite_limit")
_PRECISIONS = {"fp16": torch.float16, "bf16": torch.bfloat16}
_logger = logging.getLogger(__name__)


class NonFiniteLossError(KnownError):
    """The loss is no number any more."""


class LoopError(KnownError):
    """A setting of the loop that does not fit the task or the machine."""


class MonitorConfig(BaseModel):
    """Which validation figure decides which epoch is best.

    Attributes:
        name: Of the figure, as `Task.validate` names it.
        direction: "max" where more is better.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "map_at_10"
    direction: Literal["max", "min"] = "max"


class LoopConfig(BaseModel):
    """How a task is trained.

    Attributes:
        epochs: At most.
        accumulate: Batches whose gradients are added up for one step. Each sees its own negatives only.
        clip_norm: Gradients are scaled down to this norm; None: never.
        precision: What the forward pass computes in, where it may; weights stay float32.
        optimiser: See there.
        schedule: See there.
        monitor: See there.
        patience: Stop after so many epochs without a better one; None: never.
        save_every_steps: Save the state also within an epoch, after so many batches; 0: at its end only.
        nonfinite: What to do with a batch whose loss is no number: it is always saved and named.
        nonfinite_limit: With "skip", so many such batches in the whole run; one more stops it.
        tensorboard: Write TensorBoard events where the package is installed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=20, ge=1)
    accumulate: int = Field(default=1, ge=1)
    clip_norm: float | None = Field(default=None, gt=0)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    optimiser: OptimiserConfig = OptimiserConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    monitor: MonitorConfig = MonitorConfig()
    patience: int | None = Field(default=None, ge=1)
    save_every_steps: int = Field(default=0, ge=0)
    nonfinite: Literal["stop", "skip"] = "stop"
    nonfinite_limit: int = Field(default=10, ge=0)
    tensorboard: bool = True


class Task(Protocol):
    """What is learned.

    A task may also have `describe(batch) -> list[str]`, which names a batch's items for error messages, and be
    `Resumable`.

    Attributes:
        module: All that is trained and saved; a loss with parameters is part of it.
    """

    module: nn.Module

    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the same in each."""
        ...

    def batches(self, epoch: int) -> Iterator[Any]:
        """An epoch's batches (epochs from 1), following from the seed and the epoch and nothing else.

        Tensors, or tuples, lists, dictionaries and dataclasses of them; the loop brings them to the device. Under
        `torchrun` this process's share (`training.data.batch.Shard`).
        """
        ...

    def loss(self, batch: Any) -> tuple[Tensor, dict[str, float]]:
        """The scalar to minimise, and named parts for the log. Chance comes from torch's generator alone."""
        ...

    def validate(self) -> dict[str, float]:
        """Named figures of `module`, which is in evaluation mode. Only the first process is asked."""
        ...

    def parameter_groups(self) -> list[ParameterGroup]:
        """Everything to be trained (see `training.optim.decay_groups`)."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A task with chance of its own beside torch's; such a run is resumed at the ends of epochs only."""

    def state(self) -> str:
        """Everything, as text."""
        ...

    def restore(self, state: str) -> None:
        """Take it back."""
        ...


@dataclass(frozen=True, slots=True)
class FitResult:
    """How a run went.

    Attributes:
        epoch: The best one, from 1.
        figures: Of the last epoch.
        best: Of the best epoch.
    """

    epoch: int
    figures: dict[str, float]
    best: dict[str, float]


@dataclass(slots=True)
class _Position:
    """Where a run is; all of it is saved."""

    epoch: int = 1
    batch: int = 0
    step: int = 0
    skipped: int = 0
    best_epoch: int = 0
    finished: bool = False
    sums: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)


def seed_everything(seed: int) -> None:
    """Seed torch before a task is built; `fit` gives each process of several dropout of its own."""
    torch.manual_seed(seed)


def choose_device(wanted: str = "auto") -> torch.device:
    """CUDA where there is some, unless something else is wanted.

    Raises:
        LoopError: There is no such device.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise LoopError(f"There is no device {wanted!r}.", "Give auto, cpu, cuda or cuda:N with --device.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise LoopError(f"There is no CUDA card {wanted!r} here.", "Leave --device out, or give --device cpu.")
    return device


def is_finished(folder: Path) -> bool:
    """Whether a folder holds a run that has come to its end.

    Raises:
        CheckpointError: Its state is damaged.
    """
    state = load_state(folder / STATE_FILE)
    return state is not None and bool(state["position"]["finished"])


def fit(
    task: Task, *, config: LoopConfig, folder: Path, device: str = "auto", resume: bool = True, show: bool = True
) -> FitResult:
    """Train a task. Afterwards its module holds the best weights, in evaluation mode.

    Args:
        task: What is learned; its module is changed.
        config: How.
        folder: Gets `best.safetensors` (the module at its best), `last.pt` (what is needed to go on), `log.csv` (a row
            an epoch) and TensorBoard events.
        device: "auto", "cpu", "cuda", "cuda:1".
        resume: Go on with what is in the folder; else it is begun anew.
        show: A progress bar.

    Raises:
        NonFiniteLossError: The loss is no number.
        CheckpointError: The folder cannot be written, or holds another run.
        LoopError: There is no such device, or no such figure to choose the best epoch by.
    """
    return _Run(task, config, folder, choose_device(device)).run(resume=resume, show=show)


class _Run:
    def __init__(self, task: Task, config: LoopConfig, folder: Path, device: torch.device) -> None:
        self._task = task
        self._config = config
        self._folder = folder
        self._device = device
        if config.save_every_steps and isinstance(task, Resumable):
            raise ValueError("a task with chance of its own can only be saved at the ends of epochs")
        task.module.to(device)
        same_start(task.module)
        self._parameters = list(task.module.parameters())
        self._optimiser = create_optimiser(task.parameter_groups(), config.optimiser)
        self._scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "fp16")
        self._batches = task.steps_per_epoch()
        self._steps = math.ceil(self._batches / config.accumulate)
        self._at = _Position()

    def run(self, *, resume: bool, show: bool) -> FitResult:
        if self._batches < 1:
            raise ValueError("an epoch has no batch")
        if resume:
            self._resume()
        elif rank() == 0:
            for name in (STATE_FILE, BEST_FILE, LOG_FILE, FIGURES_FILE):
                (self._folder / name).unlink(missing_ok=True)
        if is_distributed() and self._at.step == 0:
            torch.manual_seed(torch.initial_seed() + rank())
        if not self._at.finished:
            shown = show and rank() == 0
            written = self._config.tensorboard and rank() == 0
            total = self._config.epochs * self._batches
            with Monitor(self._folder if written else None, total=total, show=shown) as monitor:
                self._epochs(monitor)
        load_weights(self._folder / BEST_FILE, self._task.module)
        self._task.module.eval()
        return FitResult(self._at.best_epoch, dict(self._at.rows[-1]), self._at.best)

    def _epochs(self, monitor: Monitor) -> None:
        at, config = self._at, self._config
        while not at.finished:
            self._task.module.train()
            self._epoch(monitor)
            self._task.module.eval()
            figures = from_first(self._task.validate() if rank() == 0 else None)
            means = {name: value / self._batches for name, value in at.sums.items()}
            row = {"epoch": at.epoch, **figures, **means}
            at.rows.append(row)
            monitor.epoch(at.step, {**figures, **means})
            # The parts of the loss stand in log.csv.
            told = {name: value for name, value in row.items() if name != "epoch" and "/" not in name}
            _logger.info("epoch %d: %s", at.epoch, ", ".join(f"{name} {value:.4f}" for name, value in told.items()))
            self._judge(figures)
            out_of_patience = config.patience is not None and at.epoch - at.best_epoch >= config.patience
            at.finished = at.epoch == config.epochs or out_of_patience
            at.epoch, at.batch, at.sums = at.epoch + 1, 0, {}
            self._save()

    def _judge(self, figures: dict[str, float]) -> None:
        at, monitor = self._at, self._config.monitor
        if monitor.name not in figures:
            raise LoopError(
                f"There is no validation figure {monitor.name!r} to choose the best epoch by.",
                f"Set loop.monitor.name to one of: {', '.join(figures)}.",
            )
        sign = 1.0 if monitor.direction == "max" else -1.0
        if not at.best or sign * figures[monitor.name] > sign * at.best[monitor.name]:
            at.best_epoch, at.best = at.epoch, dict(figures)
            if rank() == 0:
                save_weights(self._folder / BEST_FILE, self._task.module)

    def _epoch(self, monitor: Monitor) -> None:
        at, config = self._at, self._config
        monitor.begin(at.epoch, (at.epoch - 1) * self._batches + at.batch)
        self._optimiser.zero_grad()
        began = time.perf_counter()
        for batch in islice(self._task.batches(at.epoch), at.batch, None):
            # The last step of an epoch may have fewer batches than the others.
            first = at.batch - at.batch % config.accumulate
            share = min(config.accumulate, self._batches - first)
            total, parts = self._learn(moved(batch, self._device), share)
            at.batch += 1
            for name, value in {"loss": total, **parts}.items():
                at.sums[name] = at.sums.get(name, 0.0) + value
            if at.batch % config.accumulate == 0 or at.batch == self._batches:
                self._step(batch)
                monitor.step(at.step, loss=total, learning_rate=self._optimiser.param_groups[0]["lr"])
            monitor.advance(loss=total, rate=1 / max(1e-9, time.perf_counter() - began))
            began = time.perf_counter()
            at_a_step = at.batch % config.accumulate == 0 and at.batch < self._batches
            if config.save_every_steps and at_a_step and at.batch % config.save_every_steps == 0:
                self._save()

    def _learn(self, batch: Any, share: int) -> tuple[float, dict[str, float]]:
        """Add a batch's gradients; its loss and the loss's parts, zero where the batch is skipped."""
        with self._autocast():
            total, parts = self._task.loss(batch)
        if anywhere(not bool(torch.isfinite(total.detach())), self._device):
            self._refuse(batch, self._at.batch, "loss", float(total.detach()), parts)
            return 0.0, dict.fromkeys(parts, 0.0)
        torch.autograd.backward(self._scaler.scale(total if share == 1 else total / share))
        return float(total.detach()), parts

    def _autocast(self) -> AbstractContextManager[Any]:
        precision = _PRECISIONS.get(self._config.precision)
        return nullcontext() if precision is None else torch.autocast(self._device.type, dtype=precision)

    def _step(self, batch: Any) -> None:
        at, config = self._at, self._config
        factor = learning_rate_factor(config.schedule, at.step, steps_per_epoch=self._steps, epochs=config.epochs)
        set_learning_rates(self._optimiser, factor)
        average_gradients(self._parameters)
        if any(parameter.grad is not None for parameter in self._parameters):
            self._scaler.unscale_(self._optimiser)
            norm = nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
            # In fp16 too large a gradient is nothing unusual: the scaler leaves the step out by itself.
            if not self._scaler.is_enabled() and not bool(torch.isfinite(norm)):
                self._refuse(batch, at.batch - 1, "gradient", float(norm), {})
            else:
                if config.clip_norm is not None:
                    nn.utils.clip_grads_with_norm_(self._parameters, config.clip_norm, norm)
                self._scaler.step(self._optimiser)
                self._scaler.update()
        self._optimiser.zero_grad()
        at.step += 1

    def _refuse(self, batch: Any, number: int, what: str, value: float, parts: dict[str, float]) -> None:
        """Save and name a batch of which something is no number; every process of several does so with its share."""
        at, config = self._at, self._config
        describe = getattr(self._task, "describe", None)
        names = [str(name) for name in describe(batch)] if describe is not None else []
        place = self._folder / BAD_BATCH_FILE
        if rank():
            place = place.with_stem(f"{place.stem}-{rank()}")
        save_state(place, {"epoch": at.epoch, "batch": number, "items": names, "parts": parts, "content": plain(batch)})
        at.skipped += 1
        items = f" (first of its items: {', '.join(names[:5])})" if names else ""
        said = f"The {what} of batch {number + 1} in epoch {at.epoch} is {value}{items}; the batch is saved in {place}."
        if config.nonfinite == "skip" and at.skipped <= config.nonfinite_limit:
            _logger.warning("%s It is skipped (%d of %d allowed).", said, at.skipped, config.nonfinite_limit)
            return
        raise NonFiniteLossError(
            said,
            "Look at these items, or lower loop.optimiser.learning_rate or set loop.clip_norm."
            + (f" What was trained up to epoch {at.epoch - 1} is kept." if at.epoch > 1 else ""),
        )

    def _fingerprint(self) -> str:
        shapes = {name: list(value.shape) for name, value in self._task.module.state_dict().items()}
        own = self._config.model_dump(mode="json", exclude=set(_FREE))
        return json.dumps({"loop": own, "shapes": shapes, "batches": self._batches}, sort_keys=True)

    def _save(self) -> None:
        chances = of_all(torch.get_rng_state())
        cuda = of_all(torch.cuda.get_rng_state() if self._device.type == "cuda" else torch.empty(0))
        if rank() != 0:
            return
        at = self._at
        save_state(
            self._folder / STATE_FILE,
            {
                "fingerprint": self._fingerprint(),
                "position": {name: getattr(at, name) for name in _Position.__dataclass_fields__},
                "module": self._task.module.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "scaler": self._scaler.state_dict(),
                "chances": chances,
                "cuda_chances": cuda,
                "task": self._task.state() if isinstance(self._task, Resumable) else "",
            },
        )
        write_log(self._folder / LOG_FILE, at.rows)

    def _resume(self) -> None:
        state = load_state(self._folder / STATE_FILE)
        if state is None:
            return
        if "fingerprint" not in state or not _alike(state["fingerprint"], self._fingerprint()):
            raise CheckpointError(
                f"{self._folder} holds a run with other settings.", "Give another folder, or begin anew with --fresh."
            )
        self._at = _Position(**state["position"])
        self._task.module.load_state_dict(state["module"])
        self._optimiser.load_state_dict(state["optimiser"])
        if state["scaler"]:
            self._scaler.load_state_dict(state["scaler"])
        here = rank() if rank() < len(state["chances"]) else 0
        torch.set_rng_state(state["chances"][here])
        if self._device.type == "cuda" and len(state["cuda_chances"][here]):
            torch.cuda.set_rng_state(state["cuda_chances"][here])
        if isinstance(self._task, Resumable):
            self._task.restore(state["task"])
        _logger.info("going on after epoch %d, batch %d", self._at.epoch - 1, self._at.batch)


def _alike(first: str, second: str) -> bool:
    """Whether two fingerprints are of one run, whatever its free settings."""
    one, other = json.loads(first), json.loads(second)
    for told in (one, other):
        for name in _FREE:
            told["loop"].pop(name, None)
    return bool(one == other)
