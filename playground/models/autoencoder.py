"""The autoencoder of latent diffusion: pictures of 64x64x3 to latents of 16x16x4 and back.

Rombach 2022, "High-Resolution Image Synthesis with Latent Diffusion Models", section 3.1 and appendix G, regularised by
a small KL divergence. It makes no pictures of its own: a diffusion model draws the latents. Shapes: B batch; a picture
is (B, C, H, W) in [-1, 1], a latent (B, c, h, w).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from playground import elbo, validation
from playground.nets import GROUPS, contracting, expanding


@dataclass(frozen=True)
class Config:
    """What rebuilds the network.

    Attributes:
        size, channels: of the pictures.
        latent: channels of a latent.
        width: channels at the highest resolution; a level has `width * multiplier`, a multiple of 8.
        multipliers: one for each level; the resolution halves from a level to the next.
        blocks: residual blocks of a level.
        patch: side of the squares of pixels that become channels first.
    """

    size: int = 64
    channels: int = 3
    latent: int = 4
    width: int = 128
    multipliers: Sequence[int] = (1,)
    blocks: int = 3
    patch: int = 4

    def __post_init__(self) -> None:
        """A config may come from a file of unknown origin: what it asks for is bounded before anything is built."""
        validation.levelled(self, _BOUNDS, GROUPS)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a latent, (c, h, w)."""
        side = self.size // self.patch // 2 ** (len(self.multipliers) - 1)
        return self.latent, side, side


_BOUNDS = {"size": (1, 256), "channels": (1, 16), "latent": (1, 64), "width": (8, 1024), "blocks": (1, 8),
           "patch": (1, 32)}  # fmt: skip


class Model(nn.Module):
    """Encoder and decoder.

    Attributes:
        shift, scale: of each channel of the latents (c, 1, 1), so that z has mean 0 and variance 1 on the training
            data; measured after training (Rombach 2022, appendix G).
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        levels = config.channels, config.width, config.multipliers, config.blocks, config.patch
        c = config.width * config.multipliers[-1]
        self.encoder = nn.Sequential(*contracting(*levels), nn.Conv2d(c, 2 * config.latent, 3, padding=1))
        self.decoder = nn.Sequential(nn.Conv2d(config.latent, c, 3, padding=1), *expanding(*levels))
        self.register_buffer("shift", torch.zeros(config.latent))
        self.register_buffer("scale", torch.ones(config.latent))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, C, H, W) -> mean and log variance of their latents before they are scaled, each (B, c, h, w)."""
        mu, log_var = self.encoder(x).float().chunk(2, dim=1)
        return mu, log_var.clamp(-30, 20)

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (B, C, H, W) -> the means of their latents z (B, c, h, w), of variance 1."""
        return (self.posterior(x)[0] - self.shift[:, None, None]) / self.scale[:, None, None]

    def decode(self, z: Tensor) -> Tensor:
        """Latents z (B, c, h, w) of variance 1 -> pictures (B, C, H, W), a little beyond [-1, 1] where it errs."""
        return self.decoder(z * self.scale[:, None, None] + self.shift[:, None, None]).float()

    def forward(self, x: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (B, C, H, W) and noise (B, c, h, w) -> what is made of them, and KL(q(z|x) || N(0, I)) (B,)."""
        mu, log_var = self.posterior(x)
        z = mu + (log_var / 2).exp() * eps
        return self.decoder(z).float(), elbo.standard_kl(mu, log_var).flatten(1).sum(1)


def loss(model: nn.Module, x: Tensor, generator: torch.Generator, kl_weight: float = 1e-4) -> Tensor:
    """Mean |error| + error^2 of a value of pictures x (B, C, H, W) in [-1, 1], plus the KL divergence of a value of
    their latents times `kl_weight`: a scalar.

    Args:
        model: a `Model`, or one wrapped for several processes.
        generator: on the CPU, the only source of randomness here.
    """
    inner = cast(Model, getattr(model, "module", model))
    eps = torch.randn(len(x), *inner.config.shape, generator=generator).to(x)
    made, kl = model(x, eps)
    error = made - x
    return error.abs().mean() + error.square().mean() + kl_weight * kl.mean() / eps[0].numel()
