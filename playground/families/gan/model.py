"""Generative adversarial networks. Goodfellow 2014, "Generative Adversarial Nets".

A generator maps a code z ~ N(0, I) to an image; a discriminator returns a logit, high for data. Both are small
convolutional networks after DCGAN (Radford 2016), the same for every loss of `playground.families.gan.losses`. Shapes:
B batch, Z dimensions of z, classes y (B,).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.families.gan import losses
from playground.families.gan.losses import MinibatchDiscrimination
from playground.nn.blocks import GROUPS
from playground.runtime import validation

BASE_SIZE = 4  # width and height of the first feature map
N_LOGITS = 256  # logits stored in a checkpoint, of data and of samples


@dataclass(frozen=True)
class Config:
    """Configuration of both networks."""

    channels: int = 1  # Channels of the images.
    latent: int = 32  # Dimensions of z.
    widths: Sequence[int] = (88, 64, 32)  # Channels at 4x4, 8x8, ...; the images have twice the last resolution.
    classes: int = 0  # Number of classes to condition on; 0 for none.
    progressive: bool = False  # Have inputs and outputs at every resolution, for progressive growing (Karras 2018).
    spectral: bool = False  # Apply spectral normalization to D.
    kernels: int = 0  # Kernels of minibatch discrimination; 0 for none.

    def __post_init__(self) -> None:
        if not isinstance(self.widths, (list, tuple)) or not 1 <= len(self.widths) <= 6:
            raise validation.UserError("widths must be a list of 1 to 6 whole numbers")
        widths = tuple(validation.check_integer("widths", width, GROUPS, 1024) for width in self.widths)
        if any(width % GROUPS for width in widths):
            raise validation.UserError(f"widths must be multiples of {GROUPS}")
        validation.set_frozen(self, widths=widths)
        validation.check_flag("progressive", self.progressive)
        validation.check_flag("spectral", self.spectral)
        bounds = {"channels": (1, 16), "latent": (1, 1024), "classes": (0, 1000), "kernels": (0, 256)}
        validation.check_bounds(self, bounds)

    @property
    def stages(self) -> int:
        """Return the number of resolutions, from 4x4 to that of the images."""
        return len(self.widths) + 1

    @property
    def size(self) -> int:
        """Return the width and height of the images in pixels."""
        return BASE_SIZE * 2 ** len(self.widths)


class GrowthStage(NamedTuple):
    """Stage of progressive growing."""

    level: int  # current resolution, 0 for 4x4
    alpha: float = 1.0  # weight of that resolution while it is faded in, from 0 to 1


class Generator(nn.Module):
    """Generator: codes and classes -> images. Each block doubles the resolution, and so does the last output."""

    def __init__(self, config: Config):
        super().__init__()
        self.classes, self.full = config.classes, GrowthStage(len(config.widths))
        first = config.widths[0]
        self.start = nn.Sequential(
            nn.Linear(config.latent + config.classes, first * BASE_SIZE**2),
            nn.Unflatten(1, (first, BASE_SIZE, BASE_SIZE)),
            nn.GroupNorm(GROUPS, first), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.blocks = nn.ModuleList(_up(*pair) for pair in pairwise(config.widths))
        smaller = [nn.Conv2d(width, config.channels, 1) for width in config.widths if config.progressive]
        last = nn.ConvTranspose2d(config.widths[-1], config.channels, 4, stride=2, padding=1)
        self.outputs = nn.ModuleList([*smaller, last])

    def forward(self, z: Tensor, y: Tensor | None = None, stage: GrowthStage | None = None) -> Tensor:
        """Map z (B, Z), y (B,) to images (B, C, H, W) in [-1, 1], smaller ones at an early stage."""
        if self.classes:
            z = torch.cat([z, F.one_hot(_require_classes(y), self.classes).to(z)], dim=1)
        level, alpha = stage or self.full
        maps = [self.start(z)]  # (B, widths[i], 4 * 2^i, 4 * 2^i)
        for block in self.blocks[:level]:
            maps.append(block(maps[-1]))
        x = self.outputs[level - self.full.level - 1](maps[-1])
        if alpha < 1:
            smaller = self.outputs[level - self.full.level - 2](maps[level - 1])
            x = torch.lerp(F.interpolate(smaller, scale_factor=2), x, alpha)
        return torch.tanh(x)


class Discriminator(nn.Module):
    """Discriminator: images and classes -> logits. It mirrors the generator, but without normalization layers.

    Statistics over a batch would invalidate a penalty on the gradient of each image (Gulrajani 2017, section 4).
    """

    def __init__(self, config: Config):
        super().__init__()
        widths, self.full = config.widths, GrowthStage(len(config.widths))
        smaller = [
            nn.Sequential(nn.Conv2d(config.channels, width, 1), nn.LeakyReLU(0.2))
            for width in widths
            if config.progressive
        ]
        first = nn.Sequential(nn.Conv2d(config.channels, widths[-1], 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        self.inputs = nn.ModuleList([*smaller, first])
        self.blocks = nn.ModuleList(_down(b, a) for a, b in pairwise(widths))
        features = widths[0] * BASE_SIZE**2
        self.flat = nn.Sequential(nn.Flatten())
        if config.kernels:
            self.flat.append(MinibatchDiscrimination(features, config.kernels))
        self.head = nn.Linear(features + config.kernels, 1)
        self.embed = nn.Linear(config.classes, features + config.kernels, bias=False) if config.classes else None
        if config.spectral:
            losses.apply_spectral_norm(self)

    def features(self, x: Tensor, stage: GrowthStage | None = None) -> Tensor:
        """Return the penultimate layer (B, F) for images (B, C, H, W)."""
        level, alpha = stage or self.full
        h = self.inputs[level - self.full.level - 1](x)
        if 0 < level < self.full.level:
            h = self.blocks[level - 1](h)
        if alpha < 1:
            smaller = self.inputs[level - self.full.level - 2](F.avg_pool2d(x, 2))
            h = torch.lerp(smaller, h, alpha)
        for i in reversed(range(level - 1)):
            h = self.blocks[i](h)
        return self.flat(h)

    def forward(self, x: Tensor, y: Tensor | None = None, stage: GrowthStage | None = None) -> Tensor:
        """Return logits (B,) for images x (B, C, H, W) and classes y (B,).

        Classes are conditioned on by projection: Miyato and Koyama 2018, "cGANs with Projection Discriminator", eq. 3.
        """
        f = self.features(x, stage)
        logits = self.head(f)[:, 0]
        if self.embed is not None:
            rows = self.embed(F.one_hot(_require_classes(y), self.embed.in_features).to(f))
            logits = logits + (rows * f).sum(1)
        return logits.float()


class ConditionedDiscriminator(nn.Module):
    """Discriminator with fixed classes y (B,) and stage: a function of images alone."""

    def __init__(self, d: Discriminator, y: Tensor | None, stage: GrowthStage | None):
        super().__init__()
        self.d, self.y, self.stage = d, y, stage

    def features(self, x: Tensor) -> Tensor:
        """Return the penultimate layer (B, F) for images (B, C, H, W)."""
        return self.d.features(x, self.stage)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) to logits (B,)."""
        return self.d(x, self.y, self.stage)


