"""The family of a test: a linear map from noise to pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from playground.runtime import validation
from playground.runtime.family import Family
from playground.runtime.rng import Noise
from playground.runtime.run import Frame
from playground.runtime.validation import Bounds


@dataclass(frozen=True)
class Config:
    """Configuration of a model.

    Attributes:
        size: Width and height of the pictures in pixels.
        latent: Dimensions of the noise.
    """

    size: int = 8
    latent: int = 16

    def __post_init__(self) -> None:
        validation.check_bounds(self, {"size": (1, 64), "latent": (1, 64)})


class Model(nn.Module):
    """Linear map of noise z (B, Z) to pictures (B, 1, H, W)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.net = nn.Linear(config.latent, config.size**2)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).unflatten(1, (1, self.config.size, self.config.size))


def loss(model: nn.Module, x: Tensor, rng: torch.Generator) -> Tensor:
    """Return the squared distance between pictures x (B, 1, H, W) and those made of noise, a scalar."""
    latent = getattr(model, "module", model).config.latent
    return (model(torch.randn(len(x), latent, generator=rng).to(x)) - x).square().mean()


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    Attributes:
        n: Number of images.
        seed: Seed of the noise; image i depends on (seed, i) alone.
    """

    BOUNDS: ClassVar[Bounds] = Bounds({"n": (1, 1_000_000), "seed": (0, validation.MAX_SEED)})

    n: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        validation.check_bounds(self, *self.BOUNDS)


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0) -> Iterator[Frame]:
    """Sample images in a single frame."""
    z = Noise(settings.seed, settings.n, first)((model.config.latent,), model.net.weight.device)
    yield Frame(0, 0, model(z).tanh())


FAMILY = Family("toy", "Toy", Config, Model, Settings, sample)
