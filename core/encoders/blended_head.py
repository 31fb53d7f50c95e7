"""Heads that carry a trained score and the one that needs no training in one vector (of the dual encoder).

What was learned from some thousand sounds ranks sounds like them far better than no training does, and sounds unlike
all of them worse. So a sound and a text each say how far the trained vector is to be trusted, and the dot product of
what they give is (nearly) a weighted sum of both scores:

    sound: unit(√(1 - w) f T + √w p F)     f its trained vector, p its classes at unit length
    text:  unit(√(1 - u) g T + √u q F)     g its trained vector, q what it says of the classes, at unit length

w is 0 for a sound near to what was learned from and grows with the distance; u is small, and larger for a text that
nearly is the name of a class. T and F are the two halves of one map with orthonormal columns, (l + c, j): both scores
know much of the same, so j numbers hold nearly all of either.

A head may keep t numbers of the embedding for the sound's timbre (`core.encoders.timbre`). Texts are zero there, so the
order of sounds for a text does not depend on it; two sounds are compared by it as well.

Heads that know texts (`core.encoders.known_text`) keep two more: a sound its level l and 0, a text -1 and whatever
makes all texts equally long, so that the scores of two texts can be compared. With all that d = j + t + 2:

    sound: unit(√(1 - τ) x, √τ timbre, √(1 - τ) l, 0)     x and y are the vectors of above,
    text:  (y + echo, 0, -1, the rest) / √5               τ is the timbre's share

Shape legend: b batch, e what the trunk says, k centres, a the embedding that centres lie among, c AudioSet classes,
s sentence embedding, l trained vector, j both scores' numbers, t timbre, d embedding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad

from core.encoders.known_text import SoundLevel, TextEcho
from core.encoders.profile_head import ProfileAudioHead, ProfileTextHead
from core.encoders.timbre import TimbreHead

_KNOWN_NUMBERS = 2
# The largest squared length of a text with its echo, and of what it takes off every sound's level.
_LONGEST, _TAKEN = 4.0, 1.0


def _way(value: Tensor, low: float, high: float) -> Tensor:
    """0 up to `low`, 1 from `high` on, straight between."""
    return ((value - low) / (high - low)).clamp(0.0, 1.0)


def _joint_numbers(dimension: int, *, timbre: int, known: object | None) -> int:
    """j: what of an embedding is left for both scores."""
    return dimension - timbre - (0 if known is None else _KNOWN_NUMBERS)


class _Blend(nn.Module):
    """The map of both vectors into one."""

    turn: Tensor
    fixed: Tensor

    def __init__(self, learned: int, classes: int, dimension: int) -> None:
        super().__init__()
        self.register_buffer("turn", torch.zeros(learned, dimension))
        self.register_buffer("fixed", torch.zeros(classes, dimension))

    def set_map(self, joint: Tensor) -> None:
        """Give the map (l + c, j) of a trained vector and a class profile side by side."""
        turn, fixed = torch.split(joint, [len(self.turn), len(self.fixed)])
        self.turn.copy_(turn)
        self.fixed.copy_(fixed)

    def forward(self, learned: Tensor, profile: Tensor, share: Tensor) -> Tensor:
        """(b, l), (b, c), and the profile's share (b, 1) -> (b, j) unit length."""
        return normalize((1.0 - share).sqrt() * learned @ self.turn + share.sqrt() * profile @ self.fixed, dim=-1)


