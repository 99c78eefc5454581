"""Sampling from a GAN: codes from the prior through the generator."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from playground.families.gan.model import Model
from playground.runtime import inference, validation
from playground.runtime.rng import Noise
from playground.runtime.run import Frame
from playground.runtime.validation import Bounds


@dataclass(frozen=True)
class Settings:
    """Settings of a run, checked when made."""

    BOUNDS: ClassVar[Bounds] = Bounds(
        {"n": (1, 1_000_000), "label": (0, 999), "seed": (0, validation.MAX_SEED)}, {"truncation": (0.05, 4)}
    )

    n: int = 16  # Number of images.
    # Class of all images, or None to cycle through the classes; unused by models without classes.
    label: int | None = None
    # Largest absolute value in z, 0.05 to 4 (Brock 2019, "Large Scale GAN Training", section 3.1).
    truncation: float = 4.0
    seed: int = 0  # Seed of the codes; image i depends on (seed, i) alone.

    def __post_init__(self) -> None:
        validation.check_bounds(self, *self.BOUNDS, validation.LABELS)


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0) -> Iterator[Frame]:
    """Sample images, from the index `first` on, in a single frame, with the extras "z" (n, Z) and, for conditional
    models, "y" (n,)."""
    device = next(model.parameters()).device
    z = sample_prior(model.config.latent, settings, first).to(device)
    y = labels(model, settings, first)
    y = None if y is None else y.to(device)
    with inference.fast_mode(z):
        x = model.generator(z, y).float()
    yield Frame(0, 0, x, extras={"z": z} if y is None else {"z": z, "y": y})


def sample_prior(latent: int, settings: Settings, first: int = 0) -> Tensor:
    """Sample codes (n, Z) from the truncated normal prior by inversion: they depend smoothly on the truncation."""
    eps = Noise(settings.seed, settings.n, first)((latent,)).double()
    upper = torch.special.ndtr(torch.tensor(settings.truncation).double())
    quantiles = (1 - upper) + torch.special.ndtr(eps) * (2 * upper - 1)
    return torch.special.ndtri(quantiles).float()


def labels(model: Model, settings: Settings, first: int = 0) -> Tensor | None:
    """Return the classes of the images first ... first + n - 1 (n,), or None for a model without classes."""
    classes = model.config.classes
    if not classes:
        return None
    if settings.label is None:
        return torch.arange(first, first + settings.n) % classes
    return torch.full((settings.n,), validation.check_integer("label", settings.label, 0, classes - 1))
