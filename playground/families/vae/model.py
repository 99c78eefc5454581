"""The variational autoencoder. Kingma and Welling 2014, "Auto-Encoding Variational Bayes".

x is an image and z its latent code. The encoder gives q(z|x) = N(mu, diag(sigma^2)), the decoder p(x|z), and the prior
is p(z) = N(0, I). All bounds and their terms are in nats per image. Shapes: B batch, Z latent dimensions,
K samples of z per image.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.families.vae import elbo
from playground.families.vae.elbo import VAEOutput
from playground.nn.blocks import decoder_layers, encoder_layers
from playground.nn.config import check_unet_config
from playground.runtime import validation

LIKELIHOODS = ("bernoulli", "gaussian", "learned gaussian")
Prior = Literal["normal", "mixture"]
INACTIVE_NATS = 0.05  # a dimension whose KL is smaller carries no information about the image


@dataclass(frozen=True)
class Config:
    """Configuration of a VAE."""

    size: int = 28  # Width and height of the images in pixels.
    channels: int = 1  # Channels of the images.
    latent: int = 20  # Dimensions of z.
    width: int = 32  # Channels at the highest resolution; a level has `width * multiplier`, a multiple of 8.
    multipliers: Sequence[int] = (1, 2)  # One for each level; the resolution halves from a level to the next.
    blocks: int = 1  # Residual blocks per level.
    patch: int = 2  # Width and height of the patches that become channels first, see `playground.nn.unet.UNet`.
    # Use a spatial broadcast decoder, whose input is the code and the coordinates at every position, instead of a
    # feature map computed from the code. It lets single dimensions represent positions.
    broadcast: bool = False
    # p(x|z): "bernoulli" (pixels as fractions of white), "gaussian" with standard deviation `sigma`, or "learned
    # gaussian", which learns one standard deviation, starting at `sigma`.
    likelihood: str = "bernoulli"
    sigma: float = 1.0  # Standard deviation of Gaussian pixels.
    components: int = 0  # Components of the Gaussian mixture fitted to the codes; 0 for none.
    # Number of test images whose codes, classes and bounds are stored with the weights, so that maps and histograms
    # need no data.
    n_test: int = 0

    def __post_init__(self) -> None:
        check_unet_config(self, _BOUNDS)
        validation.check_flag("broadcast", self.broadcast)
        validation.check_choice("likelihood", self.likelihood, LIKELIHOODS)
        validation.check_number("sigma", self.sigma, 1e-3, 10)


_BOUNDS = {"size": (1, 256), "channels": (1, 16), "latent": (1, 1024), "width": (8, 1024), "blocks": (1, 8),
           "patch": (1, 32), "components": (0, 1000), "n_test": (0, 100_000)}  # fmt: skip


def encoder(config: Config) -> nn.Sequential:
    """Return the encoder: images (B, C, H, W) -> mu and log sigma^2, concatenated (B, 2 Z)."""
    features = config.width * config.multipliers[-1] * bottleneck_size(config) ** 2
    return nn.Sequential(*encoder_layers(*_levels(config)), nn.Flatten(), nn.Linear(features, 2 * config.latent))


def decoder(config: Config) -> nn.Sequential:
    """Return the decoder: codes (B, Z) -> parameters of p(x|z) (B, C, H, W), logits of Bernoulli pixels or means of
    Gaussian ones."""
    c, side = config.width * config.multipliers[-1], bottleneck_size(config)
    first: list[nn.Module] = (
        [SpatialBroadcast(side), nn.Conv2d(config.latent + 2, c, 1)]
        if config.broadcast
        else [nn.Linear(config.latent, c * side**2), nn.Unflatten(1, (c, side, side))]
    )
    return nn.Sequential(*first, *decoder_layers(*_levels(config)))


def _levels(config: Config) -> tuple[int, int, Sequence[int], int, int]:
    return config.channels, config.width, config.multipliers, config.blocks, config.patch


class SpatialBroadcast(nn.Module):
    """Repetition of a code at every position, with the coordinates: (B, Z) -> (B, Z + 2, side, side).

    Watters 2019, "Spatial Broadcast Decoder", algorithm 1.
    """

    coordinates: Tensor  # (2, side, side), x and y from -1 to 1

    def __init__(self, side: int):
        super().__init__()
        line = torch.linspace(-1, 1, side)
        self.register_buffer("coordinates", torch.empty(2, side, side))
        self.coordinates[0], self.coordinates[1] = line, line[:, None]

    def forward(self, z: Tensor) -> Tensor:
        """Map codes (B, Z) to features (B, Z + 2, side, side)."""
        side = self.coordinates.shape[-1]
        code = z[:, :, None, None].expand(-1, -1, side, side)
        return torch.cat([code, self.coordinates.to(z).expand(len(z), -1, -1, -1)], dim=1)


def bottleneck_size(config: Config) -> int:
    """Return the width and height of the feature maps at the lowest level."""
    return config.size // config.patch // 2 ** (len(config.multipliers) - 1)


class Model(nn.Module):
    """Variational autoencoder, with buffers measured after training.

    Attributes:
        log_sigma: Logarithm of the standard deviation of Gaussian pixels.
        mixture_weights, mixture_means, mixture_scale_tril: Gaussian mixture fitted to the codes, if the config asks
            for one.
        kl: KL of each dimension, mean over test images.
        test_mu, test_classes, test_elbo: Codes, classes and bounds of some test images, if the config asks for them.
    """

    mixture_weights: Tensor  # (M,)
    mixture_means: Tensor  # (M, Z)
    mixture_scale_tril: Tensor  # (M, Z, Z), Cholesky factors of the covariances
    kl: Tensor  # (Z,), in nats
    test_mu: Tensor  # (N, Z)
    test_classes: Tensor  # (N,), uint8
    test_elbo: Tensor  # (N,), nats

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.encoder = encoder(config)
        self.decoder = decoder(config)
        log_sigma = torch.tensor(math.log(config.sigma))
        self.log_sigma = nn.Parameter(log_sigma, requires_grad=config.likelihood == "learned gaussian")
        m, z = config.components, config.latent
        self.register_buffer("kl", torch.zeros(z))
        if m:  # safetensors treats all empty tensors as shared
            self.register_buffer("mixture_weights", torch.full((m,), 1 / m))
            self.register_buffer("mixture_means", torch.zeros(m, z))
            self.register_buffer("mixture_scale_tril", torch.zeros(m, z, z))
        if config.n_test:
            self.register_buffer("test_mu", torch.zeros(config.n_test, z))
            self.register_buffer("test_classes", torch.zeros(config.n_test, dtype=torch.uint8))
            self.register_buffer("test_elbo", torch.zeros(config.n_test))

    def forward(self, x: Tensor, eps: Tensor) -> VAEOutput:
        """Encode images x (B, C, H, W) in [-1, 1], sample z = mu + sigma eps for noise eps (K, B, Z), and decode.

        Kingma and Welling 2014, eq. 10.
        """
        mu, log_var = self.encode(x)
        z = mu + (log_var / 2).exp() * eps  # (K, B, Z)
        return VAEOutput(mu, log_var, z, self.decode(z))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and log sigma^2 of q(z|x), each (B, Z)."""
        mu, log_var = self.encoder(x).float().chunk(2, dim=1)
        return mu, log_var

    def decode(self, z: Tensor) -> Tensor:
        """Map codes (..., Z) to the parameters of p(x|z) (..., C, H, W)."""
        return self.decoder(z.reshape(-1, z.shape[-1])).float().unflatten(0, z.shape[:-1])

    def mean(self, out: Tensor) -> Tensor:
        """Return E[x|z], the images to show, of outputs of `decode` (..., C, H, W); Gaussian ones may leave [-1, 1]."""
        return torch.tanh(out / 2) if self.config.likelihood == "bernoulli" else out

    def log_likelihood(self, x: Tensor, out: Tensor) -> Tensor:
        """Return log p(x|z) in nats (K, B) of images x (B, C, H, W), for outputs of `decode` (K, B, C, H, W).

        The Bernoulli likelihood of grey pixels is the mean over binary images sampled from them.
        """
        if self.config.likelihood == "bernoulli":
            target = ((x + 1) / 2).expand_as(out)
            return -F.binary_cross_entropy_with_logits(out, target, reduction="none").flatten(2).sum(2)
        return elbo.normal_log_density(x, out, 2 * self.log_sigma).flatten(2).sum(2)
