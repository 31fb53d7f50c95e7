"""What PANNs and ConvNeXt share: the front-end, padding, and frames from a last map.

Shape legend: b batch, n samples, c channels, t time, f frequency, d embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.audio.filterbank import fill_short_clips
from core.audio.panns_frontend import PannsLogMel
from core.encoders.length_mask import length_mask
from core.encoders.output import EncoderOutput
from core.encoders.validation import check_waveform

AUDIOSET_CLASSES = 527
# The checkpoints hold the STFT's kernels and the mel matrix as well; here they are computed.
COMPUTED_PREFIXES = ("spectrogram_extractor.", "logmel_extractor.")


class SpectrogramEncoder(nn.Module):
    """Base of encoders over PANNs' log-mel.

    Args:
        mel_bins: f.
    """

    def __init__(self, mel_bins: int) -> None:
        super().__init__()
        self.front_end = PannsLogMel(mel_bins)

    @property
    def sample_rate_hz(self) -> int:
        """The rate that `forward` expects."""
        return self.front_end.config.sample_rate_hz

    @property
    def shortest_samples(self) -> int:
        """Shorter clips are taken as followed by silence up to this."""
        raise NotImplementedError

    def encode_mel(self, mel: Tensor, frame_counts: Tensor | None = None) -> EncoderOutput:
        """The same as `forward` from log-mels (b, t, f), of which `frame_counts` (b,) frames each are no padding."""
        raise NotImplementedError

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> EncoderOutput:
        """Encode clips.

        Args:
            waveform: (b, n) at `sample_rate_hz`.
            lengths: (b,) samples of each clip; None: all n.

        Raises:
            ValueError: See `check_waveform`.
        """
        waveform, lengths = check_waveform(waveform, lengths)
        waveform, lengths = fill_short_clips(waveform, lengths, self.shortest_samples)
        counts = None if lengths is None else self.front_end.frame_counts(lengths)
        return self.encode_mel(self.front_end(waveform, lengths), counts)

    def _times_s(self, frames: Tensor, *, stride: int, first: float) -> Tensor:
        """Centres (t,) of frames (b, t, d) that lie `stride` front-end frames apart, the first one at `first`."""
        step_s = self.front_end.config.hop_samples / self.sample_rate_hz
        return (torch.arange(frames.shape[1], device=frames.device) * stride + first) * step_s


def frames_of_map(maps: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean over frequency: (b, d, t, f) -> frames (b, t, d), zero behind each clip's end, and their mask (b, t)."""
    frames = maps.mean(dim=3).transpose(1, 2)
    if lengths is None:
        return frames, frames.new_ones(frames.shape[:2], dtype=torch.bool)
    mask = length_mask(lengths, frames.shape[1])
    return frames.masked_fill(~mask[:, :, None], 0.0), mask
