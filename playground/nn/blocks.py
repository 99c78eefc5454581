"""Residual blocks, and encoders and decoders of images."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 8  # of every group norm


def zero_init(layer: nn.Module) -> nn.Module:
    """Initialize a layer to zero, so that its residual block starts as the identity, and return it."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an adaptive group norm: the embedding scales and shifts each channel.

    Dhariwal and Nichol 2021, "Diffusion Models Beat GANs", section 3 (AdaGN). Without an embedding (emb_dim = 0)
    the norm learns a constant scale and shift.
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
        """Map x (B, c_in, H, W) and the embedding (B, emb_dim) to features (B, c_out, H, W)."""
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))  # (B, c_out, H, W)
        if self.modulation is not None and emb is not None:
            scale, shift = self.modulation(F.silu(emb))[:, :, None, None].chunk(2, dim=1)  # (B, c_out, 1, 1)
            h = h * (1 + scale) + shift
        h = self.conv2(self.dropout(F.silu(h)))
        return self.skip(x) + h


def encoder_layers(channels: int, width: int, multipliers: Sequence[int], blocks: int, patch: int) -> list[nn.Module]:
    """Build the layers from images (B, channels, H, W) to features (B, C, h, w), C = width * multipliers[-1].

    `patch` x `patch` pixels are folded into channels, and the resolution halves from each level to the next.
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


def decoder_layers(channels: int, width: int, multipliers: Sequence[int], blocks: int, patch: int) -> list[nn.Module]:
    """Build the layers from features back to images, in the opposite order of `encoder_layers`."""
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
