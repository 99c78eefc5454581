"""The judge: a small classifier of digits, whose features measure the distance of samples from real digits.

The evaluation uses its predictions and compares sets of images by its penultimate features. It is trained on shifted,
rotated, blurred and noisy digits; otherwise its features would respond to noise that no eye can see.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.nn.blocks import GROUPS
from playground.runtime.validation import UserError, check_bounds


@dataclass(frozen=True)
class Config:
    """Configuration of a classifier."""

    channels: int = 1  # Channels of the images, whose height and width can be any multiples of 8.
    classes: int = 10  # Number of classes.
    width: int = 32  # Channels after the first convolution, a multiple of 8; there are 4 times as many features.

    def __post_init__(self) -> None:
        check_bounds(self, {"channels": (1, 64), "classes": (1, 10_000), "width": (8, 1024)})
        if self.width % GROUPS:
            raise UserError(f"width must be a multiple of {GROUPS}, not {self.width}")


class Model(nn.Module):
    """Classifier of four convolutions, average pooling and a linear layer."""

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
        self.head = nn.Linear(4 * width, config.classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the penultimate layer (B, 4 width), non-negative, for images x (B, C, H, W)."""
        return self.net(x)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, classes) for images x (B, C, H, W) in [-1, 1]."""
        return self.head(self.features(x))


def _convolution(c_in: int, c_out: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, stride, padding=kernel // 2), nn.GroupNorm(GROUPS, c_out), nn.ReLU()
    )


def loss(model: nn.Module, x: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
    """Return the cross-entropy of augmented images x (B, C, H, W) in [-1, 1] of classes y (B,), a scalar."""
    return F.cross_entropy(model(augment(x, rng)).float(), y)


def augment(x: Tensor, rng: torch.Generator) -> Tensor:
    """Rotate, scale, shift, blur and add noise to each image (B, C, H, W) by a random amount, which keeps its class.

    The largest amounts are 10 degrees, 10 percent, 2 pixels of 32, half of a 3x3 mean, and a noise of standard
    deviation 0.1.
    """
    b = len(x)
    angle, scale, blur, sigma = torch.rand(4, b, 1, 1, 1, generator=rng).to(x.device)
    shift = torch.rand(b, 2, 1, generator=rng).to(x.device)
    x = warp(x, (2 * angle - 1).view(b) * math.radians(10), 1 + 0.1 * (2 * scale - 1).view(b), (2 * shift - 1) / 8)
    x = x + blur / 2 * (F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False) - x)
    return x + 0.1 * sigma * torch.randn(x.shape, generator=rng).to(x)


def warp(x: Tensor, angle: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Apply an affine map to each image: angle, scale (B,); shift (B, 2, 1) in units of half the width."""
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rotation = torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)
    grid = F.affine_grid(torch.cat([rotation, shift], dim=2), list(x.shape), align_corners=False)
    return F.grid_sample(x + 1, grid, align_corners=False) - 1
