"""Building blocks of the networks: embeddings, residual block, attention, U-Net.

Shapes are written as B batch, C channels, H height, W width, D embedding. Nothing here knows what the
network predicts or how it is trained.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 8  # of every group normalisation


def sinusoidal_embedding(t: Tensor, dim: int, max_period: float = 10_000.0) -> Tensor:
    """Embed t (B,) as cosines and sines of geometrically spaced frequencies (Vaswani 2017): (B, dim)."""
    half = dim // 2
    frequencies = torch.exp(-math.log(max_period) * torch.arange(half, device=t.device) / half)
    angles = t.float()[:, None] * frequencies  # (B, dim / 2)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def zero_init(layer: nn.Module) -> nn.Module:
    """Start a layer at zero, so that the block it closes starts as the identity."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an adaptive group norm: the embedding scales and shifts each channel.

    Dhariwal and Nichol 2021, "Diffusion Models Beat GANs", section 3 (AdaGN). Without an embedding (emb_dim = 0)
    the norm has a scale and shift of its own.
    """

    def __init__(self, c_in: int, c_out: int, emb_dim: int = 0, dropout: float = 0.0):
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, c_in)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.modulation = nn.Linear(emb_dim, 2 * c_out) if emb_dim else None
        self.norm2 = nn.GroupNorm(GROUPS, c_out, affine=not emb_dim)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = zero_init(nn.Conv2d(c_out, c_out, 3, padding=1))
        self.skip = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1)

    def forward(self, x: Tensor, emb: Tensor | None = None) -> Tensor:
        """x (B, c_in, H, W), emb (B, emb_dim) -> (B, c_out, H, W)."""
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))  # (B, c_out, H, W)
        if self.modulation is not None and emb is not None:
            scale, shift = self.modulation(F.silu(emb))[:, :, None, None].chunk(2, dim=1)  # (B, c_out, 1, 1)
            h = h * (1 + scale) + shift
        h = self.conv2(self.dropout(F.silu(h)))
        return self.skip(x) + h


def contracting(channels: int, width: int, multipliers: Sequence[int], blocks: int, patch: int) -> list[nn.Module]:
    """Layers from images (B, channels, H, W) to features (B, C, h, w), C = width * multipliers[-1].

    `patch` x `patch` pixels are folded into channels, and the resolution halves from a level to the next.
    """
    layers: list[nn.Module] = [nn.PixelUnshuffle(patch), nn.Conv2d(channels * patch**2, width, 3, padding=1)]
    c = width
    for level, multiplier in enumerate(multipliers):
        if level:
            layers.append(nn.Conv2d(c, c, 3, stride=2, padding=1))
        for _ in range(blocks):
            layers.append(ResidualBlock(c, width * multiplier))
            c = width * multiplier
    return [*layers, nn.GroupNorm(GROUPS, c), nn.SiLU()]


def expanding(channels: int, width: int, multipliers: Sequence[int], blocks: int, patch: int) -> list[nn.Module]:
    """Layers back from such features to images, the mirror of `contracting`."""
    layers: list[nn.Module] = []
    c = width * multipliers[-1]
    for level, multiplier in reversed(list(enumerate(multipliers))):
        for _ in range(blocks):
            layers.append(ResidualBlock(c, width * multiplier))
            c = width * multiplier
        if level:
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(c, c, 3, padding=1)]
    last = nn.Conv2d(c, channels * patch**2, 3, padding=1)
    return [*layers, nn.GroupNorm(GROUPS, c), nn.SiLU(), last, nn.PixelShuffle(patch)]


class SelfAttention(nn.Module):
    """Multi-head self-attention over the H x W places of a feature map, with a residual connection."""

    def __init__(self, channels: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = zero_init(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) -> (B, C, H, W)."""
        b, c, height, width = x.shape
        qkv = self.qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, height * width)
        q, k, v = qkv.transpose(-1, -2).unbind(1)  # each (B, heads, H W, C / heads)
        # Written out: on a CPU, torch's fused attention takes many times as long to train at so few places.
        attention = (q @ k.transpose(-1, -2) / math.sqrt(c // self.heads)).softmax(-1)  # (B, heads, H W, H W)
        h = attention.to(v.dtype) @ v
        return x + self.out(h.transpose(-1, -2).reshape(b, c, height, width))


class Context(NamedTuple):
    """What a picture attends to: states (B, L, D) of tokens, and which of them there are, bool (B, L)."""

    states: Tensor
    there: Tensor


# Which attention layer, and its attention (B, heads, H W, L) -> the attention to go on with.
Control = Callable[[int, Tensor], Tensor]


class CrossAttention(nn.Module):
    """Multi-head attention of the H x W places of a feature map to tokens, with a residual connection.

    Rombach 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", section 3.3.
    """

    def __init__(self, channels: int, context_dim: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.kv = nn.Linear(context_dim, 2 * channels)
        self.out = zero_init(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor, context: Context, control: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """x (B, C, H, W) -> (B, C, H, W); `control` may look at the attention (B, heads, H W, L), and change it."""
        b, c, height, width = x.shape
        q = self.q(self.norm(x)).reshape(b, self.heads, c // self.heads, height * width).transpose(-1, -2)
        k, v = self.kv(context.states).reshape(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        logits = q @ k.transpose(-1, -2) / math.sqrt(c // self.heads)  # (B, heads, H W, L)
        attention = logits.masked_fill(~context.there[:, None, None], -math.inf).softmax(-1)
        if control:
            attention = control(attention)
        h = attention.to(v.dtype) @ v  # (B, heads, H W, C / heads)
        return x + self.out(h.transpose(-1, -2).reshape(b, c, height, width))


class Stage(nn.Module):
    """A residual block and, where asked for, self-attention and cross-attention after it."""

    def __init__(self, c_in: int, c_out: int, emb_dim: int, attention: bool, dropout: float, context_dim: int = 0):
        super().__init__()
        self.block = ResidualBlock(c_in, c_out, emb_dim, dropout)
        self.attention = SelfAttention(c_out) if attention else nn.Identity()
        self.cross = CrossAttention(c_out, context_dim) if context_dim else None

    def forward(
        self, x: Tensor, emb: Tensor, context: Context | None = None, control: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        h = self.attention(self.block(x, emb))
        return h if self.cross is None or context is None else self.cross(h, context, control)


class UNet(nn.Module):
    """A U-Net (Ronneberger 2015) on pixel-unshuffled images, with self-attention at its lowest resolution.

    The stem folds `patch` x `patch` pixels into channels and the head unfolds them, so that all the
    work is done at 1 / patch of the resolution: on a CPU the cheapest way to be fast.

    Args:
        channels: of the image, in and out.
        width: channels at the highest resolution; a level has `width * multiplier`, a multiple of 8.
        multipliers: one for each level; the resolution halves from a level to the next.
        blocks: residual blocks of a level, on the way down and on the way up.
        context_dim: of the states of tokens that every block attends to; 0 for none.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        multipliers: Sequence[int],
        blocks: int,
        emb_dim: int,
        patch: int = 1,
        dropout: float = 0.0,
        context_dim: int = 0,
    ):
        super().__init__()
        self.patch = patch
        widths = [width * m for m in multipliers]
        lowest = len(widths) - 1
        self.stem = nn.Conv2d(channels * patch**2, width, 3, padding=1)
        self.down = nn.ModuleList()
        c = width
        for level, c_out in enumerate(widths):
            for _ in range(blocks):
                self.down.append(Stage(c, c_out, emb_dim, level == lowest, dropout, context_dim))
                c = c_out
            if level != lowest:
                self.down.append(nn.Conv2d(c, c, 3, stride=2, padding=1))
        self.middle = nn.ModuleList(Stage(c, c, emb_dim, first, dropout, context_dim) for first in (True, False))
        self.up = nn.ModuleList()
        for level, c_out in reversed(list(enumerate(widths))):
            for _ in range(blocks):  # each takes the output of its mirror image on the way down
                self.up.append(Stage(c + c_out, c_out, emb_dim, level == lowest, dropout, context_dim))
                c = c_out
            if level != 0:
                self.up.append(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(c, c, 3, padding=1)))
        self.head = nn.Sequential(
            nn.GroupNorm(GROUPS, c),
            nn.SiLU(),
            zero_init(nn.Conv2d(c, channels * patch**2, 3, padding=1)),
        )

    def forward(self, x: Tensor, emb: Tensor, context: Context | None = None, control: Control | None = None) -> Tensor:
        """x (B, C, H, W), emb (B, emb_dim) -> (B, C, H, W); `control` is told of each cross-attention, in order."""
        place = itertools.count()

        def run(stage: nn.Module, h: Tensor) -> Tensor:
            return stage(h, emb, context, partial(control, next(place)) if control else None)

        h = self.stem(F.pixel_unshuffle(x, self.patch))  # (B, width, H / patch, W / patch)
        skips = []
        for layer in self.down:
            if isinstance(layer, Stage):
                h = run(layer, h)
                skips.append(h)
            else:
                h = layer(h)
        for stage in self.middle:
            h = run(stage, h)
        for layer in self.up:
            h = run(layer, torch.cat([h, skips.pop()], dim=1)) if isinstance(layer, Stage) else layer(h)
        return F.pixel_shuffle(self.head(h), self.patch)  # (B, C, H, W)
