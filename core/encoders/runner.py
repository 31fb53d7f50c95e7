"""Runs an audio trunk on the GPU or the CPU, and survives a GPU without memory.

Shape legend: b batch, t frames, f mel bins, e trunk embedding, c classes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from core.encoders.efficientat import MobileNetTrunk
from core.encoders.folded import FoldedMobileNet
from core.errors import ModelError
from core.jobs import Notice
from core.types import FloatArray

Device = Literal["auto", "cpu", "cuda"]
TrunkRun = Callable[[Sequence[FloatArray]], tuple[Tensor, Tensor]]
"""Windows (t_i, f) -> embeddings (b, e) and logits (b, c), float32 on the CPU."""

_GPU_BATCH = 64
_logger = logging.getLogger(__name__)


def choose_device(wanted: Device) -> Literal["cpu", "cuda"]:
    """The device that will be used.

    Raises:
        ModelError: CUDA was demanded and there is none.
    """
    if wanted == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise ModelError("There is no CUDA device that can be used.", "Use the device auto or cpu.")
    return "cpu"


class CpuRun:
    """Windows of equal length are computed together, without padding."""

    def __init__(self, trunk: MobileNetTrunk) -> None:
        self._trunk = FoldedMobileNet(trunk)

    @torch.inference_mode()
    def __call__(self, windows: Sequence[FloatArray]) -> tuple[Tensor, Tensor]:
        """See `TrunkRun`."""
        alike: dict[int, list[int]] = {}
        for row, window in enumerate(windows):
            alike.setdefault(len(window), []).append(row)
        order: list[int] = []
        embeddings: list[Tensor] = []
        logits: list[Tensor] = []
        for rows in alike.values():
            embedding, logit = self._trunk(torch.from_numpy(np.stack([windows[row] for row in rows])))
            order.extend(rows)
            embeddings.append(embedding)
            logits.append(logit)
        back = torch.tensor(order).argsort()
        return torch.cat(embeddings)[back], torch.cat(logits)[back]


class GpuRun:
    """Half precision; windows are padded to the longest and masked."""

    def __init__(self, trunk: MobileNetTrunk, device: torch.device) -> None:
        self._trunk = trunk.to(device=device, dtype=torch.float16).eval()
        self._device = device
        self._lock = threading.Lock()

    @torch.inference_mode()
    def __call__(self, windows: Sequence[FloatArray]) -> tuple[Tensor, Tensor]:
        """See `TrunkRun`."""
        counts = [len(window) for window in windows]
        mel = torch.zeros(len(windows), max(counts), windows[0].shape[1])
        for row, window in enumerate(windows):
            mel[row, : len(window)] = torch.from_numpy(window)
        lengths = None if min(counts) == max(counts) else torch.tensor(counts, device=self._device)
        with self._lock:
            embedding, logits = self._trunk.summarise(mel.to(device=self._device, dtype=torch.float16), lengths)
            return embedding.float().cpu(), logits.float().cpu()


class TrunkRunner:
    """On the GPU while its memory lasts: the batch is halved when it runs out, and at one window the CPU takes over.

    Args:
        cpu: Runs on the CPU.
        gpu: Runs on the GPU and raises `torch.OutOfMemoryError`; None: there is none.
        batch: Windows at a time on the GPU, to begin with.
    """

    def __init__(self, cpu: TrunkRun, gpu: TrunkRun | None = None, *, batch: int = _GPU_BATCH) -> None:
        self._cpu = cpu
        self._gpu = gpu
        self._batch = batch
        self._notices: list[Notice] = []
        self._lock = threading.Lock()

    def __call__(self, windows: Sequence[FloatArray]) -> tuple[Tensor, Tensor]:
        """See `TrunkRun`."""
        embeddings: list[Tensor] = []
        logits: list[Tensor] = []
        begin = 0
        while begin < len(windows):
            gpu, batch = self._gpu, self._batch
            if gpu is None:
                embedding, logit = self._cpu(windows[begin:])
            else:
                try:
                    embedding, logit = gpu(windows[begin : begin + batch])
                except torch.OutOfMemoryError:
                    self._retreat(batch)
                    continue
            begin += len(embedding)
            embeddings.append(embedding)
            logits.append(logit)
        return torch.cat(embeddings), torch.cat(logits)

    def take_notices(self) -> list[Notice]:
        """What the user should know and was not yet given out."""
        with self._lock:
            taken, self._notices = self._notices, []
        return taken

    def notify(self, message: str) -> None:
        """Keep a sentence for the user."""
        _logger.warning(message)
        with self._lock:
            self._notices.append(Notice(message))

    def _retreat(self, failed_batch: int) -> None:
        with self._lock:
            if self._gpu is None or self._batch < failed_batch:
                return  # Another thread has seen the same and acted.
            if self._batch > 1:
                self._batch //= 2
                message = f"The GPU ran out of memory; going on with {self._batch} windows at a time."
            else:
                self._gpu = None
                message = "The GPU has too little memory; going on with the CPU, which is slower."
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.notify(message)


def create_runner(make_trunk: Callable[[], MobileNetTrunk], device: Device) -> TrunkRunner:
    """A runner on the device that `choose_device` names.

    Args:
        make_trunk: Gives a new trunk in evaluation mode, float32, on the CPU.
        device: Wanted device.

    Raises:
        ModelError: CUDA was demanded and there is none.
    """
    cpu = CpuRun(make_trunk())
    if choose_device(device) == "cpu":
        return TrunkRunner(cpu)
    try:
        return TrunkRunner(cpu, GpuRun(make_trunk(), torch.device("cuda")))
    except torch.OutOfMemoryError:
        runner = TrunkRunner(cpu)
        runner.notify("The GPU has no memory left for the model; using the CPU, which is slower.")
        return runner
