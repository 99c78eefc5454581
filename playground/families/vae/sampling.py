"""Sampling from a VAE: codes from the prior, decoded."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, get_args

import torch
from torch import Tensor

from playground.families.vae.model import Model, Prior
from playground.runtime import inference, validation
from playground.runtime.rng import Noise
from playground.runtime.run import Frame
from playground.runtime.validation import Bounds, UserError

PRIORS: tuple[Prior, ...] = get_args(Prior)


@dataclass(frozen=True)
class Settings:
    """Settings of a run, checked when made."""

    BOUNDS: ClassVar[Bounds] = Bounds({"n": (1, 1_000_000), "seed": (0, validation.MAX_SEED)}, {"temperature": (0, 3)})

    n: int = 16  # Number of images.
    # Distribution of the codes: normal, N(0, I), or mixture, the Gaussian mixture fitted to codes of the data.
    prior: Prior = "normal"
    # Factor of the standard deviation of the codes, or of each component of the mixture, 0 to 3.
    temperature: float = 1.0
    seed: int = 0  # Seed of the noise; image i depends on (seed, i) alone.

    def __post_init__(self) -> None:
        validation.check_choice("prior", self.prior, PRIORS)
        validation.check_bounds(self, *self.BOUNDS, validation.LABELS)


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0) -> Iterator[Frame]:
    """Sample images, from the index `first` on, in a single frame: codes from the prior, the extra "z" (n, Z),
    decoded."""
    z = sample_prior(model, settings, first).to(model.log_sigma.device)
    with inference.fast_mode(z):
        x = model.mean(model.decode(z))
    yield Frame(0, 0, x.clamp(-1, 1), extras={"z": z})


def sample_prior(model: Model, settings: Settings, first: int = 0) -> Tensor:
    """Sample codes from the prior (n, Z), or raise UserError if the model has no mixture."""
    noise = Noise(settings.seed, settings.n, first)
    eps = settings.temperature * noise((model.config.latent,))
    if settings.prior == "normal":
        return eps
    if not model.config.components:
        raise UserError("this model has no mixture fitted to its codes: choose the normal prior")
    u = torch.stack([torch.rand((), generator=rng) for rng in noise.rngs])
    cdf = model.mixture_weights.cpu().float().cumsum(0)
    component = torch.searchsorted(cdf / cdf[-1], u).clamp(max=len(cdf) - 1)
    means, scale_tril = model.mixture_means.cpu()[component], model.mixture_scale_tril.cpu()[component]
    return means + (scale_tril @ eps[..., None])[..., 0]
