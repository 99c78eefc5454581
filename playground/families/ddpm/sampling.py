"""Sampling from a diffusion model with classes and guidance."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from playground.diffusion.samplers import SAMPLERS, SamplerName
from playground.families.ddpm.model import Model
from playground.runtime import validation
from playground.runtime.rng import Noise
from playground.runtime.run import Frame
from playground.runtime.validation import Bounds, UserError


@dataclass(frozen=True)
class Settings:
    """Settings of a run, checked when made."""

    BOUNDS: ClassVar[Bounds] = Bounds(
        {"n": (1, 1_000_000), "label": (0, 9_999), "steps": (1, 1000), "seed": (0, validation.MAX_SEED)},
        {"eta": (0, 1), "w": (0, 20)},
    )

    n: int = 10  # Number of images.
    label: int | None = None  # Class of all images, from 0 on; None to cycle through the classes.
    # Sampler: ddpm adds noise at every step, ddpm-large more of it, ddim as much as eta says, the others none.
    sampler: SamplerName = "ddim"
    # Steps of the sampler, 1 to 1000; each evaluates the network once, Heun's method twice, and guidance doubles that.
    steps: int = 20
    eta: float = 0.0  # DDIM's stochasticity: 0 is deterministic, 1 has the variance of DDPM.
    # Guidance weight, 0 to 20: 0 ignores the class, 1 is the conditional model, more exaggerates the class.
    w: float = 1.0
    clip: bool = True  # Clip each estimate of x0 to [-1, 1].
    seed: int = 0  # Seed of the noise; image i depends on (seed, i) alone.

    def __post_init__(self) -> None:
        validation.check_choice("sampler", self.sampler, SAMPLERS)
        validation.check_flag("clip", self.clip)
        validation.check_bounds(self, *self.BOUNDS, validation.LABELS)


def labels(model: Model, settings: Settings, first: int = 0) -> Tensor:
    """Return the classes of the images first ... first + n - 1: (n,), or raise UserError if the model has no such
    class."""
    if settings.label is not None:
        if settings.label >= model.config.classes:
            raise UserError(f"the model has no class {settings.label}: it knows {model.config.classes} classes")
        return torch.full((settings.n,), settings.label)
    return torch.arange(first, first + settings.n) % max(model.config.classes, 1)


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0) -> Iterator[Frame]:
    """Sample images, from noise to data, in `settings.steps` + 1 frames.

    Args:
        first: Index of the first image, for runs split into batches.

    Raises:
        UserError: The model has fewer times than steps.
    """
    times = model.schedule.timesteps(settings.steps)
    device = next(model.parameters()).device
    noise = Noise(settings.seed, settings.n, first)
    x = noise((model.config.channels, model.config.size, model.config.size), device)
    denoise = model.denoiser(labels(model, settings, first).to(device), settings.w, settings.clip)
    yield from SAMPLERS[settings.sampler].sample(denoise, x, model.schedule, times, noise, settings.eta)
