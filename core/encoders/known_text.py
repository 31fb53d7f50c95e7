"""What else is said of sounds, as parts of the blended heads (`core.encoders.blended_head`).

A text that nothing was learned from still gets a vector, and that vector is near to some sounds. Two more things tell
whether a sound a is what a text t asks for, from texts k that the model knows, each with its vector:

    echo   the mean vector of the known texts that read like t: do texts that mean the same fit the sound as well?
    level  the soft maximum of all a.k: does the sound fit other things that are said just as well?

The first is added to the text's vector and the second is one number for every sound, so a.(t + echo) - level is still
one dot product.

Shape legend: b batch, k known texts, s sentence embedding, j vector.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class TextEcho(nn.Module):
    """The text's side.

    Args:
        texts: k.
        sentence_dimension: s.
        dimension: j.
        temperature: Of the softmax over the cosines to the known texts' sentences.
    """

    sentences: Tensor
    vectors: Tensor

    def __init__(self, *, texts: int, sentence_dimension: int, dimension: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.register_buffer("sentences", torch.zeros(texts, sentence_dimension))
        self.register_buffer("vectors", torch.zeros(texts, dimension))

    def set_texts(self, sentences: Tensor, vectors: Tensor) -> None:
        """Give the known texts: (k, s) of unit length and (k, j) of unit length or, for means, shorter."""
        self.sentences.copy_(sentences)
        self.vectors.copy_(vectors)

    def forward(self, sentence: Tensor) -> Tensor:
        """(b, s) of unit length -> (b, j) of unit length at most."""
        weights = torch.softmax(sentence @ self.sentences.T / self.temperature, dim=-1)
        return weights @ self.vectors


class SoundLevel(nn.Module):
    """The sound's side.

    Args:
        texts: k.
        dimension: j.
        temperature: Of the soft maximum of the scores for the known texts.
    """

    vectors: Tensor
    usual: Tensor

    def __init__(self, *, texts: int, dimension: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self._log_texts = math.log(texts)
        self.register_buffer("vectors", torch.zeros(texts, dimension))
        self.register_buffer("usual", torch.zeros(()))

    def set_texts(self, vectors: Tensor, sounds: Tensor) -> None:
        """Give the known texts (k, j), and vectors (n, j) of everyday sounds, whose mean level counts as none."""
        self.vectors.copy_(vectors)
        self.usual.zero_()
        self.usual.copy_(self(sounds).mean())

    def forward(self, sound: Tensor) -> Tensor:
        """(b, j) of unit length -> (b, 1), at most about 1 from 0."""
        scores = sound @ self.vectors.T / self.temperature
        soft_maximum = torch.logsumexp(scores, dim=-1, keepdim=True) - self._log_texts
        return self.temperature * soft_maximum - self.usual
