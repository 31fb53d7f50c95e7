"""Projection heads of the dual encoder: from the two towers into one space.

Shape legend: b batch, e trunk embedding, c classes, s sentence embedding, p profile, d = s + p.

Both heads start on a space that needs no training, because the trunk tells AudioSet classes apart and the
text tower knows what the classes' names mean:

* *Meaning* (s numbers). Text: the sentence embedding. Sound: the mean of the class names' embeddings, weighted
  by the trunk's class probabilities. Each adds a residual MLP whose last layer starts at zero.
* *Profile* (p numbers, none when p is 0). Text: `softmax(cosine(text, class names) / temperature)`; sound:
  the class probabilities. Each side has a linear map to p numbers, without bias; the training chooses where
  the two maps start. With transposed inverses of each other, the product of two profiles is the training-free
  score "sum over classes of what the text means times what the sound holds".

The parts are joined, the profile scaled by `profile_weight`, and the whole is brought to unit length. The
interface that everything else relies on is only this:

* `AudioHead(**options)(embedding (b, e), logits (b, c)) -> (b, d)`, unit length
* `TextHead(**options)(sentence (b, s)) -> (b, d)`, unit length
* `.dimension`, and `options` that are JSON values: a model card keeps them, and the state dict keeps the rest,
  the class names' embeddings (`class_names`, set by `set_class_names`) included.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from core.encoders.profile_head import ProfileAudioHead, ProfileTextHead
from core.errors import ModelError


def _residual(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    """Two layers with a GELU between, the last starting at zero."""
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Dropout(dropout), last)


class _Head(nn.Module):
    """What both heads share: class names, the joint dimension and the joining of the parts."""

    class_names: Tensor

    def __init__(self, *, sentence_dimension: int, classes: int, profile_dimension: int) -> None:
        super().__init__()
        self.dimension = sentence_dimension + profile_dimension
        self.register_buffer("class_names", torch.zeros(classes, sentence_dimension))
        self.profile: nn.Linear | None = None
        self.profile_weight: nn.Parameter | None = None
        if profile_dimension:
            self.profile = nn.Linear(classes, profile_dimension, bias=False)
            self.profile_weight = nn.Parameter(torch.ones(()))

    def set_class_names(self, embeddings: Tensor) -> None:
        """Give the sentence embeddings of the class names, (c, s), in the order of the trunk's logits."""
        self.class_names.copy_(normalize(embeddings, dim=-1))

    def _join(self, meaning: Tensor, classes: Tensor) -> Tensor:
        """(b, s) unit length and (b, c) -> (b, d) unit length."""
        if self.profile is None or self.profile_weight is None:
            return meaning
        return normalize(torch.cat([meaning, self.profile_weight * self.profile(classes)], dim=-1), dim=-1)


class AudioHead(_Head):
    """The sound's side.

    Args:
        trunk_dimension: e.
        classes: c.
        sentence_dimension: s, which is also the width of the meaning part.
        hidden: Width of the residual MLP; 0: none.
        profile_dimension: p.
        power: Class probabilities are raised to this before they weigh the names.
        dropout: Inside the residual MLP while training.
    """

    def __init__(
        self,
        *,
        trunk_dimension: int = 384,
        classes: int = 527,
        sentence_dimension: int = 384,
        hidden: int = 512,
        profile_dimension: int = 0,
        power: float = 1.0,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(sentence_dimension=sentence_dimension, classes=classes, profile_dimension=profile_dimension)
        self.power = power
        self.residual: nn.Sequential | None = None
        if hidden:
            inputs = trunk_dimension + classes + sentence_dimension
            self.input_norm = nn.LayerNorm(trunk_dimension)
            self.logit_norm = nn.LayerNorm(classes)
            self.residual = _residual(inputs, hidden, sentence_dimension, dropout)

    def forward(self, embedding: Tensor, logits: Tensor) -> Tensor:
        """(b, e), (b, c) -> (b, d) unit length."""
        probabilities = torch.sigmoid(logits)
        meaning = normalize(probabilities.pow(self.power) @ self.class_names, dim=-1)
        if self.residual is not None:
            seen = torch.cat([self.input_norm(embedding), self.logit_norm(logits), meaning], dim=-1)
            meaning = normalize(meaning + self.residual(seen), dim=-1)
        return self._join(meaning, probabilities)


class TextHead(_Head):
    """The text's side.

    Args:
        classes: c.
        sentence_dimension: s.
        hidden: Width of the residual MLP; 0: none.
        profile_dimension: p.
        temperature: Of the softmax over the classes.
        dropout: Inside the residual MLP while training.
    """

    def __init__(
        self,
        *,
        classes: int = 527,
        sentence_dimension: int = 384,
        hidden: int = 512,
        profile_dimension: int = 0,
        temperature: float = 0.03,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(sentence_dimension=sentence_dimension, classes=classes, profile_dimension=profile_dimension)
        self.temperature = temperature
        self.residual = _residual(sentence_dimension, hidden, sentence_dimension, dropout) if hidden else None

    def forward(self, sentence: Tensor) -> Tensor:
        """(b, s) -> (b, d) unit length."""
        sentence = normalize(sentence, dim=-1)
        meaning = sentence
        if self.residual is not None:
            meaning = normalize(sentence + self.residual(sentence), dim=-1)
        return self._join(meaning, torch.softmax(sentence @ self.class_names.T / self.temperature, dim=-1))


# A model card names its heads by these.
_AUDIO_HEADS: dict[str, type[nn.Module]] = {"class-space": AudioHead, "profile": ProfileAudioHead}
_TEXT_HEADS: dict[str, type[nn.Module]] = {"class-space": TextHead, "profile": ProfileTextHead}


def create_audio_head(name: str, **options: Any) -> nn.Module:
    """Build the audio head that a model card names.

    Raises:
        ModelError: No such name.
    """
    if name not in _AUDIO_HEADS:
        raise ModelError(f"There is no audio head named {name!r}.", f"There are: {', '.join(_AUDIO_HEADS)}.")
    return _AUDIO_HEADS[name](**options)


def create_text_head(name: str, **options: Any) -> nn.Module:
    """Build the text head that a model card names.

    Raises:
        ModelError: No such name.
    """
    if name not in _TEXT_HEADS:
        raise ModelError(f"There is no text head named {name!r}.", f"There are: {', '.join(_TEXT_HEADS)}.")
    return _TEXT_HEADS[name](**options)
