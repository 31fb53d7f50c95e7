"""PaSST-S, patch 16, stride 16: the patchout spectrogram transformer (Koutini et al., Interspeech 2022).

Shape legend: b batch, p pieces, t patch columns in time, r patch rows in frequency, d embedding.

The position embeddings reach over 10 s. Longer clips are cut into pieces of 10 s without overlap, each encoded by
itself, and the embeddings are averaged over a clip's own pieces (Primus et al. 2024, section 4.2.1). In a piece
that a clip does not fill, only patches that lie wholly inside the clip are looked at (16 frames, 160 ms), and the
piece weighs what it holds; a rest that is shorter than one patch is left out. So a clip's result does not depend
on what it was batched with. The published retrieval code instead fills the last piece with silence, looks at
that too, and gives it a whole weight: `fill_pieces=True`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.audio.frontend import frame_times_s
from core.audio.passt_frontend import JitteredLogMel
from core.encoders.checkpoint import LoadReport, load_state
from core.encoders.output import EncoderOutput
from core.encoders.piece import cut_pieces
from core.encoders.validation import check_waveform
from core.encoders.vision_transformer import NORM_EPS, Block, initialise

AUDIOSET_CLASSES = 527
PATCH_FRAMES = 16
PIECE_S = 10
_WIDTH, _HEADS, _DEPTH = 768, 12, 12
_ROWS, _COLUMNS = 8, 62


@dataclass(frozen=True, slots=True)
class _Grid:
    """Patches that are left: (p, r, t, d), their mask over time (p, t) or None, and their columns (t,)."""

    patches: Tensor
    mask: Tensor | None
    columns: Tensor


class _PatchEmbedding(nn.Module):
    """One linear map for every 16 x 16 patch."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(1, _WIDTH, PATCH_FRAMES, PATCH_FRAMES)

    def forward(self, mel: Tensor) -> Tensor:
        """(p, 1, f, t) -> (p, d, r, t)."""
        patches: Tensor = self.proj(mel)
        return patches


