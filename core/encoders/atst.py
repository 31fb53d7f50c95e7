"""ATST-Frame, base (Li, Shao, Li 2024, IEEE/ACM TASLP 32): a frame-level audio transformer.

Shape legend: b batch, p pieces, t output frames of 40 ms, f mel bins, d embedding.

The position embeddings reach over 10 s. Longer clips are cut into pieces of 10 s without overlap, each encoded by
itself; a piece's embedding is the mean of its frames, a clip's the mean of its pieces (Primus et al. 2024,
section 4.2.1). The front-end's loudest bin is that of a piece. In a piece that a clip does not fill, only patches
that lie wholly inside the clip (4 frames of 10 ms) are looked at and averaged, and the piece weighs what it holds;
a rest too short to reflect its edge (513 samples, 32 ms) is left out. So a clip's result does not depend on what
it was batched with. The published retrieval code instead fills the last piece with silence, averages over that
too, and gives it a whole weight: `fill_pieces=True`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from core.audio.atst_frontend import AtstLogMel, FrequencyWarping
from core.encoders.checkpoint import LoadReport, load_state
from core.encoders.length_mask import masked_mean
from core.encoders.output import EncoderOutput
from core.encoders.piece import cut_pieces
from core.encoders.stochastic_depth import depth_rates
from core.encoders.validation import check_waveform
from core.encoders.vision_transformer import NORM_EPS, Block, initialise

PATCH_FRAMES = 4
PIECE_S = 10
_WIDTH, _HEADS, _DEPTH = 768, 12, 12
_MEL_BINS = 64
_POSITIONS = 250
# Where the encoder lies in the checkpoints of the pre-training and of its fine-tuning on AudioSet.
OFFICIAL_PREFIXES = ("model.teacher.encoder.", "encoder.encoder.frame_encoder.")


class _PatchEmbedding(nn.Module):
    """One linear map for every patch of all mel bins by 4 frames."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.Linear(_MEL_BINS * PATCH_FRAMES, _WIDTH)

    def forward(self, mel: Tensor) -> Tensor:
        """(p, 4 t, f) -> (p, t, d); within a patch, time runs fastest."""
        patches = mel.reshape(mel.shape[0], -1, PATCH_FRAMES, mel.shape[2]).transpose(2, 3).flatten(2)
        embedded: Tensor = self.patch_embed(patches)
        return embedded


class AtstTrunk(nn.Module):
    """From one piece's log-mel to frames, with the official parameter names.

    `mask_embed` stands for masked patches in pre-training and plays no part here. The first position was meant
    for a class token, which the frame-level model does not have; the first patch takes the second.
    """

    def __init__(self, *, drop_path: float) -> None:
        super().__init__()
        self.mask_embed = nn.Parameter(torch.zeros(1, 1, _WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + _POSITIONS, _WIDTH))
        self.patch_embed = _PatchEmbedding()
        self.blocks = nn.ModuleList(
            Block(_WIDTH, _HEADS, qkv_bias=False, drop_path=rate) for rate in depth_rates(drop_path, _DEPTH)
        )
        self.norm_frame = nn.LayerNorm(_WIDTH, eps=NORM_EPS)
        initialise(self)
        nn.init.trunc_normal_(self.mask_embed, std=0.02)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, mel: Tensor, frame_counts: Tensor | None) -> tuple[Tensor, Tensor]:
        """Encode pieces.

        Args:
            mel: (p, frames, f) of at most 10 s.
            frame_counts: (p,) front-end frames that belong to each piece, at least 4; None: all.

        Returns:
            Frames (p, t, d), zero behind each piece's end, and their mask (p, t).
        """
        count = min(mel.shape[1] // PATCH_FRAMES, _POSITIONS)
        tokens = self.patch_embed(mel[:, : count * PATCH_FRAMES]) + self.pos_embed[:, 1 : 1 + count]
        mask = None
        if frame_counts is not None:
            mask = torch.arange(count, device=mel.device) < (frame_counts // PATCH_FRAMES)[:, None]
        for block in self.blocks:
            tokens = block(tokens, mask)
        tokens = self.norm_frame(tokens)
        if mask is None:
            return tokens, tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
        return tokens.masked_fill(~mask[:, :, None], 0.0), mask


class AtstFrameEncoder(nn.Module):
    """Front-end and trunk: waveform in, `EncoderOutput` out; it has no classifier, so `logits` is None.

    Args:
        max_warped: Largest share of the upper mel bins that frequency warping drops while training; 0: none.
        drop_path: Stochastic depth of the last block while training; it grows linearly from 0.
        fill_pieces: Whether a last piece that is not full counts as followed by silence.
    """

    def __init__(self, *, max_warped: float = 0.1, drop_path: float = 0.0, fill_pieces: bool = False) -> None:
        super().__init__()
        self.fill_pieces = fill_pieces
        self.front_end = AtstLogMel()
        self.frequency_warping = FrequencyWarping(max_warped)
        self.trunk = AtstTrunk(drop_path=drop_path)

    @property
    def sample_rate_hz(self) -> int:
        """The rate that `forward` expects."""
        return self.front_end.config.sample_rate_hz

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return _WIDTH

    @property
    def shortest_samples(self) -> int:
        """Shorter clips are taken as followed by silence up to this."""
        return self.front_end.config.shortest_for(PATCH_FRAMES)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> EncoderOutput:
        """Encode clips.

        Args:
            waveform: (b, n) at `sample_rate_hz`.
            lengths: (b,) samples of each clip; None: all n.

        Raises:
            ValueError: See `check_waveform`.
        """
        waveform, lengths = check_waveform(waveform, lengths)
        pieces = cut_pieces(
            waveform,
            lengths,
            piece_samples=PIECE_S * self.sample_rate_hz,
            shortest_samples=self.shortest_samples,
            fill=self.fill_pieces,
        )
        counts = None if pieces.lengths is None else self.front_end.frame_counts(pieces.lengths)
        mel = self.frequency_warping(self.front_end(pieces.waveform, pieces.lengths))
        frames, mask = self.trunk(mel, counts)
        step_s = PATCH_FRAMES * self.front_end.config.hop_samples / self.sample_rate_hz
        offset_s = (PATCH_FRAMES - 1) / 2 * self.front_end.config.hop_samples / self.sample_rate_hz
        times_s = torch.arange(frames.shape[1], device=frames.device) * step_s + offset_s
        return EncoderOutput(
            pieces.mean(masked_mean(frames, mask)),
            pieces.joined(frames),
            pieces.joined(mask),
            pieces.times_s(times_s, self.sample_rate_hz),
        )

    def load_official(self, state: Mapping[str, Tensor], *, strict: bool = True) -> LoadReport:
        """Take over an official checkpoint; the student, the projectors and the like are left over.

        Raises:
            ModelError: It is of another architecture.
        """
        prefix = next((begin for begin in OFFICIAL_PREFIXES if any(name.startswith(begin) for name in state)), "")
        return load_state(
            self.trunk, state, expected="atst-frame", rename=lambda name: name.removeprefix(prefix), strict=strict
        )
