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

# Temperatures of cosines, chosen on the corpus' validation split.
_LEAD_TEMPERATURE = 0.05
_ECHO_TEMPERATURE = 0.05


@dataclass(frozen=True, slots=True)
class Recall:
    """Some sounds beside all known texts.

    Attributes:
        scores: (m, k) dot products.
        level: (m,) soft maximum of each sound's scores.
    """

    scores: FloatArray
    level: FloatArray


class KnownTexts:
    """Texts that a model was trained on, or means of such as read alike.

    Args:
        sentences: (k, w) their sentence embeddings, of unit length.
        vectors: (k, d) their embeddings; of unit length or, for means, shorter.

    Raises:
        ValueError: The shapes do not belong together, or there is no text.
    """

    def __init__(self, sentences: FloatArray, vectors: FloatArray) -> None:
        if sentences.ndim != 2 or vectors.ndim != 2 or not len(sentences) or len(sentences) != len(vectors):
            raise ValueError(f"known texts have the shapes (k, w) and (k, d), not {sentences.shape}, {vectors.shape}")
        self.sentences = np.ascontiguousarray(sentences, dtype=np.float32)
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)

    def recall(self, sounds: FloatArray) -> Recall:
        """Put sounds (m, d) beside all known texts."""
        # One by one: a threaded product is slow on busy cores, and differs in the last bit with the number of sounds.
        scores = np.zeros((len(sounds), len(self.vectors)), dtype=np.float32)
        for row, sound in enumerate(sounds):
            scores[row] = np.vecdot(self.vectors, sound)
        highest = scores.max(axis=1, initial=-np.inf)
        spread = np.exp((scores - highest[:, None]) / _LEAD_TEMPERATURE).mean(axis=1)
        return Recall(scores, np.asarray(highest + _LEAD_TEMPERATURE * np.log(spread), dtype=np.float32))

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
        echo = np.vecdot(recall.scores, self.echo_weights(sentence))
        return np.stack([scores - recall.level, echo], axis=-1).astype(np.float32)
