"""The training loop: what it keeps, how it goes on, and what it does when something breaks."""

from __future__ import annotations

import csv
import errno
import io
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import small_task
import torch
from rich.console import Console
from safetensors.torch import load_file
from small_task import SmallTask, config

from training.checkpoint import BAD_BATCH_FILE, BEST_FILE, LOG_FILE, STATE_FILE, CheckpointError, load_state
from training.loop import LoopError, NonFiniteLossError, fit, is_finished
from training.monitor import Monitor

_ROOT = Path(small_task.__file__).resolve().parents[2]


def log_of(folder: Path) -> list[dict[str, str]]:
    with (folder / LOG_FILE).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def start(folder: Path, epoch: int, batch: int, every: int = 0, **environment: str) -> subprocess.Popen[bytes]:
    """A training process of its own, which kills itself at a batch unless `epoch` is 0."""
    command = [sys.executable, small_task.__file__, str(folder), str(epoch), str(batch), str(every)]
    own = {**os.environ, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes], code: int) -> None:
    _, told = process.communicate(timeout=120)
    assert process.returncode == code, told.decode()


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "every"), [(3, 0), (5, 2)])
def test_that_a_killed_run_goes_on_and_makes_the_same_model(batch: int, every: int, tmp_path: Path) -> None:
    fit(SmallTask(), config=config(save_every_steps=every), folder=tmp_path / "whole", device="cpu", show=False)
    finish(start(tmp_path / "killed", 3, batch, every), -signal.SIGKILL)
    assert len(log_of(tmp_path / "killed")) == 2
    finish(start(tmp_path / "killed", 0, 0, every), 0)
    assert (tmp_path / "killed" / LOG_FILE).read_text() == (tmp_path / "whole" / LOG_FILE).read_text()
    assert (tmp_path / "killed" / BEST_FILE).read_bytes() == (tmp_path / "whole" / BEST_FILE).read_bytes()


