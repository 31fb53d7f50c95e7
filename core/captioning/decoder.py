"""CNext-trans: a transformer that writes captions from the frames of a frozen encoder.

Labbé, Pellegrini, Pinquier: Killing two birds with one stone, DCASE 2023, section 2.1. Frames go through
dropout, a linear layer, ReLU and dropout; the decoder is the post-norm transformer of Vaswani et al. with exact
GELU, token embeddings times the square root of the width, sinusoidal positions and a classifier with bias.

The paper says four heads, the published code runs eight; both load the same weights and give other numbers.
Four is the default here, eight an option.

Shape legend: a audios, t frames, d encoder features, w width, l tokens, n prefixes, c captions, r rows,
h heads, v vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from core.captioning.attention import Attention
from core.captioning.prefix import PrefixTree
from core.captioning.protocol import AudioFeatures
from core.errors import ModelError

_OFFICIAL_PROJECTION = {
    "projection.2.weight": "projection.1.weight",
    "projection.2.bias": "projection.1.bias",
}
_LONGEST = 512


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """(length, width): sines in the even columns, cosines in the odd ones, wavelengths 2 pi to 20,000 pi."""
    place = torch.arange(length, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
    table = torch.empty(length, width)
    table[:, 0::2] = torch.sin(place * rate)
    table[:, 1::2] = torch.cos(place * rate)
    return table


class _DecoderLayer(nn.Module):
    """Self-attention, attention to the audio, feed-forward; each added and then normalised."""

    def __init__(self, *, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width=width, heads=heads, dropout=dropout)
        self.multihead_attn = Attention(width=width, heads=heads, dropout=dropout)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def listen(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """The second and third part of the layer, (b, l, w) -> (a, l, w); b is a, or 1 while no audio was heard."""
        queries = self.multihead_attn.queries(x).expand(keys.shape[0], -1, -1, -1)
        x = self.norm2(x + self.dropout(self.multihead_attn(queries, keys, values, mask=mask)))
        inner = self.dropout(gelu(self.linear1(x)))
        x = self.norm3(x + self.dropout(self.linear2(inner)))
        return x

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor, token_mask: Tensor | None) -> Tensor:
        """(a, l, w) -> (a, l, w), each token seeing those before it."""
        queries = self.self_attn.queries(x)
        heard = self.self_attn(queries, *self.self_attn.keys_values(x), mask=token_mask, causal=token_mask is None)
        return self.listen(self.norm1(x + self.dropout(heard)), keys, values, mask)

    def over_tree(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor, tree: PrefixTree) -> Tensor:
        """(b, n, w) -> (a, n, w): all that works place by place once per prefix, attention along the captions."""
        along = self.self_attn.all_three(x)[:, tree.path]  # (b, c, l, 3 w)
        queries, key, value = (self.self_attn.split(part).flatten(0, 1) for part in along.chunk(3, dim=-1))
        mixed = self.self_attn.mix(queries, key, value, causal=True).view(x.shape[0], -1, x.shape[-1])
        heard = self.self_attn.out_proj(mixed[:, tree.example])
        return self.listen(self.norm1(x + heard), keys, values, mask)


@dataclass(slots=True)
class _Memory:
    """What every layer attends to: per layer (keys, values) (a, h, t, w / h), and which frames count (a, 1, 1, t)."""

    layers: list[tuple[Tensor, Tensor]]
    mask: Tensor

    def select(self, rows: Tensor) -> _Memory:
        return _Memory([(keys[rows], values[rows]) for keys, values in self.layers], self.mask[rows])


class _CachedState:
    """Captions under way, with the keys and values of every token so far."""

    def __init__(self, decoder: TransformerCaptionDecoder, memory: _Memory, audios: int) -> None:
        self._decoder = decoder
        self._memory = memory
        self._audio = torch.arange(audios, device=memory.mask.device)
        self._past: list[tuple[Tensor, Tensor]] = []
        self._place = 0

    def step(self, tokens: Tensor) -> Tensor:
        """(r,) -> (r, v)."""
        x = self._decoder.place(self._decoder.embed(tokens[:, None]), self._place)
        past: list[tuple[Tensor, Tensor]] = []
        for number, layer in enumerate(self._decoder.layers):
            assert isinstance(layer, _DecoderLayer)
            keys, values = layer.self_attn.keys_values(x)
            if self._past:
                before_keys, before_values = self._past[number]
                keys, values = torch.cat([before_keys, keys], dim=2), torch.cat([before_values, values], dim=2)
            past.append((keys, values))
            heard = layer.self_attn(layer.self_attn.queries(x), keys, values)
            x = layer.listen(layer.norm1(x + heard), *self._memory.layers[number], self._memory.mask)
        self._past = past
        self._place += 1
        logits: Tensor = self._decoder.classifier(x[:, 0])
        return logits

    def select(self, rows: Tensor) -> None:
        """Keep these rows; the audio's keys move only where a row gets another audio."""
        audio = self._audio[rows]
        if not torch.equal(audio, self._audio):
            self._memory = self._memory.select(rows)
            self._audio = audio
        self._past = [(keys[rows], values[rows]) for keys, values in self._past]


