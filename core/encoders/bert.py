"""BERT's encoder (Devlin et al. 2019), exactly, without the seconds that importing transformers takes.

Modules are named so that the state dict of a published BERT fits as it is. Tests hold it against
`transformers.BertModel`.

Shape legend: b batch, w words (tokens), d width, h heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True, slots=True)
class BertConfig:
    """Sizes of a BERT; the defaults are MiniLM-L6-H384's (Wang et al. 2020)."""

    vocabulary: int = 30522
    width: int = 384
    layers: int = 6
    heads: int = 12
    hidden: int = 1536
    positions: int = 512
    segments: int = 2
    norm_eps: float = 1e-12
    dropout: float = 0.1


def _embedding(count: int, width: int) -> nn.Embedding:
    """An embedding drawn as in the paper, but not drawn at all on the meta device.

    There, drawing from a normal distribution makes torch import its whole compiler, which takes a second.
    """
    weight = torch.empty(count, width)
    if not weight.is_meta:
        nn.init.normal_(weight, std=0.02)
    return nn.Embedding(count, width, _weight=weight)


class _Embeddings(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_embeddings = _embedding(config.vocabulary, config.width)
        self.position_embeddings = _embedding(config.positions, config.width)
        self.token_type_embeddings = _embedding(config.segments, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: tokens.shape[1]]
        total = self.word_embeddings(tokens) + self.token_type_embeddings.weight[0] + positions
        embedded: Tensor = self.dropout(self.LayerNorm(total))
        return embedded


class _SelfAttention(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout_rate = config.dropout
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            layer(words).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        dropout = self.dropout_rate if self.training else 0.0
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        return mixed.transpose(1, 2).flatten(2)


class _AddAndNorm(nn.Module):
    """A linear layer, the residual, and the norm after it."""

    def __init__(self, inputs: int, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, config.width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=config.norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor, residual: Tensor) -> Tensor:
        total: Tensor = self.LayerNorm(self.dropout(self.dense(hidden)) + residual)
        return total


class _Layer(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({"self": _SelfAttention(config), "output": _AddAndNorm(config.width, config)})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(config.width, config.hidden)})
        self.output = _AddAndNorm(config.hidden, config)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        attended = self.attention["output"](self.attention["self"](words, mask), words)
        hidden = nn.functional.gelu(self.intermediate["dense"](attended))
        given: Tensor = self.output(hidden, attended)
        return given


class _Stack(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_Layer(config) for _ in range(config.layers))

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        for layer in self.layer:
            words = layer(words, mask)
        return words


class BertEncoder(nn.Module):
    """Token numbers to word vectors; no pooler."""

    def __init__(self, config: BertConfig | None = None) -> None:
        super().__init__()
        self.config = config or BertConfig()
        self.embeddings = _Embeddings(self.config)
        self.encoder = _Stack(self.config)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Encode sentences.

        Args:
            tokens: (b, w) numbers, w at most the positions of the configuration.
            mask: (b, w) True where there is a token and not padding.

        Returns:
            (b, w, d).
        """
        words: Tensor = self.encoder(self.embeddings(tokens), mask[:, None, None, :])
        return words

    def load_official(self, state: Mapping[str, Tensor]) -> None:
        """Take over a published BERT's state dict; its pooler and position numbers are left out.

        Raises:
            RuntimeError: A parameter is missing, left over or of another shape.
        """
        own = {
            name.removeprefix("bert."): value
            for name, value in state.items()
            if "pooler." not in name and not name.endswith(("position_ids", "token_type_ids"))
        }
        self.load_state_dict(own)


class SentenceTower(nn.Module):
    """A BERT whose sentence embedding is the mean of its word vectors (Reimers and Gurevych 2019)."""

    def __init__(self, config: BertConfig | None = None) -> None:
        super().__init__()
        self.bert = BertEncoder(config)

    @property
    def dimension(self) -> int:
        """Length d of a sentence embedding."""
        return self.bert.config.width

    @property
    def longest_tokens(self) -> int:
        """Most tokens of a sentence."""
        return self.bert.config.positions

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(b, w), (b, w) -> (b, d), not normalised; see `BertEncoder.forward`."""
        words: Tensor = self.bert(tokens, mask)
        weight = mask.to(words.dtype).unsqueeze(-1)
        return (words * weight).sum(dim=1) / weight.sum(dim=1)

    def load_official(self, state: Mapping[str, Tensor]) -> None:
        """See `BertEncoder.load_official`."""
        self.bert.load_official(state)


def pad_tokens(sentences: list[list[int]], padding: int = 0) -> tuple[Tensor, Tensor]:
    """Token numbers of several sentences as one batch: tokens (b, w) and mask (b, w)."""
    width = max(len(sentence) for sentence in sentences)
    tokens = torch.full((len(sentences), width), padding, dtype=torch.int64)
    mask = torch.zeros((len(sentences), width), dtype=torch.bool)
    for row, sentence in enumerate(sentences):
        tokens[row, : len(sentence)] = torch.tensor(sentence, dtype=torch.int64)
        mask[row, : len(sentence)] = True
    return tokens, mask
