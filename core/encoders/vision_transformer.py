"""The pre-norm transformer blocks that PaSST and ATST-Frame share (ViT-B, Dosovitskiy et al. 2021).

Shape legend: b batch, s tokens, d width. Parameter names are those of timm, which both checkpoints have.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from core.encoders.stochastic_depth import drop_branches

NORM_EPS = 1e-6


class Attention(nn.Module):
    """Multi-head self-attention with one matrix for query, key and value."""

    def __init__(self, width: int, heads: int, qkv_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """(b, s, d), mask (b, s) True for tokens that are looked at -> (b, s, d)."""
        batch, count, width = tokens.shape
        query, key, value = (
            self.qkv(tokens).view(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        )
        keys = None if mask is None else mask[:, None, None, :]
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=keys)
        projected: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, count, width))
        return projected


class FeedForward(nn.Module):
    """Two layers with an exact GELU between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(b, s, d) -> (b, s, d)."""
        output: Tensor = self.fc2(gelu(self.fc1(tokens)))
        return output


class Block(nn.Module):
    """Attention and feed-forward, each after a layer norm and added to its input.

    Args:
        width: d.
        heads: Attention heads.
        qkv_bias: Whether query, key and value have biases.
        drop_path: Probability that a clip's branch is left out while training.
    """

    def __init__(self, width: int, heads: int, *, qkv_bias: bool, drop_path: float = 0.0) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.norm1 = nn.LayerNorm(width, eps=NORM_EPS)
        self.attn = Attention(width, heads, qkv_bias)
        self.norm2 = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = FeedForward(width, 4 * width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(b, s, d), mask (b, s) True for tokens that are looked at, or None -> (b, s, d)."""
        tokens = tokens + self._kept(self.attn(self.norm1(tokens), mask))
        return tokens + self._kept(self.mlp(self.norm2(tokens)))

    def _kept(self, branch: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0.0:
            return branch
        return drop_branches(branch, self.drop_path)


def initialise(module: nn.Module) -> None:
    """Fresh parameters as in ViT: truncated normal of deviation .02, biases zero."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d):
            nn.init.trunc_normal_(part.weight, std=0.02)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
