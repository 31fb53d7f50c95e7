"""Audio encoders that take waveforms, run as the program runs its own: sounds of any length, cut into windows.

The program cuts "features" into windows. Where an encoder has its own front-end, the features are the samples
themselves, in frames that do not overlap.

Shape legend: b windows, n samples, t frames, s samples of a frame, e encoder embedding, o encoder frames, c classes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from core.encoders.output import EncoderOutput
from core.jobs import Notice
from core.types import FloatArray

_BATCH = 8
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SampleFrames:
    """Frames of samples: how long they are, and how many there are in a second.

    Attributes:
        sample_rate_hz: Of the encoder.
        hop_samples: s.
    """

    sample_rate_hz: int
    hop_samples: int = 320


class SampleStream:
    """Samples in frames (see `core.encoders.protocol.FeatureStream`); the last one is filled with silence."""

    def __init__(self, frames: SampleFrames) -> None:
        self._hop = frames.hop_samples
        self._held = np.zeros(0, dtype=np.float32)
        self._begun = False

    def push(self, samples: FloatArray) -> FloatArray:
        """Take the next block (n,) and give the frames (t, s) that are now complete."""
        if samples.ndim != 1:
            raise ValueError(f"a block has the shape (n,), not {samples.shape}")
        self._begun = self._begun or len(samples) > 0
        held = np.concatenate([self._held, samples.astype(np.float32, copy=False)])
        whole = len(held) // self._hop * self._hop
        self._held = held[whole:].copy()
        return held[:whole].reshape(-1, self._hop)

    def finish(self) -> FloatArray:
        """The rest as one frame, if there is a rest.

        Raises:
            ValueError: Nothing was ever pushed.
        """
        if not self._begun:
            raise ValueError("an empty sound has no features")
        if not len(self._held):
            return np.zeros((0, self._hop), dtype=np.float32)
        last = np.zeros((1, self._hop), dtype=np.float32)
        last[0, : len(self._held)] = self._held
        self._held = self._held[:0]
        return last


class WaveformRunner:
    """An encoder with its own front-end. Windows of equal length are computed together, without padding.

    Args:
        encoder: In evaluation mode.
        device: "cpu" or "cuda"; when the GPU's memory does not suffice the CPU takes over.
    """

    def __init__(self, encoder: nn.Module, device: str) -> None:
        self._device = torch.device(device)
        self._encoder = encoder.to(self._device).eval()
        self._notices: list[Notice] = []
        self._lock = threading.Lock()

    @torch.inference_mode()
    def __call__(self, windows: Sequence[FloatArray]) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """Windows (t_i, s) -> embedding (b, e), logits (b, c) or None, frames (b, o, e), mask (b, o) on the CPU."""
        rows: dict[int, list[int]] = {}
        for row, window in enumerate(windows):
            rows.setdefault(len(window), []).append(row)
        outputs: list[EncoderOutput] = []
        order: list[int] = []
        for alike in rows.values():
            for begin in range(0, len(alike), _BATCH):
                part = alike[begin : begin + _BATCH]
                outputs.append(self._run(np.stack([windows[row].reshape(-1) for row in part])))
                order.extend(part)
        back = torch.tensor(order).argsort()
        longest = max(output.frames.shape[1] for output in outputs)
        frames = torch.cat([_padded(output.frames, longest) for output in outputs])[back]
        mask = torch.cat([_padded(output.frame_mask, longest) for output in outputs])[back]
        embedding = torch.cat([output.embedding for output in outputs])[back]
        given = [output.logits for output in outputs if output.logits is not None]
        return embedding, torch.cat(given)[back] if len(given) == len(outputs) else None, frames, mask

    def _run(self, waveform: FloatArray) -> EncoderOutput:
        with self._lock:
            try:
                output = self._encoder(torch.from_numpy(waveform).to(self._device))
            except torch.OutOfMemoryError:
                if self._device.type == "cpu":
                    raise
                self._device = torch.device("cpu")
                self._encoder.to(self._device)
                self._notices.append(Notice("The GPU has too little memory; going on with the CPU, which is slower."))
                _logger.warning("%s", self._notices[-1])
                output = self._encoder(torch.from_numpy(waveform))
        given = cast(EncoderOutput, output)
        logits = None if given.logits is None else given.logits.cpu()
        return EncoderOutput(
            given.embedding.cpu(), given.frames.cpu(), given.frame_mask.cpu(), given.frame_times_s.cpu(), logits
        )

    def take_notices(self) -> list[Notice]:
        """What the user should know and was not yet given out."""
        with self._lock:
            taken, self._notices = self._notices, []
        return taken


def _padded(frames: Tensor, longest: int) -> Tensor:
    """(b, o, ...) -> (b, longest, ...) with zeros (False) behind."""
    missing = longest - frames.shape[1]
    if not missing:
        return frames
    return torch.cat([frames, frames.new_zeros(len(frames), missing, *frames.shape[2:])], dim=1)
