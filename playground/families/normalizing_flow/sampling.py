"""Sampling from a flow: noise through the inverse of every layer."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from playground.families.normalizing_flow.model import Model, logits_to_images
from playground.runtime import validation
from playground.runtime.rng import Noise
from playground.runtime.run import Frame
from playground.runtime.validation import Bounds


def to_double(model: Model) -> Model:
    """Return a copy of a model in double precision, for exact inversion: the rounding errors of single precision in a
    flat part of a spline are amplified by the layers after it."""
    return deepcopy(model).double()


@dataclass(frozen=True)
class Settings:
    """Settings of a run, checked when made."""

    BOUNDS: ClassVar[Bounds] = Bounds({"n": (1, 1_000_000), "seed": (0, validation.MAX_SEED)}, {"temperature": (0, 2)})

    n: int = 16  # Number of images.
    temperature: float = 1.0  # Standard deviation of z, 0 to 2; below 1 the samples are more typical and less diverse.
    seed: int = 0  # Seed of z; image i depends on (seed, i) alone.

    def __post_init__(self) -> None:
        validation.check_bounds(self, *self.BOUNDS, validation.LABELS)


def to_images(model: Model, frame: Frame) -> Tensor:
    """Return the numbers of a frame, after any layer, as images (B, C, H, W) in [-1, 1]."""
    return logits_to_images(frame.x)


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0) -> Iterator[Frame]:
    """Sample images, from the index `first` on, from noise to logits of pixels, with a frame for each layer."""
    config = model.config
    noise = Noise(settings.seed, settings.n, first)((config.channels, config.size, config.size))
    yield from model.decode_steps(settings.temperature * noise.to(next(model.parameters()).device))
