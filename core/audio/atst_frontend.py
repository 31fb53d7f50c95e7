"""The log-mel of ATST-Frame (Li, Shao, Li 2024) and its frequency warping.

Shape legend: b batch, n samples, t frames, f mel bins.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.audio.filterbank import PowerMel, PowerMelConfig, decibels

ATST_CONFIG = PowerMelConfig(
    sample_rate_hz=16000,
    fft_samples=1024,
    hop_samples=160,
    mel_bins=64,
    low_hz=60.0,
    high_hz=7800.0,
    scale="htk",
    area_normalised=False,
)
_TOP_DB = 80.0
_LOWEST_DB, _HIGHEST_DB = -50.0, 80.0
# The range of the log-mels of the pre-training data, which goes to [-1, 1].
_RANGE_DB = (-79.6482, 50.6842)


class AtstLogMel(PowerMel):
    """Decibels, no lower than 80 dB below the clip's loudest bin, clamped to [-50, 80] dB, scaled to [-1, 1].

    torchaudio takes the loudest bin of the whole batch, so that a clip's values depend on its neighbours. Here
    each clip has its own, and what lies behind its end takes no part.
    """

    def __init__(self) -> None:
        super().__init__(ATST_CONFIG)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(b, n) -> (b, t, f)."""
        level_db = decibels(super().forward(waveform, lengths))
        own_db = level_db
        if lengths is not None:
            frame = torch.arange(level_db.shape[1], device=level_db.device)
            behind = frame >= self.frame_counts(lengths.to(level_db.device))[:, None]
            own_db = level_db.masked_fill(behind[:, :, None], -torch.inf)
        loudest_db = own_db.amax(dim=(1, 2), keepdim=True)
        level_db = torch.maximum(level_db, loudest_db - _TOP_DB).clamp(_LOWEST_DB, _HIGHEST_DB)
        low, high = _RANGE_DB
        return (level_db - low) / (high - low) * 2.0 - 1.0


class FrequencyWarping(nn.Module):
    """Drop some of the uppermost mel bins and stretch the rest over the whole axis; in training only.

    Each clip has its own number of dropped bins, uniform from 0 to `floor(max_dropped * f)`. The rest is
    interpolated linearly, with the bins' outer edges staying where they are.
    Source: Primus et al. 2024, section 4.2.1 (at most 10 %); their code computes this and throws it away.
    """

    def __init__(self, max_dropped: float = 0.1) -> None:
        super().__init__()
        if not 0.0 <= max_dropped < 1.0:
            raise ValueError(f"the share of dropped bins lies in [0, 1), not at {max_dropped}")
        self.max_dropped = max_dropped

    def forward(self, mel: Tensor) -> Tensor:
        """(b, t, f) -> (b, t, f)."""
        if not self.training or self.max_dropped == 0.0:
            return mel
        most = int(self.max_dropped * mel.shape[2])
        return warp_frequency(mel, torch.randint(most + 1, (mel.shape[0],), device=mel.device))


def warp_frequency(mel: Tensor, dropped: Tensor) -> Tensor:
    """Stretch the lowest `f - dropped` bins of each clip over all f: (b, t, f), (b,) -> (b, t, f)."""
    bins = mel.shape[2]
    kept = (bins - dropped.to(mel.device))[:, None]
    position = (torch.arange(bins, device=mel.device) + 0.5) * kept / bins - 0.5
    position = torch.minimum(position.clamp(min=0.0), kept - 1.0)
    below = position.floor().long()
    above = torch.minimum(below + 1, kept - 1)
    share = (position - below).to(mel.dtype)[:, None, :]
    wide = mel.shape[1]
    lower = mel.gather(2, below[:, None, :].expand(-1, wide, -1))
    upper = mel.gather(2, above[:, None, :].expand(-1, wide, -1))
    return lower + share * (upper - lower)
