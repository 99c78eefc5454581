"""The judge: a small classifier of digits, whose features tell how far samples are from real digits.

It makes no pictures. `train.evaluate` counts the digits that it reads as asked, and compares sets of pictures in
its penultimate features. It learns from shifted, turned, blurred and noisy digits, because a judge that never saw
noise counts what no eye sees.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.nets import GROUPS


@dataclass(frozen=True)
class Config:
    """What rebuilds the network.

    Attributes:
        channels: of the images, whose height and width are free (multiples of 8).
        classes: number of classes.
        width: channels after the first convolution; the features are 4 times as many.
    """

    channels: int = 1
    classes: int = 10
    width: int = 32


class Model(nn.Module):
    """Four convolutions, a mean over the picture, a linear read-out."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        width = config.width
        self.net = nn.Sequential(
            _convolution(config.channels, width, kernel=5, stride=2),  # (B, W, 16, 16) of a 32x32 digit
            _convolution(width, 2 * width),
            nn.MaxPool2d(2),  # (B, 2 W, 8, 8)
            _convolution(2 * width, 2 * width),
            nn.MaxPool2d(2),  # (B, 2 W, 4, 4)
            _convolution(2 * width, 4 * width),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.read = nn.Linear(4 * width, config.classes)

    def features(self, x: Tensor) -> Tensor:
        """The penultimate layer, in which sets of pictures are compared: x (B, C, H, W) -> (B, 4 width), from 0 on."""
        return self.net(x)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) in [-1, 1] -> logits (B, classes)."""
        return self.read(self.features(x))


def _convolution(c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2), nn.GroupNorm(GROUPS, c_out), nn.ReLU()
    )


def loss(model: nn.Module, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Cross-entropy of disturbed images x (B, C, H, W) in [-1, 1] of the classes y (B,), a scalar."""
    return F.cross_entropy(model(disturb(x, generator)).float(), y)


def disturb(x: Tensor, generator: torch.Generator) -> Tensor:
    """Turn, scale, shift, blur and add noise to each image (B, C, H, W) by an amount of its own: still the same digit.

    Up to 10 degrees, 10 percent, 2 pixels of 32, half of a 3x3 mean, and noise of standard deviation 0.1.

    Args:
        generator: on the CPU, the only source of randomness here.
    """
    b = len(x)
    angle, scale, blur, sigma = torch.rand(4, b, 1, 1, 1, generator=generator).to(x.device)
    shift = torch.rand(b, 2, 1, generator=generator).to(x.device)
    x = _move(x, (2 * angle - 1).view(b) * math.radians(10), 1 + 0.1 * (2 * scale - 1).view(b), (2 * shift - 1) / 8)
    x = x + blur / 2 * (F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False) - x)
    return x + 0.1 * sigma * torch.randn(x.shape, generator=generator).to(x)


def _move(x: Tensor, angle: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Affine map of each image, what comes in is black. angle, scale (B,); shift (B, 2, 1), half the width is 1."""
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rotation = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)
    where = F.affine_grid(torch.cat([rotation, shift], dim=2), list(x.shape), align_corners=False)
    return F.grid_sample(x + 1, where, align_corners=False) - 1
