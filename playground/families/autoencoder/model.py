"""The autoencoder of latent diffusion: images of 64x64x3 to latents of 16x16x4 and back.

Rombach 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", section 3.1 and appendix G, regularized by
a small KL divergence. A diffusion model samples the latents. Shapes: B batch; images (B, C, H, W) in [-1, 1], latents
(B, c, h, w).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from playground.families.vae import elbo
from playground.nn.blocks import decoder_layers, encoder_layers
from playground.nn.config import check_unet_config


@dataclass(frozen=True)
class Config:
    """Configuration of an autoencoder."""

    size: int = 64  # Width and height of the images in pixels.
    channels: int = 3  # Channels of the images.
    latent: int = 4  # Channels of the latents.
    width: int = 128  # Channels at the highest resolution; a level has `width * multiplier`, a multiple of 8.
    multipliers: Sequence[int] = (1,)  # One for each level; the resolution halves from a level to the next.
    blocks: int = 3  # Residual blocks per level.
    patch: int = 4  # Width and height of the patches that become channels first.

    def __post_init__(self) -> None:
        check_unet_config(self, _BOUNDS)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Return the shape of a latent, (c, h, w)."""
        side = self.size // self.patch // 2 ** (len(self.multipliers) - 1)
        return self.latent, side, side


_BOUNDS = {"size": (1, 256), "channels": (1, 16), "latent": (1, 64), "width": (8, 1024), "blocks": (1, 8),
           "patch": (1, 32)}  # fmt: skip


class Model(nn.Module):
    """Encoder and decoder."""

    # Mean and standard deviation of each channel of the latents on the training data (c,), by which `encode` normalizes
    # z; measured after training (Rombach 2022, appendix G).
    shift: Tensor
    scale: Tensor

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        levels = config.channels, config.width, config.multipliers, config.blocks, config.patch
        c = config.width * config.multipliers[-1]
        self.encoder = nn.Sequential(*encoder_layers(*levels), nn.Conv2d(c, 2 * config.latent, 3, padding=1))
        self.decoder = nn.Sequential(nn.Conv2d(config.latent, c, 3, padding=1), *decoder_layers(*levels))
        self.register_buffer("shift", torch.zeros(config.latent))
        self.register_buffer("scale", torch.ones(config.latent))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latents of images, before normalization, each (B, c, h, w)."""
        mu, log_var = self.encoder(x).float().chunk(2, dim=1)
        return mu, log_var.clamp(-30, 20)

    def encode(self, x: Tensor) -> Tensor:
        """Return the normalized latents z (B, c, h, w) of images (B, C, H, W): the means of q(z|x)."""
        return (self.posterior(x)[0] - self.shift[:, None, None]) / self.scale[:, None, None]

    def decode(self, z: Tensor) -> Tensor:
        """Decode normalized latents z (B, c, h, w) to images (B, C, H, W); values may slightly exceed [-1, 1]."""
        return self.decoder(z * self.scale[:, None, None] + self.shift[:, None, None]).float()

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Return the reconstructions of images x for noise eps (B, c, h, w), and KL(q(z|x) || N(0, I)) (B,)."""
        mu, log_var = self.posterior(x)
        z = mu + (log_var / 2).exp() * eps
        return self.decoder(z).float(), elbo.standard_kl(mu, log_var).flatten(1).sum(1)


def loss(model: nn.Module, x: Tensor, rng: torch.Generator, kl_weight: float = 1e-4) -> Tensor:
    """Return the mean of |error| + error^2 per pixel value of images x (B, C, H, W) in [-1, 1], plus `kl_weight` times
    the KL per latent value, a scalar."""
    inner = cast(Model, getattr(model, "module", model))
    eps = torch.randn(len(x), *inner.config.latent_shape, generator=rng).to(x)
    reconstruction, kl = model(x, eps)
    error = reconstruction - x
    return error.abs().mean() + error.square().mean() + kl_weight * kl.mean() / eps[0].numel()
