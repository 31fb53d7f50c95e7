"""PaSST's log-mel with the band limits that move in training (Koutini et al. 2022)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from core.audio.frontend import PASST_LOG_MEL, LogMel, LogMelConfig, kaldi_mel_matrix

LOW_JITTER_HZ = 10
HIGH_JITTER_HZ = 2000


class JitteredLogMel(LogMel):
    """`LogMel`; each forward in training mode draws new band limits for the whole batch.

    The lower limit is raised by 0 to 9 Hz and the upper becomes one of 14001 to 16000 Hz, both whole numbers
    from torch's global generator. In evaluation mode the limits are those of the configuration.
    """

    still_matrix: Tensor

    def __init__(self, config: LogMelConfig = PASST_LOG_MEL) -> None:
        super().__init__(config)
        self.register_buffer("still_matrix", self.mel_matrix.clone(), persistent=False)

    def draw_limits_hz(self) -> tuple[float, float]:
        """A lower and an upper band limit."""
        low = self.config.low_hz + int(torch.randint(LOW_JITTER_HZ, ()))
        high = self.config.high_hz + HIGH_JITTER_HZ // 2 - int(torch.randint(HIGH_JITTER_HZ, ()))
        return low, high

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(b, n) -> (b, t, f), see `LogMel.forward`."""
        if self.training:
            low_hz, high_hz = self.draw_limits_hz()
            drawn = kaldi_mel_matrix(replace(self.config, low_hz=low_hz, high_hz=high_hz))
            self.mel_matrix = torch.from_numpy(drawn).to(self.still_matrix)
        else:
            self.mel_matrix = self.still_matrix
        return super().forward(waveform, lengths)