class PasstTrunk(nn.Module):
    """From one piece's log-mel to tokens and classifier, with the official parameter names.

    `head_dist` is in the published checkpoints and has no part in what they compute.
    """

    def __init__(self, *, classes: int, time_patchout: int, frequency_patchout: int) -> None:
        super().__init__()
        if not (0 <= time_patchout < _COLUMNS and 0 <= frequency_patchout < _ROWS):
            raise ValueError(
                f"patchout leaves at least one of {_COLUMNS} columns and {_ROWS} rows; "
                f"{time_patchout} and {frequency_patchout} do not"
            )
        self.time_patchout = time_patchout
        self.frequency_patchout = frequency_patchout
        self.cls_token = nn.Parameter(torch.zeros(1, 1, _WIDTH))
        self.dist_token = nn.Parameter(torch.zeros(1, 1, _WIDTH))
        self.new_pos_embed = nn.Parameter(torch.zeros(1, 2, _WIDTH))
        self.freq_new_pos_embed = nn.Parameter(torch.zeros(1, _WIDTH, _ROWS, 1))
        self.time_new_pos_embed = nn.Parameter(torch.zeros(1, _WIDTH, 1, _COLUMNS))
        self.patch_embed = _PatchEmbedding()
        self.blocks = nn.ModuleList(Block(_WIDTH, _HEADS, qkv_bias=True) for _ in range(_DEPTH))
        self.norm = nn.LayerNorm(_WIDTH, eps=NORM_EPS)
        self.head = nn.Sequential(nn.LayerNorm(_WIDTH), nn.Linear(_WIDTH, classes))
        self.head_dist = nn.Linear(_WIDTH, classes)
        initialise(self)
        for parameter in (
            self.cls_token,
            self.dist_token,
            self.new_pos_embed,
            self.freq_new_pos_embed,
            self.time_new_pos_embed,
        ):
            nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, mel: Tensor, frame_counts: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encode pieces.

        Args:
            mel: (p, t frames, f) of at most 10 s.
            frame_counts: (p,) frames that belong to each piece, at least 16; None: all.

        Returns:
            Embedding (p, d): mean of the class and the distillation token. Frames (p, t, d): the patches' tokens
            averaged over frequency. Frame mask (p, t). Columns (t,): which patch columns were kept.
        """
        grid = self._patched_out(self._embedded(mel, frame_counts))
        pieces, rows, columns, _ = grid.patches.shape
        special = torch.cat([self.cls_token, self.dist_token], dim=1) + self.new_pos_embed
        tokens = torch.cat([special.expand(pieces, -1, -1), grid.patches.flatten(1, 2)], dim=1)
        mask = None
        if grid.mask is not None:
            every = grid.mask.new_ones(pieces, 2)
            mask = torch.cat([every, grid.mask[:, None].expand(-1, rows, -1).flatten(1)], dim=1)
        for block in self.blocks:
            tokens = block(tokens, mask)
        tokens = self.norm(tokens)
        embedding = tokens[:, :2].mean(dim=1)
        frames = tokens[:, 2:].unflatten(1, (rows, columns)).mean(dim=1)
        kept = grid.mask if grid.mask is not None else frames.new_ones(pieces, columns, dtype=torch.bool)
        return embedding, frames.masked_fill(~kept[:, :, None], 0.0), kept, grid.columns

    def _embedded(self, mel: Tensor, frame_counts: Tensor | None) -> _Grid:
        """Patches with their positions. In training, short pieces begin anywhere in the 10 s."""
        patches = self.patch_embed(mel.transpose(1, 2).unsqueeze(1))[..., :_COLUMNS]
        count = patches.shape[3]
        begin = int(torch.randint(_COLUMNS - count + 1, ())) if self.training else 0
        patches = patches + self.time_new_pos_embed[..., begin : begin + count] + self.freq_new_pos_embed
        columns = torch.arange(count, device=mel.device)
        mask = None if frame_counts is None else columns < (frame_counts // PATCH_FRAMES)[:, None]
        return _Grid(patches.permute(0, 2, 3, 1), mask, columns)

    def _patched_out(self, grid: _Grid) -> _Grid:
        """Structured patchout, in training only: drop whole columns and whole rows, the same in the batch.

        Every piece keeps a column of its own: one of those that all pieces have is never dropped. Without padding
        this does not change the distribution: the kept columns are a uniform choice.
        """
        if not self.training or not (self.time_patchout or self.frequency_patchout):
            return grid
        rows, columns = grid.patches.shape[1:3]
        device = grid.patches.device
        shared = columns if grid.mask is None else int(grid.mask.sum(dim=1).min())
        certain = int(torch.randint(shared, ()))
        others = torch.randperm(columns - 1, device=device)[: max(0, columns - 1 - self.time_patchout)]
        others = others + (others >= certain)
        kept_columns = torch.cat([others, others.new_tensor([certain])]).sort().values
        kept_rows = torch.randperm(rows, device=device)[: rows - self.frequency_patchout].sort().values
        return _Grid(
            grid.patches[:, kept_rows][:, :, kept_columns],
            None if grid.mask is None else grid.mask[:, kept_columns],
            grid.columns[kept_columns],
        )


class PasstEncoder(nn.Module):
    """Front-end and trunk: waveform in, `EncoderOutput` out.

    `frames` are 62 of 768 for each 10 s (47 in training with the default patchout), each 160 ms: the patches'
    tokens after the final norm, averaged over frequency. `logits` come from the averaged embedding.

    Args:
        classes: Of the classifier.
        time_patchout: Columns dropped while training (15 in Primus et al. 2024, of 62).
        frequency_patchout: Rows dropped while training (2, of 8).
        fill_pieces: Whether a last piece that is not full counts as followed by silence.
    """

    def __init__(
        self,
        *,
        classes: int = AUDIOSET_CLASSES,
        time_patchout: int = 15,
        frequency_patchout: int = 2,
        fill_pieces: bool = False,
    ) -> None:
        super().__init__()
        self.fill_pieces = fill_pieces
        self.front_end = JitteredLogMel()
        self.trunk = PasstTrunk(classes=classes, time_patchout=time_patchout, frequency_patchout=frequency_patchout)

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
        """One patch; shorter clips are taken as followed by silence up to this."""
        return (PATCH_FRAMES - 1) * self.front_end.config.hop_samples + 1

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
        mel = self.front_end(pieces.waveform, pieces.lengths)
        embedding, frames, mask, columns = self.trunk(mel, counts)
        embedding = pieces.mean(embedding)
        centres_s = frame_times_s(self.front_end.config, _COLUMNS, PATCH_FRAMES)
        times_s = torch.from_numpy(centres_s).to(columns.device)[columns]
        return EncoderOutput(
            embedding,
            pieces.joined(frames),
            pieces.joined(mask),
            pieces.times_s(times_s, self.sample_rate_hz),
            self.trunk.head(embedding),
        )

    def load_official(self, state: Mapping[str, Tensor], *, strict: bool = True) -> LoadReport:
        """Take over the official checkpoint passt-s-p16-s16-128-ap468.

        Raises:
            ModelError: It is of another architecture.
        """
        return load_state(self.trunk, state, expected="passt-s-p16-s16-128-ap468", strict=strict)