def _require_classes(y: Tensor | None) -> Tensor:
    if y is None:
        raise validation.UserError("this model needs a class for every picture")
    return y


def _up(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1), nn.GroupNorm(GROUPS, c_out), nn.LeakyReLU(0.2),
        nn.Conv2d(c_out, c_out, 3, padding=1), nn.GroupNorm(GROUPS, c_out), nn.LeakyReLU(0.2),
    )  # fmt: skip


def _down(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_in, 3, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(c_in, c_out, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
    )  # fmt: skip


class Model(nn.Module):
    """Generator and discriminator."""

    # Sorted logits of test images and of samples (N_LOGITS,), measured after training.
    real_logits: Tensor
    fake_logits: Tensor

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.generator = Generator(config)
        self.discriminator = Discriminator(config)
        self.register_buffer("real_logits", torch.zeros(N_LOGITS))
        self.register_buffer("fake_logits", torch.zeros(N_LOGITS))


@torch.no_grad()
def discriminator_logits(model: Model, x: Tensor) -> Tensor:
    """Return D's logits (B,) for images (B, C, H, W); of a conditional D the largest over all classes."""
    if not model.config.classes:
        return model.discriminator(x)
    classes = (torch.full((len(x),), y, device=x.device) for y in range(model.config.classes))
    return torch.stack([model.discriminator(x, y) for y in classes]).amax(0)
