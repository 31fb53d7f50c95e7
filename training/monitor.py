"""What a running training shows: a progress bar with loss, rate and time left, and TensorBoard events."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SMOOTHING = 0.1
_logger = logging.getLogger(__name__)


class Monitor:
    """Use it as a context.

    Args:
        folder: For TensorBoard events; None: none are written.
        total: Batches of the whole run.
        show: Whether to draw the bar.
    """

    def __init__(self, folder: Path | None, *, total: int, show: bool) -> None:
        self._events = None if folder is None else _open_events(folder)
        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}, {task.fields[rate]:.1f} batches/s, left"),
            TimeRemainingColumn(),
            transient=True,
            disable=not show,
        )
        self._bar = self._progress.add_task("training", total=total, epoch=1, loss=float("nan"), rate=0.0)
        self._rate = 0.0

    def __enter__(self) -> Monitor:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()
        if self._events is not None:
            # Events that do not fit on the disk are no reason to lose a run.
            with suppress(OSError):
                self._events.close()

    def begin(self, epoch: int, done: int) -> None:
        """An epoch begins, with so many batches of the run done."""
        self._progress.update(self._bar, completed=done, epoch=epoch)

    def advance(self, *, loss: float, rate: float) -> None:
        """A batch is done."""
        self._rate = rate if not self._rate else (1 - _SMOOTHING) * self._rate + _SMOOTHING * rate
        self._progress.update(self._bar, advance=1, loss=loss, rate=self._rate)

    def step(self, step: int, **values: float) -> None:
        """A step of the optimiser is done."""
        self._write("step", step, values)

    def epoch(self, step: int, values: Mapping[str, float]) -> None:
        """An epoch is done."""
        self._write("epoch", step, values)

    def _write(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        if self._events is None:
            return
        try:
            for name, value in values.items():
                self._events.add_scalar(f"{kind}/{name}", value, step)
        except OSError as error:
            _logger.warning("no more TensorBoard events: %s", error)
            self._events = None


def _open_events(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        _logger.info("TensorBoard is not installed; log.csv holds the same figures")
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return SummaryWriter(str(folder / "events"))
    except OSError as error:
        _logger.warning("no TensorBoard events: %s", error)
        return None