@pytest.mark.slow
def test_that_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    fit(SmallTask(dropout=0.0), config=config(), folder=tmp_path / "one", device="cpu", show=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    together = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    pair = [start(tmp_path / "two", 0, 0, RANK=str(rank), LOCAL_RANK="0", **together) for rank in range(2)]
    for process in pair:
        finish(process, 0)
    one, two = load_file(tmp_path / "one" / BEST_FILE), load_file(tmp_path / "two" / BEST_FILE)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-6)
    losses = [[float(row["loss"]) for row in log_of(tmp_path / name)] for name in ("one", "two")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_that_the_loss_falls_and_the_module_ends_at_its_best(tmp_path: Path) -> None:
    task = SmallTask(dropout=0.0)
    result = fit(task, config=config(epochs=8), folder=tmp_path, device="cpu", show=False)
    rows = log_of(tmp_path)
    assert float(rows[-1]["loss"]) < 0.5 * float(rows[0]["loss"])
    assert result.best["error"] == min(float(row["error"]) for row in rows)
    assert task.validate()["error"] == pytest.approx(result.best["error"])
    assert not task.module.training


def test_that_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    first = fit(SmallTask(), config=config(), folder=tmp_path, device="cpu", show=False)
    task = SmallTask(die_at=(1, 0))
    assert fit(task, config=config(), folder=tmp_path, device="cpu", show=False) == first


def test_that_a_run_stops_early_when_nothing_gets_better(tmp_path: Path) -> None:
    settings = config(epochs=9, patience=2, monitor={"name": "score", "direction": "max"})
    result = fit(SmallTask(lasting=3), config=settings, folder=tmp_path, device="cpu", show=False)
    assert result.epoch == 3
    assert len(log_of(tmp_path)) == 5


def test_that_accumulated_batches_weigh_as_one(tmp_path: Path) -> None:
    """One step of six batches of four is one step over the mean of their losses."""
    whole, parted = SmallTask(dropout=0.0), SmallTask(dropout=0.0)
    settings = config(epochs=1, accumulate=6, schedule={"kind": "constant"}, optimiser={"name": "sgd"})
    fit(parted, config=settings, folder=tmp_path, device="cpu", show=False)
    total = torch.stack([whole.loss(batch)[0] for batch in whole.batches(1)]).mean()
    total.backward()
    for before, after in zip(whole.module.parameters(), parted.module.parameters(), strict=True):
        torch.testing.assert_close(after, before - 1e-3 * before.grad)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_that_half_precision_learns_too(precision: str, tmp_path: Path) -> None:
    result = fit(SmallTask(dropout=0.0), config=config(precision=precision), folder=tmp_path, device="cpu", show=False)
    rows = log_of(tmp_path)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert all(value.dtype == torch.float32 for value in load_file(tmp_path / BEST_FILE).values())
    assert result.epoch == len(rows)


def test_that_gradients_are_clipped(tmp_path: Path) -> None:
    task = SmallTask(dropout=0.0)
    start_at = [parameter.detach().clone() for parameter in task.module.parameters()]
    settings = config(
        epochs=1,
        accumulate=6,
        clip_norm=0.01,
        schedule={"kind": "constant"},
        optimiser={"name": "sgd", "learning_rate": 1},
    )
    fit(task, config=settings, folder=tmp_path, device="cpu", show=False)
    moves = [
        (after.detach() - before).square().sum()
        for after, before in zip(task.module.parameters(), start_at, strict=True)
    ]
    assert float(torch.stack(moves).sum().sqrt()) == pytest.approx(0.01, rel=1e-3)


def test_that_a_loss_that_is_no_number_stops_the_run_and_names_the_batch(tmp_path: Path) -> None:
    task = SmallTask(broken_at=(2, 1))
    with pytest.raises(NonFiniteLossError, match=r"batch 2 in epoch 2 is nan \(first of its items: row \d+"):
        fit(task, config=config(), folder=tmp_path, device="cpu", show=False)
    saved = load_state(tmp_path / BAD_BATCH_FILE)
    assert saved is not None
    assert (saved["epoch"], saved["batch"]) == (2, 1)
    assert torch.isnan(saved["content"]["inputs"]).all()
    assert saved["items"] == [f"row {row}" for row in saved["content"]["rows"].tolist()]
    assert (tmp_path / BEST_FILE).is_file()  # The first epoch is kept.


class _Vanishing(torch.autograd.Function):
    """Passes numbers on, and a gradient that is none back."""

    @staticmethod
    def forward(ctx: object, numbers: torch.Tensor) -> torch.Tensor:
        return numbers.clone()

    @staticmethod
    def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0] * float("nan")