class TransformerCaptionDecoder(nn.Module):
    """The CNext-trans captioner's trainable part, over any encoder's frames.

    Args:
        vocabulary_size: v, special tokens included.
        feature_dimension: d of the encoder's frames; 768 for ConvNeXt-Tiny.
        heads: 4 as in the paper, 8 as in the published code.
        layers: Decoder layers.
        width: w.
        hidden: Width of the feed-forward part.
        dropout: In the decoder.
        projection_dropout: Before and after the projection.
        pad: The padding token, whose embedding stays zero.

    Reference: Labbé et al. 2023, section 2.1 and 3.3.
    """

    positions: Tensor

    def __init__(
        self,
        *,
        vocabulary_size: int,
        feature_dimension: int = 768,
        heads: int = 4,
        layers: int = 6,
        width: int = 256,
        hidden: int = 2048,
        dropout: float = 0.2,
        projection_dropout: float = 0.5,
        pad: int = 0,
    ) -> None:
        super().__init__()
        self.feature_dimension = feature_dimension
        self.width = width
        self.projection = nn.Sequential(
            nn.Dropout(projection_dropout),
            nn.Linear(feature_dimension, width),
            nn.ReLU(),
            nn.Dropout(projection_dropout),
        )
        self.emb_layer = nn.Embedding(vocabulary_size, width, padding_idx=pad)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            _DecoderLayer(width=width, heads=heads, hidden=hidden, dropout=dropout) for _ in range(layers)
        )
        self.classifier = nn.Linear(width, vocabulary_size)
        self.register_buffer("positions", sinusoidal_positions(_LONGEST, width), persistent=False)

    @property
    def vocabulary_size(self) -> int:
        """v."""
        return self.classifier.out_features

    def project(self, frames: Tensor) -> Tensor:
        """(a, t, d) -> (a, t, w).

        Raises:
            ValueError: The frames have another dimension than the decoder was built for.
        """
        if frames.shape[-1] != self.feature_dimension:
            raise ValueError(f"expected frames of {self.feature_dimension} features, got {frames.shape[-1]}")
        projected: Tensor = self.projection(frames)
        return projected

    def embed(self, tokens: Tensor) -> Tensor:
        """(..., l) -> (..., l, w), neither scaled nor placed: what mixup mixes."""
        embedded: Tensor = self.emb_layer(tokens)
        return embedded

    def place(self, embeddings: Tensor, first: int = 0) -> Tensor:
        """Scale embeddings (b, l, w) and add the positions from `first` on."""
        length = embeddings.shape[-2]
        if first + length > self.positions.shape[0]:
            raise ValueError(f"a caption has at most {self.positions.shape[0]} tokens")
        placed: Tensor = self.dropout(embeddings * math.sqrt(self.width) + self.positions[first : first + length])
        return placed

    def decode(
        self, memory: Tensor, memory_mask: Tensor, embeddings: Tensor, token_mask: Tensor | None = None
    ) -> Tensor:
        """The decoder without its projection, on embeddings; what training with mixup calls.

        Args:
            memory: (a, t, w) projected frames.
            memory_mask: (a, t) True where a frame is no padding.
            embeddings: (a, l, w) of the tokens, bos first.
            token_mask: (a, l) True where a token is no padding. Without it padding only sees, and is never seen by
                what stands before it, so that results differ in the padding alone.

        Returns:
            Logits (a, l, v).
        """
        x = self.place(embeddings)
        mask = memory_mask[:, None, None]
        seen = None
        if token_mask is not None:
            length = embeddings.shape[-2]
            earlier = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
            seen = token_mask[:, None, None] & earlier
        for layer in self.layers:
            assert isinstance(layer, _DecoderLayer)
            keys, values = layer.multihead_attn.keys_values(memory)
            x = layer(x, keys, values, mask, seen)
        logits: Tensor = self.classifier(x)
        return logits

    def forward(self, audio: AudioFeatures, tokens: Tensor, token_mask: Tensor | None = None) -> Tensor:
        """Teacher forcing: tokens (a, l), bos first -> logits (a, l, v)."""
        if tokens.ndim != 2 or tokens.shape[0] != len(audio):
            raise ValueError(f"expected tokens ({len(audio)}, length), got {tuple(tokens.shape)}")
        return self.decode(*self.hear(audio), self.embed(tokens), token_mask)

    def hear(self, audio: AudioFeatures) -> tuple[Tensor, Tensor]:
        """What the layers attend to, (a, m, w), and which of it counts, (a, m); here m = t, the projected frames."""
        return self.project(audio.frames), audio.frame_mask

    def _remember(self, audio: AudioFeatures) -> _Memory:
        memory, mask = self.hear(audio)
        pairs = [layer.multihead_attn.keys_values(memory) for layer in self.layers]  # type: ignore[union-attr, operator]
        return _Memory(pairs, mask[:, None, None])

    def start(self, audio: AudioFeatures) -> _CachedState:
        """One empty caption per audio, the keys and values of its frames made."""
        return _CachedState(self, self._remember(audio), len(audio))

    def prefix_logits(self, audio: AudioFeatures, tree: PrefixTree) -> Tensor:
        """Logits (a, n, v) after every prefix of the tree; for evaluation, without dropout."""
        memory = self._remember(audio)
        x = (self.embed(tree.tokens) * math.sqrt(self.width) + self.positions[tree.depth])[None]
        for layer, (keys, values) in zip(self.layers, memory.layers, strict=True):
            assert isinstance(layer, _DecoderLayer)
            x = layer.over_tree(x, keys, values, memory.mask, tree)
        logits: Tensor = self.classifier(x)
        return logits

    def load_official(self, state: Mapping[str, Tensor]) -> tuple[str, ...]:
        """Take over published weights by their own names, with or without a leading `decoder.`.

        A checkpoint without the projection (`projection.2.*`) leaves ours as it is.

        Returns:
            Names in the checkpoint for which there is no place here.

        Raises:
            ModelError: A parameter is missing or has another shape.
        """
        renamed = {_OFFICIAL_PROJECTION.get(n, n.removeprefix("decoder.")): t for n, t in state.items()}
        own = self.state_dict()
        missing = sorted(name for name in own if name not in renamed and not name.startswith("projection."))
        if missing:
            raise ModelError(
                f"The checkpoint is not one of this captioner: it lacks {', '.join(missing[:3])}"
                f"{' and more' if len(missing) > 3 else ''}."
            )
        for name, tensor in own.items():
            if name in renamed and renamed[name].shape != tensor.shape:
                raise ModelError(
                    f"The checkpoint's {name} has shape {tuple(renamed[name].shape)}, expected {tuple(tensor.shape)}."
                )
        self.load_state_dict({**own, **{n: t for n, t in renamed.items() if n in own}})
        return tuple(sorted(name for name in renamed if name not in own))