class BlendedAudioHead(nn.Module):
    """The sound's side.

    Args:
        learned: Options of the trained head, a `ProfileAudioHead`.
        dimension: d.
        centres: k; of what was learned from.
        embedding_dimension: a; what the trunk says begins with the embedding.
        far: A sound whose largest cosine to a centre is this or less gets the largest share of the untrained score.
        near: From this cosine on it gets none.
        most: The largest share, 0 to 1.
        timbre: Options of a `TimbreHead`; None: no numbers are for that.
        known: Options of a `SoundLevel` but its dimension; None: it knows no texts.

    Raises:
        ValueError: `far` is not below `near`.
    """

    mean: Tensor
    centres: Tensor

    def __init__(
        self,
        *,
        learned: Mapping[str, Any],
        dimension: int,
        centres: int,
        embedding_dimension: int,
        far: float,
        near: float,
        most: float,
        timbre: Mapping[str, Any] | None = None,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if not far < near:
            raise ValueError(f"a far sound ({far}) is nearer than a near one ({near})")
        self.learned = ProfileAudioHead(**learned)
        self.trunk_dimension = self.learned.trunk_dimension
        self.dimension = dimension
        self.far = far
        self.near = near
        self.most = most
        self.register_buffer("mean", torch.zeros(embedding_dimension))
        self.register_buffer("centres", torch.zeros(centres, embedding_dimension))
        self.timbre = None if timbre is None else TimbreHead(**timbre)
        joint = _joint_numbers(dimension, timbre=0 if self.timbre is None else self.timbre.dimension, known=known)
        self.blend = _Blend(self.learned.dimension, self.learned.basis.shape[0], joint)
        self.level = None if known is None else SoundLevel(dimension=joint, **known)

    def set_centres(self, mean: Tensor, centres: Tensor) -> None:
        """Give the mean (a,) of the embeddings that were learned from, and centres (k, a) of them less that mean."""
        self.mean.copy_(mean)
        self.centres.copy_(normalize(centres, dim=-1))

    def untrained_share(self, embedding: Tensor) -> Tensor:
        """(b, e) -> (b, 1), 0 to `most`: how far the untrained score is trusted."""
        own = normalize(embedding[:, : self.mean.shape[0]] - self.mean, dim=-1)
        nearest = (own @ self.centres.T).amax(dim=-1, keepdim=True)
        return self.most * (1.0 - _way(nearest, self.far, self.near))

    def joined(self, embedding: Tensor, logits: Tensor) -> Tensor:
        """Both scores' half of the embedding: (b, e), (b, c) -> (b, j) unit length."""
        both: Tensor = self.blend(
            self.learned(embedding, logits), self.learned.profile(logits), self.untrained_share(embedding)
        )
        return both

    def forward(self, embedding: Tensor, logits: Tensor) -> Tensor:
        """(b, e), (b, c) -> (b, d) unit length."""
        joined = self.joined(embedding, logits)
        level = None if self.level is None else self.level(joined)
        parts = [joined]
        if self.timbre is not None:
            length = math.sqrt(1.0 - self.timbre.share)
            parts = [length * joined, math.sqrt(self.timbre.share) * self.timbre(embedding)]
            level = None if level is None else length * level
        if level is None:
            return torch.cat(parts, dim=-1)
        return normalize(torch.cat([*parts, level, torch.zeros_like(level)], dim=-1), dim=-1)


class ClassReader(nn.Module):
    """What a text says of the classes, read from whole phrases.

    A class is where the phrases that name it lie on average ("rain", "the sound of rain"). Some classes are near to
    whatever is said, so each one's usual cosine is taken off before classes are compared.

    Args:
        classes: c.
        sentence_dimension: s.
        temperature: Of the softmax over the classes.
    """

    phrases: Tensor
    usual: Tensor

    def __init__(self, *, classes: int, sentence_dimension: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.register_buffer("phrases", torch.zeros(classes, sentence_dimension))
        self.register_buffer("usual", torch.zeros(classes))

    def set_phrases(self, phrases: Tensor, texts: Tensor) -> None:
        """Give the classes' mean phrases (c, s), and what is said of sounds: embeddings (n, s), unit length."""
        self.phrases.copy_(normalize(phrases, dim=-1))
        self.usual.copy_(self.phrases @ texts.mean(dim=0))

    def forward(self, sentence: Tensor) -> Tensor:
        """(b, s) of unit length -> (b, c), adding up to one."""
        return torch.softmax((sentence @ self.phrases.T - self.usual) / self.temperature, dim=-1)


class BlendedTextHead(nn.Module):
    """The text's side.

    Args:
        learned: Options of the trained head, a `ProfileTextHead`.
        dimension: d.
        unnamed: A text whose largest cosine to a class name is this or less gets the least share of the untrained
            score.
        named: From this cosine on it gets the largest.
        least: The least share, 0 to 1.
        most: The largest.
        timbre: t, of which a text says nothing.
        phrases: Whether the untrained score has a `ClassReader` of its own; else it reads as the trained head starts.
        known: Options of a `TextEcho` but its dimensions; None: it knows no texts.

    Raises:
        ValueError: `unnamed` is not below `named`.
    """

    def __init__(
        self,
        *,
        learned: Mapping[str, Any],
        dimension: int,
        unnamed: float,
        named: float,
        least: float,
        most: float,
        timbre: int = 0,
        phrases: bool = False,
        known: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if not unnamed < named:
            raise ValueError(f"a text without a class ({unnamed}) is nearer to one than a text with one ({named})")
        self.learned = ProfileTextHead(**learned)
        self.dimension = dimension
        self.unnamed = unnamed
        self.named = named
        self.least = least
        self.most = most
        self.timbre = timbre
        classes, sentence = self.learned.class_names.shape
        self.reader = (
            ClassReader(classes=classes, sentence_dimension=sentence, temperature=self.learned.temperature)
            if phrases
            else None
        )
        joint = _joint_numbers(dimension, timbre=timbre, known=known)
        self.blend = _Blend(self.learned.dimension, classes, joint)
        self.echo = None if known is None else TextEcho(sentence_dimension=sentence, dimension=joint, **known)

    @property
    def class_names(self) -> Tensor:
        """(c, s) sentence embeddings of the class names."""
        return self.learned.class_names

    def untrained_share(self, sentence: Tensor) -> Tensor:
        """(b, s) of unit length -> (b, 1), `least` to `most`: how far the untrained score is trusted."""
        nearest = (sentence @ self.class_names.T).amax(dim=-1, keepdim=True)
        return self.least + (self.most - self.least) * _way(nearest, self.unnamed, self.named)

    def profile(self, sentence: Tensor) -> Tensor:
        """What a text (b, s) of unit length says of the classes to the untrained score: (b, c) of unit length."""
        read: Tensor = self.learned.profile(sentence) if self.reader is None else self.reader(sentence)
        return normalize(read, dim=-1)

    def joined(self, sentence: Tensor) -> Tensor:
        """What the text itself says: (b, s) of unit length -> (b, j) unit length."""
        both: Tensor = self.blend(self.learned(sentence), self.profile(sentence), self.untrained_share(sentence))
        return both

    def forward(self, sentence: Tensor) -> Tensor:
        """(b, s) -> (b, d) unit length."""
        sentence = normalize(sentence, dim=-1)
        joined = self.joined(sentence)
        if self.echo is None:
            return pad(joined, (0, self.timbre))
        said = joined + self.echo(sentence)
        taken = torch.full_like(said[:, :1], -math.sqrt(_TAKEN))
        rest = (_LONGEST - said.square().sum(dim=-1, keepdim=True)).clamp_min(0.0).sqrt()
        return torch.cat([pad(said, (0, self.timbre)), taken, rest], dim=-1) / math.sqrt(_LONGEST + _TAKEN)
