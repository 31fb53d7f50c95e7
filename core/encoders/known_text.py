"""What a model knows texts to say about sounds: a second witness of relevance. Numpy only.

A text that nothing was learned from still gets a vector, and that vector is near to some sounds. Two further things
tell whether a sound s is what a text q asks for, from a fixed set of texts k that the model knows:

    lead   s.q less a soft maximum of s.k: does the sound fit this text better than it fits other things that are said?
    echo   the mean of s.k over known texts that read like q: do texts that mean the same fit the sound as well?

Shape legend: k known texts, m sounds, d embedding, w sentence embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.types import FloatArray

# Chosen on the corpus' validation split: of scores between trained vectors, and of the sentences' cosines.
LEAD_TEMPERATURE = 0.05
_ECHO_TEMPERATURE = 0.05

# BLAS takes a product of so many steps on one thread; a threaded one is slow on busy cores.
_STEPS_AT_ONCE = 2**18
_SOUNDS_AT_ONCE = 8
# Sounds whose scores are in memory at a time.
_SOUNDS_HELD = 256


@dataclass(frozen=True, slots=True)
class Recall:
    """Some sounds, and what is known of them before any text is asked.

    Attributes:
        sounds: (m, d) their embeddings.
        level: (m,) soft maximum of each sound's dot products with all known texts.
    """

    sounds: FloatArray
    level: FloatArray


class KnownTexts:
    """Texts that a model was trained on, or means of such as read alike.

    Args:
        sentences: (k, w) their sentence embeddings, of unit length.
        vectors: (k, d) their embeddings; of unit length or, for means, shorter.
        temperature: Of the soft maximum, in the scale of the model's scores (see `core.encoders.card.VerifiedFit`).

    Raises:
        ValueError: The shapes do not belong together, or there is no text.
    """

    def __init__(self, sentences: FloatArray, vectors: FloatArray, *, temperature: float = LEAD_TEMPERATURE) -> None:
        if sentences.ndim != 2 or vectors.ndim != 2 or not len(sentences) or len(sentences) != len(vectors):
            raise ValueError(f"known texts have the shapes (k, w) and (k, d), not {sentences.shape}, {vectors.shape}")
        self.sentences = np.ascontiguousarray(sentences, dtype=np.float32)
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.temperature = temperature
        self._parts = _in_parts(self.vectors)

    def recall(self, sounds: FloatArray) -> Recall:
        """Put sounds (m, d) beside all known texts."""
        return Recall(sounds, self.level(sounds))

    def level(self, sounds: FloatArray) -> FloatArray:
        """Soft maximum (m,) of the scores of sounds (m, d); a sound's is the same whatever others are with it."""
        level = np.zeros(len(sounds), dtype=np.float32)
        for start in range(0, len(sounds), _SOUNDS_HELD):
            scores = self._scores(sounds[start : start + _SOUNDS_HELD])
            highest = scores.max(axis=1)
            spread = np.exp((scores - highest[:, None]) / self.temperature).mean(axis=1)
            level[start : start + _SOUNDS_HELD] = highest + self.temperature * np.log(spread)
        return level

    def _scores(self, sounds: FloatArray) -> FloatArray:
        """Dot products (m, k) of sounds (m, d), by products of one size: their last bit may depend on the size."""
        count, dimension = sounds.shape
        padded = np.zeros((-(-count // _SOUNDS_AT_ONCE) * _SOUNDS_AT_ONCE, dimension), dtype=np.float32)
        padded[:count] = sounds
        products = padded.reshape(-1, 1, _SOUNDS_AT_ONCE, dimension) @ self._parts.transpose(0, 2, 1)
        scores = products.transpose(0, 2, 1, 3).reshape(len(padded), -1)[:count, : len(self.vectors)]
        return np.ascontiguousarray(scores)

    def echo_weights(self, sentence: FloatArray) -> FloatArray:
        """How much each known text counts for a sentence (w,) of unit length: (k,), together 1."""
        likeness = np.vecdot(self.sentences, sentence)
        weights = np.exp((likeness - likeness.max()) / _ECHO_TEMPERATURE)
        return np.asarray(weights / weights.sum(), dtype=np.float32)

    def evidence(self, sentence: FloatArray, scores: FloatArray, recall: Recall) -> FloatArray:
        """Lead and echo (m, 2) of sounds for a text.

        Args:
            sentence: (w,) of the text, of unit length.
            scores: (m,) dot products of the sounds with the text's embedding.
            recall: Of the same sounds.
        """
        # The mean of dot products is the dot product with the mean.
        meant = (self.echo_weights(sentence)[:, None] * self.vectors).sum(axis=0)
        echo = np.vecdot(recall.sounds, meant)
        return np.stack([scores - recall.level, echo], axis=-1).astype(np.float32)


def _in_parts(vectors: FloatArray) -> FloatArray:
    """Vectors (k, d) as parts (parts, texts, d) of one size, the last filled up with zeros."""
    count, dimension = vectors.shape
    texts = min(count, max(1, _STEPS_AT_ONCE // (_SOUNDS_AT_ONCE * dimension)))
    padded = np.zeros((-(-count // texts) * texts, dimension), dtype=np.float32)
    padded[:count] = vectors
    return padded.reshape(-1, texts, dimension)
