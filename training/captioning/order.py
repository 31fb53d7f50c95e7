"""The order of two sounds, heard part by part.

A decoder that has read few scenes writes what is heard, but hardly notices when. Asked about the parts of a scene one
by one it does: "a dog barks, then rain falls" is so if the dog is heard in the first part and the rain in the second
rather than the other way round. With L(x, y) the least loss, over some places to cut, of the words of x in what comes
before the cut and of y in what comes after it, the loss of the order of a caption that says x first is

    -log sigmoid(L(y, x) - L(x, y))

It is added to the loss of the words, all of it in nats and shared out over the words. A caption of two sounds at once
claims no order: it has the loss of a guess, log 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.captioning.protocol import CaptionDecoder
from core.captioning.vocabulary import Vocabulary
from core.types import FloatArray, IntArray
from training.captioning.material import CaptionMaterial, with_clips
from training.captioning.relation import take_apart
from training.captioning.score import pair_losses
from training.captioning.sound import KeptSounds
from training.retrieval.ragged import Ragged

_CUTS = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True, slots=True)
class CutSounds:
    """Sounds, and what comes before and after each of some places to cut them."""

    whole: KeptSounds
    parts: tuple[tuple[KeptSounds, KeptSounds], ...]


def cut_sounds(sounds: KeptSounds, material: CaptionMaterial, *, stretches: int) -> CutSounds:
    """Cut sounds; each part is placed in the space of texts by the mean of its frames."""

    def part(begin: float, end: float) -> KeptSounds:
        frames: list[FloatArray] = []
        for row in range(len(sounds)):
            own = sounds.frames.padded(np.asarray([row], dtype=np.int64))[0][0].numpy()
            first = min(round(begin * len(own)), len(own) - 1)
            frames.append(own[first : max(first + 1, round(end * len(own)))])
        counts = np.asarray([len(own) for own in frames], dtype=np.float32)
        kept = KeptSounds(
            np.stack([own.mean(axis=0) for own in frames]), Ragged.join([(np.concatenate(frames), counts)])
        )
        return with_clips(kept, material.encoder, material.head, stretches=stretches)

    return CutSounds(sounds, tuple((part(0.0, cut), part(cut, 1.0)) for cut in _CUTS))


class OrderedLoss:
    """The loss of a caption's words and of its order (see above).

    Args:
        decoder: Of a captioner.
        vocabulary: Its words.
        sounds: Cut.
    """

    def __init__(self, decoder: CaptionDecoder, vocabulary: Vocabulary, sounds: CutSounds) -> None:
        self._decoder = decoder
        self._vocabulary = vocabulary
        self._sounds = sounds

    def __call__(self, rows: IntArray, captions: Sequence[str]) -> FloatArray:
        """Of each caption for its own sound, (n,); lower is better."""
        losses = pair_losses(self._decoder, self._vocabulary, self._sounds.whole, rows, captions)
        order = np.zeros(len(captions), dtype=np.float32)
        sequences: list[int] = []
        told: list[tuple[str, str]] = []
        for number, caption in enumerate(captions):
            related = take_apart(caption)
            if related is not None and related.relation == "superposition":
                order[number] = np.log(2.0)
            elif related is not None:
                sequences.append(number)
                left, right = related.left, related.right
                told.append((right, left) if related.words == "after" else (left, right))
        if sequences:
            own = rows[sequences]
            first, second = [pair[0] for pair in told], [pair[1] for pair in told]
            lead = self._least(own, second, first) - self._least(own, first, second)
            order[sequences] = np.logaddexp(0.0, -lead)
        return losses + order / self._lengths(captions)

    def _least(self, rows: IntArray, first: Sequence[str], second: Sequence[str]) -> FloatArray:
        """L(first, second) in nats, (n,)."""
        cuts = [
            self._total(before, rows, first) + self._total(after, rows, second) for before, after in self._sounds.parts
        ]
        return np.asarray(np.min(cuts, axis=0), dtype=np.float32)

    def _total(self, sounds: KeptSounds, rows: IntArray, captions: Sequence[str]) -> FloatArray:
        losses = pair_losses(self._decoder, self._vocabulary, sounds, rows, captions)
        return np.asarray(losses * self._lengths(captions), dtype=np.float32)

    def _lengths(self, captions: Sequence[str]) -> FloatArray:
        return np.asarray([len(self._vocabulary.encode(caption)) for caption in captions], dtype=np.float32)
