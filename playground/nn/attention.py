"""Self-attention over a feature map, and cross-attention from it to tokens."""

import math
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from playground.nn.blocks import GROUPS, zero_init


class SelfAttention(nn.Module):
    """Multi-head self-attention over the H x W positions of a feature map, with a residual connection."""

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = zero_init(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, H, W) with attention to itself added."""
        b, c, height, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, height * width)
        q, k, v = qkv.transpose(-1, -2).unbind(1)  # (B, heads, H W, C / heads)
        # Not torch's fused attention: on a CPU, at so few positions, it takes many times as long to train.
        attention = (q @ k.transpose(-1, -2) / math.sqrt(c // self.heads)).softmax(-1)  # (B, heads, H W, H W)
        h = attention.to(v.dtype) @ v
        return x + self.out(h.transpose(-1, -2).reshape(b, c, height, width))


class Context(NamedTuple):
    """Tokens that an image attends to."""

    states: Tensor  # states of the tokens (B, L, D)
    mask: Tensor  # True for tokens, False for padding, bool (B, L)


# Index of a cross-attention layer and its attention weights (B, heads, H W, L) -> the weights to use instead.
AttentionHook = Callable[[int, Tensor], Tensor]


class CrossAttention(nn.Module):
    """Multi-head attention of the H x W positions of a feature map to tokens, with a residual connection.

    Rombach 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", section 3.3.
    """

    def __init__(self, channels: int, context_dim: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.kv = nn.Linear(context_dim, 2 * channels)
        self.out = zero_init(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor, context: Context, hook: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return x (B, C, H, W) with attention to the context added; `hook` maps the attention weights (B, heads, H W,
        L) to those that are used."""
        b, c, height, width = x.shape
        q = self.q(self.norm(x)).reshape(b, self.heads, c // self.heads, height * width).transpose(-1, -2)
        k, v = self.kv(context.states).reshape(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        logits = q @ k.transpose(-1, -2) / math.sqrt(c // self.heads)  # (B, heads, H W, L)
        attention = logits.masked_fill(~context.mask[:, None, None], -math.inf).softmax(-1)
        if hook:
            attention = hook(attention)
        h = attention.to(v.dtype) @ v  # (B, heads, H W, C / heads)
        return x + self.out(h.transpose(-1, -2).reshape(b, c, height, width))
