"""The log-mel of `core.audio.frontend`, computed fast on one core and for sounds that arrive in blocks.

Shape legend: n samples, t frames, f mel bins.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from core.audio.frontend import PASST_LOG_MEL, LogMelConfig, kaldi_mel_matrix, symmetric_hann
from core.traced import record
from core.types import FloatArray

# Frames computed together: their spectra stay in the second-level cache.
_CHUNK_FRAMES = 128
# Mel bins multiplied together: each group reads only the spectrum between its outermost triangles.
_GROUP_BINS = 32


class MelBank:
    """Window, transform and mel weights of one front-end; shared by streams, safe to use from several threads.

    It computes what `LogMel` computes, up to rounding. Three things make it faster: everything is done for a chunk
    of frames that fits into the cache, the mel matrix is multiplied in groups of neighbouring bins, and a chunk is
    one call (see `core.traced`).
    """

    def __init__(self, config: LogMelConfig = PASST_LOG_MEL) -> None:
        self.config = config
        before = (config.fft_samples - config.window_samples) // 2
        after = config.fft_samples - config.window_samples - before
        self._window = pad(symmetric_hann(config.window_samples), (before, after))
        self._groups = self._mel_groups()
        self._low = min(low for low, _, _ in self._groups)
        self._high = max(high for _, high, _ in self._groups)
        self._run: Callable[[Tensor], Tensor] | None = None
        self._recording = threading.Lock()

    def _mel_groups(self) -> list[tuple[int, int, Tensor]]:
        """For each group of mel bins the spectral bins [low, high) that it reads, and its weights (high - low, k)."""
        matrix = kaldi_mel_matrix(self.config)
        groups: list[tuple[int, int, Tensor]] = []
        for first in range(0, self.config.mel_bins, _GROUP_BINS):
            columns = matrix[:, first : first + _GROUP_BINS]
            carrying = np.flatnonzero(columns.any(axis=1))
            # A group between two spectral bins hears nothing, which any one of them says as well.
            low, high = (int(carrying[0]), int(carrying[-1]) + 1) if len(carrying) else (0, 1)
            groups.append((low, high, torch.from_numpy(columns[low:high].copy())))
        return groups

    @torch.inference_mode()
    def log_mel(self, extended: FloatArray, frames: int) -> FloatArray:
        """Frames of a signal that is pre-emphasised and, at the sound's ends, already reflected.

        Args:
            extended: Frame i lies at `i * hop_samples` and is `fft_samples` long.
            frames: t, 1 or more.

        Returns:
            (t, f).
        """
        config = self.config
        framed = torch.from_numpy(extended).unfold(0, config.fft_samples, config.hop_samples)[:frames]
        run = self._recorded(framed)
        return np.asarray(
            torch.cat([run(chunk) for chunk in torch.split(framed, _CHUNK_FRAMES)]).numpy(), dtype=np.float32
        )

    def _recorded(self, example: Tensor) -> Callable[[Tensor], Tensor]:
        """`_chunk` as one call, made when there is a first sound: a search for text needs none."""
        if self._run is None:
            with self._recording:
                if self._run is None:
                    self._run = record(self._chunk, example[:1])
        return self._run

    def _chunk(self, framed: Tensor) -> Tensor:
        """Log-mel (k, f) of frames (k, fft_samples)."""
        config = self.config
        spectrum = torch.view_as_real(torch.fft.rfft(framed * self._window))
        parts = spectrum[:, self._low : self._high]
        power = parts[:, :, 0].square().addcmul_(parts[:, :, 1], parts[:, :, 1])
        bands = [torch.mm(power[:, low - self._low : high - self._low], weights) for low, high, weights in self._groups]
        return torch.cat(bands, dim=1).add_(config.floor).log_().add_(config.offset).div_(config.scale)


class LogMelStream:
    """Log-mel of one sound that arrives in blocks; memory for one block and one frame.

    All frames together are those of the whole sound at once, whatever the blocks.
    """

    def __init__(self, bank: MelBank) -> None:
        self._bank = bank
        self._config = bank.config
        self._edge = bank.config.fft_samples // 2
        self._samples = 0
        self._last: np.float32 | None = None
        self._held: FloatArray = np.zeros(0, dtype=np.float32)
        self._begun = False

    def push(self, samples: FloatArray) -> FloatArray:
        """Take the next block (n,) and give the frames (t, f) that are now complete."""
        if samples.ndim != 1:
            raise ValueError(f"a block has the shape (n,), not {samples.shape}")
        if not len(samples):
            return self._no_frames()
        self._samples += len(samples)
        self._held = np.concatenate([self._held, self._emphasised(samples.astype(np.float32, copy=False))])
        if not self._begun:
            # The reflection needs one sample more than it is long.
            if len(self._held) <= self._edge:
                return self._no_frames()
            self._held = np.concatenate([self._held[self._edge : 0 : -1], self._held])
            self._begun = True
        # The last frame's worth of signal stays behind: the sound may end here and be reflected.
        ready = (len(self._held) - self._config.fft_samples) // self._config.hop_samples
        return self._take(ready) if ready > 0 else self._no_frames()

    def finish(self) -> FloatArray:
        """The frames (t, f) that waited for the end of the sound.

        Raises:
            ValueError: Nothing was ever pushed.
        """
        if not self._samples:
            raise ValueError("an empty sound has no features")
        given: list[FloatArray] = []
        missing = self._config.shortest_samples - self._samples
        if missing > 0:
            given.append(self.push(np.zeros(missing, dtype=np.float32)))
        mirrored = self._held[-2 : -self._edge - 2 : -1]
        self._held = np.concatenate([self._held, mirrored])
        rest = (len(self._held) - self._config.fft_samples) // self._config.hop_samples + 1
        given.append(self._take(rest) if rest > 0 else self._no_frames())
        return np.concatenate(given)

    def _emphasised(self, samples: FloatArray) -> FloatArray:
        """(n,) -> (n,), or (n - 1,) at the very beginning."""
        before = samples[:0] if self._last is None else np.asarray([self._last], dtype=np.float32)
        self._last = samples[-1]
        joined = np.concatenate([before, samples])
        return joined[1:] - np.float32(self._config.pre_emphasis) * joined[:-1]

    def _take(self, frames: int) -> FloatArray:
        mel = self._bank.log_mel(self._held, frames)
        self._held = self._held[frames * self._config.hop_samples :].copy()
        return mel

    def _no_frames(self) -> FloatArray:
        return np.zeros((0, self._config.mel_bins), dtype=np.float32)


def fast_log_mel(bank: MelBank, samples: FloatArray) -> FloatArray:
    """Log-mel of a whole sound: (n,) -> (t, f).

    Raises:
        ValueError: The sound is empty or not one-dimensional.
    """
    stream = LogMelStream(bank)
    return np.concatenate([stream.push(samples), stream.finish()])
