"""Small decoders and audios for the tests of generation and scoring."""

from __future__ import annotations

import torch
from torch import Tensor

from core.captioning.decoder import TransformerCaptionDecoder
from core.captioning.gru import GruCaptionDecoder
from core.captioning.prefix import PrefixTree
from core.captioning.protocol import AudioFeatures, RecomputedState
from core.captioning.vocabulary import EOS

WORDS = 30


def small_decoder(kind: str, seed: int = 0) -> TransformerCaptionDecoder | GruCaptionDecoder:
    """A decoder of 30 words with sharp enough opinions to be worth a search."""
    torch.manual_seed(seed)
    decoder: TransformerCaptionDecoder | GruCaptionDecoder
    if kind == "gru":
        decoder = GruCaptionDecoder(vocabulary_size=WORDS, frame_dimension=12, clip_dimension=8, width=16)
    else:
        decoder = TransformerCaptionDecoder(
            vocabulary_size=WORDS, feature_dimension=12, heads=2, layers=2, width=16, hidden=40
        )
    with torch.no_grad():
        decoder.classifier.weight.mul_(4.0)
        decoder.classifier.bias[EOS] += 4.0
    return decoder.eval()


def some_audio(audios: int = 4, frames: int = 7, seed: int = 3) -> AudioFeatures:
    """Random features for either decoder; the last clip is two frames shorter."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(audios, frames, dtype=torch.bool)
    mask[-1, frames - 2 :] = False
    return AudioFeatures(
        torch.randn(audios, frames, 12, generator=generator), mask, torch.randn(audios, 8, generator=generator)
    )


class TableDecoder:
    """A decoder whose next word depends on the last one only, by a table of probabilities (v, v)."""

    def __init__(self, table: Tensor) -> None:
        self.table = table.log()

    @property
    def vocabulary_size(self) -> int:
        return self.table.shape[0]

    def __call__(self, audio: AudioFeatures, tokens: Tensor, token_mask: Tensor | None = None) -> Tensor:
        return self.table[tokens]

    def start(self, audio: AudioFeatures) -> RecomputedState:
        return RecomputedState(self, audio)

    def prefix_logits(self, audio: AudioFeatures, tree: PrefixTree) -> Tensor:
        return self.table[tree.tokens].expand(len(audio), -1, -1)
