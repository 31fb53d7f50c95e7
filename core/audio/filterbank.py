"""What log-mel front-ends share: reflection at a clip's own end, mel triangles, power mel spectra.

Shape legend: b batch, n samples, t frames, f mel bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from core.types import FloatArray

MelScale = Literal["slaney", "htk"]
_Float64Array = npt.NDArray[np.float64]

# Slaney's Auditory Toolbox: linear below 1 kHz, 27 steps for each factor of 6.4 above.
_SLANEY_HZ_PER_MEL = 200.0 / 3.0
_SLANEY_CORNER_HZ = 1000.0
_SLANEY_LOG_STEP = np.log(6.4) / 27.0
_POWER_FLOOR = 1e-10


def hz_to_mel(frequency_hz: _Float64Array, scale: MelScale) -> _Float64Array:
    """Mel values of frequencies."""
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + frequency_hz / 700.0))
    corner = _SLANEY_CORNER_HZ / _SLANEY_HZ_PER_MEL
    above = corner + np.log(np.maximum(frequency_hz, _SLANEY_CORNER_HZ) / _SLANEY_CORNER_HZ) / _SLANEY_LOG_STEP
    return np.where(frequency_hz < _SLANEY_CORNER_HZ, frequency_hz / _SLANEY_HZ_PER_MEL, above)


def mel_to_hz(mel: _Float64Array, scale: MelScale) -> _Float64Array:
    """Frequencies of mel values."""
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    corner = _SLANEY_CORNER_HZ / _SLANEY_HZ_PER_MEL
    above = _SLANEY_CORNER_HZ * np.exp(_SLANEY_LOG_STEP * np.maximum(mel - corner, 0.0))
    return np.where(mel < corner, mel * _SLANEY_HZ_PER_MEL, above)


@dataclass(frozen=True, slots=True)
class PowerMelConfig:
    """Numbers of a power mel spectrogram with centred frames and reflected edges.

    Attributes:
        area_normalised: Each triangle is divided by half its width in Hz (Slaney), so that it has area 1.
    """

    sample_rate_hz: int
    fft_samples: int
    hop_samples: int
    mel_bins: int
    low_hz: float
    high_hz: float
    scale: MelScale
    area_normalised: bool

    @property
    def shortest_samples(self) -> int:
        """Reflection needs that many samples; shorter clips are taken as followed by silence."""
        return self.fft_samples // 2 + 1

    def shortest_for(self, frames: int) -> int:
        """Fewest samples that give so many frames."""
        return max(self.shortest_samples, (frames - 1) * self.hop_samples)


def triangular_mel_matrix(config: PowerMelConfig) -> FloatArray:
    """Triangles whose corners are equidistant in mel and whose sides are straight in Hz.

    Returns:
        (fft_samples / 2 + 1, f) float32.
    """
    low, high = hz_to_mel(np.array([config.low_hz, config.high_hz]), config.scale)
    corners_hz = mel_to_hz(np.linspace(low, high, config.mel_bins + 2), config.scale)
    bins_hz = np.linspace(0.0, config.sample_rate_hz / 2, config.fft_samples // 2 + 1)[:, None]
    widths_hz = np.diff(corners_hz)
    rising = (bins_hz - corners_hz[:-2]) / widths_hz[:-1]
    falling = (corners_hz[2:] - bins_hz) / widths_hz[1:]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    if config.area_normalised:
        weights *= 2.0 / (corners_hz[2:] - corners_hz[:-2])
    return weights.astype(np.float32)


def silence_behind(waveform: Tensor, lengths: Tensor) -> Tensor:
    """Set what lies behind each clip's end to zero: (b, n), (b,) -> (b, n)."""
    position = torch.arange(waveform.shape[1], device=waveform.device)
    return torch.where(position < lengths.to(waveform.device)[:, None], waveform, 0.0)


def reflect_edges(signal: Tensor, edge: int, lengths: Tensor | None) -> Tensor:
    """Continue each clip by its mirror image at both its ends: (b, n) -> (b, n + 2 edge)."""
    if lengths is None:
        return nn.functional.pad(signal, (edge, edge), mode="reflect")
    position = torch.arange(-edge, signal.shape[1] + edge, device=signal.device).abs()
    last = lengths.to(signal.device)[:, None] - 1
    mirrored = torch.where(position <= last, position, 2 * last - position)
    return signal.gather(1, mirrored.clamp(min=0, max=signal.shape[1] - 1))


def fill_short_clips(waveform: Tensor, lengths: Tensor | None, shortest_samples: int) -> tuple[Tensor, Tensor | None]:
    """Continue clips that are too short by silence, as if they had been recorded so.

    Args:
        waveform: (b, n).
        lengths: (b,) or None.
        shortest_samples: Every clip that comes out has at least so many samples.

    Returns:
        The waveform, silent behind each clip's end, and the new lengths.
    """
    missing = shortest_samples - waveform.shape[1]
    if lengths is not None:
        waveform = silence_behind(waveform, lengths)
        lengths = lengths.clamp(min=shortest_samples)
    if missing > 0:
        waveform = nn.functional.pad(waveform, (0, missing))
    return waveform, lengths


def decibels(power: Tensor) -> Tensor:
    """`10 log10(max(1e-10, power))`."""
    return 10.0 * power.clamp(min=_POWER_FLOOR).log10()


class PowerMel(nn.Module):
    """Power spectrum through a periodic Hann window as wide as the FFT, gathered in mel bins.

    It has no parameters and keeps nothing in a state dict.
    """

    window: Tensor
    mel_matrix: Tensor

    def __init__(self, config: PowerMelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("window", torch.hann_window(config.fft_samples, periodic=True), persistent=False)
        self.register_buffer("mel_matrix", torch.from_numpy(triangular_mel_matrix(config)), persistent=False)

    def frame_counts(self, lengths: Tensor) -> Tensor:
        """Frames of clips of `lengths` samples each: (b,) -> (b,)."""
        return 1 + lengths.clamp(min=self.config.shortest_samples) // self.config.hop_samples

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Compute mel powers.

        Args:
            waveform: (b, n) at the configured rate, full scale +-1.
            lengths: (b,) samples that belong to each clip; what lies behind is ignored. None: all n.

        Returns:
            (b, t, f). Frames behind a clip's own (see `frame_counts`) are of no meaning.
        """
        if waveform.ndim != 2:
            raise ValueError(f"a waveform has the shape (b, n), not {tuple(waveform.shape)}")
        config = self.config
        waveform, lengths = fill_short_clips(waveform.float(), lengths, config.shortest_samples)
        # Powers reach far below what half precision holds.
        with torch.autocast(waveform.device.type, enabled=False):
            spectrum = torch.stft(
                reflect_edges(waveform, config.fft_samples // 2, lengths),
                config.fft_samples,
                hop_length=config.hop_samples,
                window=self.window,
                center=False,
                return_complex=True,
            )
            power = spectrum.real.square() + spectrum.imag.square()
            return power.transpose(1, 2) @ self.mel_matrix
