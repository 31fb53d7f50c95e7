"""Multi-head attention with its parameters under the names that PyTorch's own module gives them.

Keys and values can be made once and used for many queries, which generation and scoring live on.

Shape legend: b batch, q queries, k keys, d width, h heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention


class Attention(nn.Module):
    """Scaled dot-product attention, equal to `nn.MultiheadAttention` with the same state dict.

    Args:
        width: d.
        heads: h; divides d.
        dropout: Of the attention weights while training.
    """

    def __init__(self, *, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def split(self, rows: Tensor) -> Tensor:
        """(b, n, d) -> (b, h, n, d / h)."""
        return rows.view(*rows.shape[:-1], self.heads, -1).transpose(-3, -2)

    def queries(self, source: Tensor) -> Tensor:
        """(b, q, d) -> (b, h, q, d / h)."""
        width = source.shape[-1]
        return self.split(linear(source, self.in_proj_weight[:width], self.in_proj_bias[:width]))

    def keys_values(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """(b, k, d) -> two of (b, h, k, d / h)."""
        width = source.shape[-1]
        both = linear(source, self.in_proj_weight[width:], self.in_proj_bias[width:])
        keys, values = both.chunk(2, dim=-1)
        return self.split(keys), self.split(values)

    def all_three(self, source: Tensor) -> Tensor:
        """Queries, keys and values side by side: (b, n, d) -> (b, n, 3 d)."""
        return linear(source, self.in_proj_weight, self.in_proj_bias)

    def mix(
        self, queries: Tensor, keys: Tensor, values: Tensor, *, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """Attend, before the output projection: (b, h, q, d / h) -> (b, q, d).

        Args:
            queries: (b, h, q, d / h).
            keys: (b, h, k, d / h).
            values: (b, h, k, d / h).
            mask: Broadcast to (b, h, q, k); True where a query may look.
            causal: Query i sees keys up to i; not together with a mask.
        """
        dropout = self.dropout if self.training else 0.0
        mixed = scaled_dot_product_attention(queries, keys, values, attn_mask=mask, dropout_p=dropout, is_causal=causal)
        return mixed.transpose(-3, -2).flatten(-2)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, *, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """`mix` and the output projection, (b, q, d)."""
        mixed: Tensor = self.out_proj(self.mix(queries, keys, values, mask=mask, causal=causal))
        return mixed
