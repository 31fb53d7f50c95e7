"""Augmentation of features and embeddings while training.

Two more are built into encoders, where they belong: structured patchout in PaSST (Koutini et al. 2022;
`time_patchout`, `frequency_patchout` of `core.encoders.passt`) and frequency warping in ATST-Frame (Primus et al. 2024,
section 4.2.1; `core.audio.atst_frontend.FrequencyWarping`, which works on any mel spectrogram).

All chance comes from torch's generator: a run that restores it draws the same.

Shape legend: b batch, t frames or words, f mel bins or features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


class SpecAugment(nn.Module):
    """Blank some stripes in time and some in frequency, for each clip its own; in training only.

    A stripe's width is uniform from 0 to its widest. Park et al. 2019 on spectrograms; Labbe et al. 2023 (section 2.2)
    on the encoder's embeddings.

    Args:
        time_stripes: How many in time.
        time_width: Their widest, in frames.
        feature_stripes: How many over mel bins or features.
        feature_width: Their widest, in bins or features.
        largest_share: No stripe is wider than this share of all frames or features, so that short clips stay heard.
        fill: What a blank holds: silence in a log-mel, 0 in embeddings; None: each clip's own mean.
    """

    def __init__(
        self,
        *,
        time_stripes: int = 2,
        time_width: int = 64,
        feature_stripes: int = 2,
        feature_width: int = 8,
        largest_share: float = 1.0,
        fill: float | None = 0.0,
    ) -> None:
        super().__init__()
        if not 0 < largest_share <= 1:
            raise ValueError(f"a share is above 0 and at most 1, not {largest_share}")
        if min(time_stripes, time_width, feature_stripes, feature_width) < 0:
            raise ValueError("stripes and widths are 0 or more")
        self.time_stripes, self.time_width = time_stripes, time_width
        self.feature_stripes, self.feature_width = feature_stripes, feature_width
        self.largest_share = largest_share
        self.fill = fill

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Blank stripes.

        Args:
            x: (b, t, f).
            lengths: (b,) frames that are no padding, so that stripes fall onto the sound; None: all.

        Returns:
            (b, t, f); the same tensor outside training.
        """
        if not self.training:
            return x
        b, t, f = x.shape
        ends = lengths if lengths is not None else torch.full((b,), t, device=x.device)
        blank = self._stripes(ends, t, self.time_stripes, self.time_width)[:, :, None]
        wide = torch.full((b,), f, device=x.device)
        blank = blank | self._stripes(wide, f, self.feature_stripes, self.feature_width)[:, None, :]
        if self.fill is not None:
            return x.masked_fill(blank, self.fill)
        inside = torch.arange(t, device=x.device) < ends[:, None]
        total = x.masked_fill(~inside[:, :, None], 0.0).sum(dim=(1, 2))
        mean = total / (ends * f).clamp(min=1)
        return torch.where(blank, mean[:, None, None].to(x.dtype), x)

    def _stripes(self, ends: Tensor, size: int, count: int, widest: int) -> Tensor:
        """(b, size) True inside a stripe; stripes lie wholly before a row's end where they fit."""
        b, device = len(ends), ends.device
        widest = min(int(self.largest_share * size), widest)
        place = torch.arange(size, device=device)
        blank = torch.zeros(b, size, dtype=torch.bool, device=device)
        # One stripe after the other, each drawn also where it has no room: what was trained follows from these draws.
        for _ in range(count):
            width = torch.minimum(torch.randint(widest + 1, (b, 1), device=device), ends[:, None])
            start = (torch.rand(b, 1, device=device) * (ends[:, None] - width + 1)).long()
            blank |= (place >= start) & (place < start + width)
        return blank


@dataclass(frozen=True, slots=True)
class Mixture:
    """One draw of mixup, to be applied to everything of a batch that is to be mixed alike.

    Attributes:
        share: Weight of the batch's own rows, 0.5 to 1.
        partners: (b,) row that is mixed into each.
    """

    share: float
    partners: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """(b, ...) -> (b, ...)."""
        if len(x) != len(self.partners):
            raise ValueError(f"this mixture is of {len(self.partners)} rows, not of {len(x)}")
        return self.share * x + (1.0 - self.share) * x[self.partners]


def draw_mixture(batch: int, *, alpha: float = 0.4, device: torch.device | None = None) -> Mixture:
    """Mixup (Zhang et al. 2018) as the captioner uses it (Labbe et al. 2023, section 2.2).

    One share for the batch, the larger of a draw from Beta(alpha, alpha) and its rest, so that a row stays mostly
    itself: its target is not mixed. Apply the draw to the frames and to the embeddings of the input words.

    Args:
        batch: b.
        alpha: 0: nothing is mixed.
        device: Of what will be mixed.
    """
    if alpha < 0:
        raise ValueError(f"alpha is 0 or more, not {alpha}")
    drawn = float(torch.distributions.Beta(alpha, alpha).sample()) if alpha else 1.0
    return Mixture(max(drawn, 1.0 - drawn), torch.randperm(batch, device=device))
