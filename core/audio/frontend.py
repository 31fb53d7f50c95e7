"""Log-mel front-ends as torch modules.

Shape legend: b batch, n samples, t frames, f mel bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from core.audio.filterbank import fill_short_clips, reflect_edges
from core.types import FloatArray


@dataclass(frozen=True, slots=True)
class LogMelConfig:
    """Numbers of a log-mel front-end.

    The defaults are PaSST's (Koutini et al. 2022), which EfficientAT shares: what is pre-emphasised has one
    sample less than what came in, and there are `1 + (n - 1) // hop_samples` frames, the first centred on
    the first sample.
    """

    sample_rate_hz: int = 32000
    fft_samples: int = 1024
    window_samples: int = 800
    hop_samples: int = 320
    mel_bins: int = 128
    low_hz: float = 0.0
    high_hz: float = 15000.0
    pre_emphasis: float = 0.97
    floor: float = 1e-5
    offset: float = 4.5
    scale: float = 5.0

    @property
    def shortest_samples(self) -> int:
        """Clips shorter than this are filled with zeros up to it, for reflection needs a little sound."""
        return self.fft_samples // 2 + 2

    @property
    def silence(self) -> float:
        """The value of every bin where there is no sound."""
        return (math.log(self.floor) + self.offset) / self.scale

    def frames(self, samples: int) -> int:
        """Number of frames that a clip of so many samples yields."""
        return 1 + (max(samples, self.shortest_samples) - 1) // self.hop_samples


PASST_LOG_MEL = LogMelConfig()


def kaldi_mel_matrix(config: LogMelConfig) -> FloatArray:
    """Triangles on Kaldi's mel scale, straight in mel (not in Hz), without area normalisation.

    Returns:
        (fft_samples / 2 + 1, f) float32; the bin at half the sample rate carries no weight.
    """

    def mel(frequency_hz: FloatArray | float) -> FloatArray:
        return np.asarray(1127.0 * np.log1p(np.asarray(frequency_hz, dtype=np.float64) / 700.0))

    low, high = float(mel(config.low_hz)), float(mel(config.high_hz))
    step = (high - low) / (config.mel_bins + 1)
    left = low + step * np.arange(config.mel_bins)
    bins = config.fft_samples // 2
    position = mel(np.arange(bins) * (config.sample_rate_hz / config.fft_samples))[:, None]
    rising = (position - left) / step
    falling = (left + 2 * step - position) / step
    weights = np.zeros((bins + 1, config.mel_bins))
    weights[:bins] = np.maximum(0.0, np.minimum(rising, falling))
    return weights.astype(np.float32)


def symmetric_hann(samples: int) -> Tensor:
    """A Hann window (samples,) whose first and last values are both zero."""
    # The device is named because a model may be built on the meta device before its weights are read.
    return torch.hann_window(samples, periodic=False, device="cpu")


class LogMel(nn.Module):
    """PaSST's log-mel: pre-emphasis, symmetric Hann, power, Kaldi mels, `(ln(x + floor) + offset) / scale`.

    Differentiable and batched, for training and for the GPU; `core.audio.mel_stream` computes the same
    values faster on a CPU. It has no parameters and keeps nothing in a state dict.
    """

    window: Tensor
    mel_matrix: Tensor

    def __init__(self, config: LogMelConfig = PASST_LOG_MEL) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("window", symmetric_hann(config.window_samples), persistent=False)
        self.register_buffer("mel_matrix", torch.from_numpy(kaldi_mel_matrix(config)), persistent=False)

    def frame_counts(self, lengths: Tensor) -> Tensor:
        """Frames of clips of `lengths` samples each: (b,) -> (b,)."""
        samples = lengths.clamp(min=self.config.shortest_samples)
        return 1 + (samples - 1) // self.config.hop_samples

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Compute log-mels.

        Args:
            waveform: (b, n) at the configured rate, full scale +-1.
            lengths: (b,) samples that belong to each clip; what lies behind is ignored. None: all n.

        Returns:
            (b, t, f). Frames behind a clip's own (see `frame_counts`) are of no meaning.
        """
        if waveform.ndim != 2:
            raise ValueError(f"a waveform has the shape (b, n), not {tuple(waveform.shape)}")
        config = self.config
        waveform, lengths = fill_short_clips(waveform.to(self.window.dtype), lengths, config.shortest_samples)
        # Powers reach far below what half precision holds.
        with torch.autocast(waveform.device.type, enabled=False):
            emphasised = waveform[:, 1:] - config.pre_emphasis * waveform[:, :-1]
            spectrum = torch.stft(
                reflect_edges(emphasised, config.fft_samples // 2, None if lengths is None else lengths - 1),
                config.fft_samples,
                hop_length=config.hop_samples,
                win_length=config.window_samples,
                window=self.window,
                center=False,
                return_complex=True,
            )
            power = spectrum.real.square() + spectrum.imag.square()
            mel = power.transpose(1, 2) @ self.mel_matrix
            return ((mel + config.floor).log() + config.offset) / config.scale


def frame_times_s(config: LogMelConfig, frames: int, stride: int = 1) -> FloatArray:
    """Centres of frames that each join `stride` front-end frames: (frames,) seconds."""
    step = config.hop_samples / config.sample_rate_hz
    times = (np.arange(frames) * stride + (stride - 1) / 2) * step
    return times.astype(np.float32)


def seconds_to_frames(config: LogMelConfig, seconds: float) -> int:
    """The frame nearest to a moment."""
    return math.floor(seconds * config.sample_rate_hz / config.hop_samples + 0.5)
