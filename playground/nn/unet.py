"""U-Net for images (B, C, H, W), whatever it predicts and however it is trained."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.nn.attention import AttentionHook, Context, CrossAttention, SelfAttention
from playground.nn.blocks import GROUPS, ResidualBlock, zero_init


class UNetBlock(nn.Module):
    """Residual block with optional self-attention and cross-attention after it."""

    def __init__(self, c_in: int, c_out: int, emb_dim: int, attention: bool, dropout: float, context_dim: int = 0):
        super().__init__()
        self.block = ResidualBlock(c_in, c_out, emb_dim, dropout)
        self.attention = SelfAttention(c_out) if attention else nn.Identity()
        self.cross = CrossAttention(c_out, context_dim) if context_dim else None

    def forward(
        self, x: Tensor, emb: Tensor, context: Context | None = None, hook: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Map x (B, c_in, H, W) and the embedding (B, emb_dim) to features (B, c_out, H, W); see
        `CrossAttention.forward`."""
        h = self.attention(self.block(x, emb))
        return h if self.cross is None or context is None else self.cross(h, context, hook)


class UNet(nn.Module):
    """U-Net (Ronneberger 2015) on pixel-unshuffled images, with self-attention at its lowest resolution.

    The stem folds `patch` x `patch` pixels into channels and the head unfolds them: all layers between work at
    1 / patch of the resolution, which makes them fast on a CPU.

    Args:
        channels: Number of channels of the image, in and out.
        width: Number of channels at the highest resolution; a level has `width * multiplier`, a multiple of 8.
        multipliers: One for each level; the resolution halves from each level to the next.
        blocks: Number of residual blocks of a level, on the way down and on the way up.
        emb_dim: Size of the embedding that modulates every block.
        patch: Side of the squares of pixels that are folded into channels.
        dropout: Share of the activations that a residual block drops in training.
        context_dim: Size of the states of the tokens that every block attends to; 0 for none.
        fine_width: Number of channels of one more block, at the full resolution of the image; 0 for none.
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
        fine_width: int = 0,
    ):
        super().__init__()
        self.patch = patch
        widths = [width * m for m in multipliers]
        last = len(widths) - 1
        self.stem = nn.Conv2d(channels * patch**2, width, 3, padding=1)
        self.down = nn.ModuleList()
        c = width
        for level, c_out in enumerate(widths):
            for _ in range(blocks):
                self.down.append(UNetBlock(c, c_out, emb_dim, level == last, dropout, context_dim))
                c = c_out
            if level != last:
                self.down.append(nn.Conv2d(c, c, 3, stride=2, padding=1))
        self.middle = nn.ModuleList(UNetBlock(c, c, emb_dim, first, dropout, context_dim) for first in (True, False))
        self.up = nn.ModuleList()
        for level, c_out in reversed(list(enumerate(widths))):
            for _ in range(blocks):  # its input is joined with the output of its counterpart on the way down
                self.up.append(UNetBlock(c + c_out, c_out, emb_dim, level == last, dropout, context_dim))
                c = c_out
            if level != 0:
                self.up.append(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(c, c, 3, padding=1)))
        self.fine = None
        if fine_width:
            self.unfold = _unfold(c, fine_width, patch)
            self.fine = UNetBlock(fine_width, fine_width, emb_dim, False, dropout, context_dim)
            c, patch = fine_width, 1
        self.head = _unfold(c, channels, patch)
        zero_init(self.head[2])

    def forward(
        self, x: Tensor, emb: Tensor, context: Context | None = None, hook: AttentionHook | None = None
    ) -> Tensor:
        """Map x (B, C, H, W) and the embedding (B, emb_dim) to an output (B, C, H, W).

        Args:
            context: Tokens that every block attends to.
            hook: Called by the cross-attention of each block, in order.
        """
        layer_index = itertools.count()

        def run(block: nn.Module, h: Tensor) -> Tensor:
            return block(h, emb, context, partial(hook, next(layer_index)) if hook else None)

        h = self.stem(F.pixel_unshuffle(x, self.patch))  # (B, width, H / patch, W / patch)
        skips = []
        for layer in self.down:
            if isinstance(layer, UNetBlock):
                h = run(layer, h)
                skips.append(h)
            else:
                h = layer(h)
        for block in self.middle:
            h = run(block, h)
        for layer in self.up:
            h = run(layer, torch.cat([h, skips.pop()], dim=1)) if isinstance(layer, UNetBlock) else layer(h)
        if self.fine:
            h = run(self.fine, self.unfold(h))  # (B, fine_width, H, W)
        return self.head(h)  # (B, C, H, W)


def _unfold(c_in: int, c_out: int, patch: int) -> nn.Sequential:
    """Return layers from features (B, c_in, H / patch, W / patch) to features (B, c_out, H, W)."""
    convolution = nn.Conv2d(c_in, c_out * patch**2, 3, padding=1)
    return nn.Sequential(nn.GroupNorm(GROUPS, c_in), nn.SiLU(), convolution, nn.PixelShuffle(patch))
