"""Heads that start from a score which needs no training and add what training finds (of the dual encoder).

Shape legend: b batch, e trunk embedding, c AudioSet classes, s sentence embedding, d joint embedding.

An audio tagger knows how likely each class is in a sound, p (c,); a sentence encoder knows how near a text
is to each class's name, q = softmax(cosine(text, names) / temperature) (c,). Their product q.p ranks sounds
it has never been trained to rank. Here both sides carry it into d numbers by a linear map with orthonormal
columns, so that at the start the dot product of two embeddings is (nearly) that score; and each side adds a
residual from an MLP whose last layer starts at zero:

    sound: unit(unit(unit(p^power) B) + f(embedding, logits))
    text:  unit(unit(q C) + g(sentence))

Training moves B, C, f and g. Because it starts from the breadth of AudioSet, it keeps most of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, normalize

# A sentence embedding of unit length has entries near s ** -0.5; the MLP likes entries near one.
_SENTENCE_SCALE = 4.0


def _residual(inputs: int, hidden: int, outputs: int, drop: float) -> nn.Sequential:
    """Two layers with a GELU between, the last starting at zero."""
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, hidden), nn.GELU(), nn.Dropout(drop), last)


def _check_basis(basis: Tensor, expected: nn.Parameter) -> None:
    if basis.shape != expected.shape:
        raise ValueError(f"the basis has the shape {tuple(expected.shape)}, not {tuple(basis.shape)}")


class ProfileAudioHead(nn.Module):
    """The sound's side.

    Args:
        trunk_dimension: e; with taps the length of a summary (see `core.encoders.efficientat`).
        classes: c.
        dimension: d.
        hidden: Width of the residual MLP.
        power: Class probabilities are raised to this; below 1 it lifts quiet classes.
        dropout: Inside the MLP while training.
        input_dropout: Of the MLP's inputs while training; many of them, from a summary, know nearly the same.
        input_limit: The MLP's inputs go no further than so many standard deviations from the mean: a sound unlike any
            that was learned from is no reason for wild answers. 0 sets no limit.
    """

    input_mean: Tensor
    input_scale: Tensor

    def __init__(
        self,
        *,
        trunk_dimension: int = 384,
        classes: int = 527,
        dimension: int = 512,
        hidden: int = 512,
        power: float = 0.5,
        dropout: float = 0.3,
        input_dropout: float = 0.0,
        input_limit: float = 0.0,
    ) -> None:
        super().__init__()
        self.trunk_dimension = trunk_dimension
        self.dimension = dimension
        self.power = power
        self.input_dropout = input_dropout
        self.input_limit = input_limit
        self.register_buffer("input_mean", torch.zeros(trunk_dimension + classes))
        self.register_buffer("input_scale", torch.ones(trunk_dimension + classes))
        self.basis = nn.Parameter(nn.init.uniform_(torch.empty(classes, dimension), -0.1, 0.1))
        self.residual = _residual(trunk_dimension + classes, hidden, dimension, dropout)

    def set_start(self, *, basis: Tensor, mean: Tensor, scale: Tensor) -> None:
        """Give the linear map (c, d), and mean and scale (e + c,) of the MLP's inputs over the training sounds."""
        _check_basis(basis, self.basis)
        with torch.no_grad():
            self.basis.copy_(basis)
            self.input_mean.copy_(mean)
            self.input_scale.copy_(scale)

    def profile(self, logits: Tensor) -> Tensor:
        """The sound's classes, (b, c), at unit length."""
        return normalize(torch.sigmoid(logits).pow(self.power), dim=-1)

    def forward(self, embedding: Tensor, logits: Tensor) -> Tensor:
        """(b, e), (b, c) -> (b, d) unit length."""
        seen = (torch.cat([embedding, logits], dim=-1) - self.input_mean) / self.input_scale
        if self.input_limit:
            seen = seen.clamp(-self.input_limit, self.input_limit)
        seen = dropout(seen, self.input_dropout, training=self.training)
        start = normalize(self.profile(logits) @ self.basis, dim=-1)
        return normalize(start + self.residual(seen), dim=-1)


class ProfileTextHead(nn.Module):
    """The text's side.

    Args:
        classes: c.
        sentence_dimension: s.
        dimension: d.
        hidden: Width of the residual MLP.
        temperature: Of the softmax over the classes.
        dropout: Inside the MLP while training.
    """

    class_names: Tensor

    def __init__(
        self,
        *,
        classes: int = 527,
        sentence_dimension: int = 384,
        dimension: int = 512,
        hidden: int = 512,
        temperature: float = 0.03,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.dimension = dimension
        self.temperature = temperature
        self.register_buffer("class_names", torch.zeros(classes, sentence_dimension))
        self.basis = nn.Parameter(nn.init.uniform_(torch.empty(classes, dimension), -0.1, 0.1))
        self.residual = _residual(sentence_dimension, hidden, dimension, dropout)

    def set_start(self, *, basis: Tensor, class_names: Tensor) -> None:
        """Give the linear map (c, d), and the class names' sentence embeddings (c, s) in the logits' order."""
        _check_basis(basis, self.basis)
        with torch.no_grad():
            self.basis.copy_(basis)
            self.class_names.copy_(normalize(class_names, dim=-1))

    def profile(self, sentence: Tensor) -> Tensor:
        """What a text's sentence embedding (b, s) of unit length says of the classes: (b, c), adding up to one."""
        return torch.softmax(sentence @ self.class_names.T / self.temperature, dim=-1)

    def forward(self, sentence: Tensor) -> Tensor:
        """(b, s) -> (b, d) unit length."""
        sentence = normalize(sentence, dim=-1)
        start = normalize(self.profile(sentence) @ self.basis, dim=-1)
        return normalize(start + self.residual(sentence * _SENTENCE_SCALE), dim=-1)
