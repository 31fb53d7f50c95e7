"""The log-mel of PANNs (Kong et al. 2020), which ConvNeXt for AudioSet takes with more bins.

Shape legend: b batch, n samples, t frames, f mel bins.
"""

from __future__ import annotations

from torch import Tensor

from core.audio.filterbank import PowerMel, PowerMelConfig, decibels


def panns_config(mel_bins: int = 64) -> PowerMelConfig:
    """32 kHz, window and FFT of 1024, hop 320, Slaney mels of 50 to 14000 Hz."""
    return PowerMelConfig(
        sample_rate_hz=32000,
        fft_samples=1024,
        hop_samples=320,
        mel_bins=mel_bins,
        low_hz=50.0,
        high_hz=14000.0,
        scale="slaney",
        area_normalised=True,
    )


class PannsLogMel(PowerMel):
    """`10 log10(max(1e-10, mel power))`, not normalised: the networks' first batch norm does that."""

    def __init__(self, mel_bins: int = 64) -> None:
        super().__init__(panns_config(mel_bins))

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(b, n) -> (b, t, f) in dB."""
        return decibels(super().forward(waveform, lengths))
