"""The loss of captions for their own sounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from core.captioning.protocol import CaptionDecoder
from core.captioning.scoring import score_pairs
from core.captioning.vocabulary import Vocabulary
from core.types import FloatArray, IntArray
from training.captioning.sound import KeptSounds

_AT_ONCE = 256


class PairLoss(Protocol):
    """Numbers of sounds (n,) and a caption for each -> losses (n,); lower fits better."""

    def __call__(self, rows: IntArray, captions: Sequence[str]) -> FloatArray:
        """Judge."""
        ...


class WordLoss:
    """The mean cross-entropy of a caption's words.

    Args:
        decoder: Of a captioner.
        vocabulary: Its words.
        sounds: All that may be asked for.
    """

    def __init__(self, decoder: CaptionDecoder, vocabulary: Vocabulary, sounds: KeptSounds) -> None:
        self._decoder = decoder
        self._vocabulary = vocabulary
        self._sounds = sounds

    def __call__(self, rows: IntArray, captions: Sequence[str]) -> FloatArray:
        """See `PairLoss`."""
        return pair_losses(self._decoder, self._vocabulary, self._sounds, rows, captions)


def pair_losses(
    decoder: CaptionDecoder, vocabulary: Vocabulary, sounds: KeptSounds, rows: IntArray, captions: Sequence[str]
) -> FloatArray:
    """The loss of each caption for its own sound, (n,)."""
    tokens = [vocabulary.encode(caption) for caption in captions]
    order = np.argsort([len(one) for one in tokens], kind="stable")
    losses = np.empty(len(tokens), dtype=np.float32)
    for begin in range(0, len(order), _AT_ONCE):
        part = order[begin : begin + _AT_ONCE]
        scored = score_pairs(decoder, sounds.features(rows[part]), [tokens[number] for number in part])
        losses[part] = scored.cpu().numpy()
    return losses