class BrokenSlope(SmallTask):
    """One batch has a loss like any other and a gradient that is no number."""

    def loss(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        total, parts = super().loss(batch)
        broken = torch.equal(batch["rows"], list(self.batches(1))[2]["rows"])
        return (_Vanishing.apply(total) if broken else total), parts


def test_that_a_gradient_that_is_no_number_never_reaches_the_weights(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="The gradient of batch 3 in epoch 1 is nan"):
        fit(BrokenSlope(), config=config(), folder=tmp_path / "one", device="cpu", show=False)
    task = BrokenSlope(dropout=0.0)
    fit(task, config=config(nonfinite="skip", epochs=1), folder=tmp_path / "two", device="cpu", show=False)
    assert all(bool(torch.isfinite(value).all()) for value in load_file(tmp_path / "two" / BEST_FILE).values())
    saved = load_state(tmp_path / "two" / BAD_BATCH_FILE)
    assert saved is not None
    assert (saved["epoch"], saved["batch"]) == (1, 2)


def test_that_a_run_that_stopped_at_such_a_batch_can_go_on_without_it(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="up to epoch 1 is kept"):
        fit(SmallTask(broken_at=(2, 1)), config=config(), folder=tmp_path, device="cpu", show=False)
    assert not is_finished(tmp_path)
    fit(SmallTask(broken_at=(2, 1)), config=config(nonfinite="skip"), folder=tmp_path, device="cpu", show=False)
    assert is_finished(tmp_path)
    assert len(log_of(tmp_path)) == 4


def test_that_each_process_of_several_saves_its_share_of_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.loop.rank", lambda: 1)
    with pytest.raises(NonFiniteLossError, match=r"bad_batch-1\.pt"):
        fit(SmallTask(broken_at=(1, 0)), config=config(), folder=tmp_path, device="cpu", show=False)
    assert (tmp_path / "bad_batch-1.pt").is_file()
    assert not (tmp_path / BAD_BATCH_FILE).exists()


def test_that_such_batches_are_skipped_within_the_limit(tmp_path: Path) -> None:
    settings = config(nonfinite="skip", nonfinite_limit=1)
    result = fit(SmallTask(broken_at=(2, 1)), config=settings, folder=tmp_path / "one", device="cpu", show=False)
    assert all(float(row["loss"]) == float(row["loss"]) for row in log_of(tmp_path / "one"))
    assert result.epoch > 0
    none_allowed = config(nonfinite="skip", nonfinite_limit=0)
    with pytest.raises(NonFiniteLossError):
        fit(SmallTask(broken_at=(1, 0)), config=none_allowed, folder=tmp_path / "two", device="cpu", show=False)


def test_that_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, full = os.fsync, {"after": 6}

    def fsync(descriptor: int) -> None:
        full["after"] -= 1
        if full["after"] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr("training.checkpoint.os.fsync", fsync)
    with pytest.raises(CheckpointError, match="no space left"):
        fit(SmallTask(), config=config(), folder=tmp_path, device="cpu", show=False)
    monkeypatch.undo()
    assert load_state(tmp_path / STATE_FILE) is not None
    assert not list(tmp_path.glob("*.part"))
    fit(SmallTask(), config=config(), folder=tmp_path, device="cpu", show=False)
    fit(SmallTask(), config=config(), folder=tmp_path / "whole", device="cpu", show=False)
    assert (tmp_path / LOG_FILE).read_text() == (tmp_path / "whole" / LOG_FILE).read_text()


def test_that_a_folder_with_another_run_is_refused_unless_begun_anew(tmp_path: Path) -> None:
    fit(SmallTask(), config=config(), folder=tmp_path, device="cpu", show=False)
    with pytest.raises(CheckpointError, match="other settings"):
        fit(SmallTask(), config=config(clip_norm=1.0), folder=tmp_path, device="cpu", show=False)
    fit(SmallTask(), config=config(clip_norm=1.0), folder=tmp_path, device="cpu", show=False, resume=False)
    assert len(log_of(tmp_path)) == 4


def test_that_a_damaged_state_is_told(tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_bytes(b"not a state")
    with pytest.raises(CheckpointError, match="damaged"):
        fit(SmallTask(), config=config(), folder=tmp_path, device="cpu", show=False)


def test_that_tensorboard_gets_losses_and_figures(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    fit(SmallTask(), config=config(tensorboard=True), folder=tmp_path, device="cpu", show=False)
    events = accumulator.EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert len(events.Scalars("step/loss")) == 24
    assert [event.value for event in events.Scalars("epoch/error")] == pytest.approx(
        [float(row["error"]) for row in log_of(tmp_path)]
    )


def test_that_the_bar_tells_epoch_loss_rate_and_time_left() -> None:
    with Monitor(None, total=8, show=True) as monitor:
        monitor.begin(2, 4)
        monitor.advance(loss=0.25, rate=2.0)
        console = Console(record=True, width=160, file=io.StringIO())
        console.print(monitor._progress)
    told = console.export_text()
    assert "epoch 2" in told
    assert "5/8" in told
    assert "loss 0.2500, 2.0 batches/s, left" in told


def test_that_a_folder_that_takes_no_events_costs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tensorboard = pytest.importorskip("torch.utils.tensorboard")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tensorboard, "SummaryWriter", full)
    result = fit(SmallTask(), config=config(tensorboard=True), folder=tmp_path, device="cpu", show=False)
    assert result.epoch == len(log_of(tmp_path)) == 4
    assert "no TensorBoard events" in caplog.text


def test_that_a_figure_that_is_not_there_and_a_device_that_is_not_there_are_told(tmp_path: Path) -> None:
    wanted = config(monitor={"name": "map", "direction": "max"})
    with pytest.raises(LoopError, match=r"no validation figure 'map'.*one of: error"):
        fit(SmallTask(), config=wanted, folder=tmp_path, device="cpu", show=False)
    for device in ("gpu", "cuda:99"):
        with pytest.raises(LoopError, match=device):
            fit(SmallTask(), config=config(), folder=tmp_path, device=device, show=False)
