"""Particles that follow a score through the plane: the settings of a run, its start, its steps, and its measures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from playground.datasets import densities
from playground.datasets.densities import Density, Mixture
from playground.families.score_matching import langevin, samplers
from playground.families.score_matching.langevin import Score
from playground.runtime import validation
from playground.runtime.rng import Noise, make_rng
from playground.runtime.run import Frame
from playground.runtime.validation import UserError

TOLERANCE = 0.02  # nats from the true weights of the modes that count as none


@dataclass(frozen=True)
class Settings:
    """Settings of a run, checked when made."""

    data: str = "uneven"  # a name in `densities.DENSITIES`
    sampler: str = "langevin"  # one of `samplers.SAMPLERS`
    n: int = 400  # number of particles
    # Step size of Langevin dynamics in units of a variance: of the noise level where that falls, else of the narrowest
    # part of the density with its noise.
    step_size: float = 0.3
    temperature: float = 1.0  # of plain Langevin dynamics
    steps: int = 100  # evaluations of the score
    # Noise levels; plain dynamics stays at the low one, and begins within half of the high one.
    low: float = 0.05
    high: float = 5.0
    seed: int = 0  # of where the particles begin, and of the noise

    def __post_init__(self) -> None:
        validation.check_choice("data", self.data, densities.DENSITIES)
        validation.check_choice("sampler", self.sampler, samplers.SAMPLERS)
        integers = {"n": (10, 1000), "steps": (10, 500), "seed": (0, validation.MAX_SEED)}
        floats = {"step_size": (1e-6, 10.0), "temperature": (0.0, 4.0), "low": (0.01, 10.0), "high": (0.02, 20.0)}
        validation.check_bounds(self, integers, floats, samplers.LABELS)
        if self.low >= self.high:
            raise UserError("the least noise must lie below the most")

    @property
    def is_plain(self) -> bool:
        """Return true if the sampler stays at one noise level."""
        return self.sampler in samplers.PLAIN

    @property
    def density(self) -> Density:
        """Return the density of the data."""
        return get_density(self.data)

    @property
    def h(self) -> float:
        """Return the h of a step's formula."""
        return self.step_size * (self.density.add_noise(self.low).sigma ** 2 if self.is_plain else 1)


@lru_cache(maxsize=32)
def get_density(name: str) -> Density:
    """Return a density, the same object each time."""
    return densities.DENSITIES[name]()


class SharedNoise(Noise):
    """Normal noise of one generator for all particles, which is faster for hundreds."""

    def __init__(self, settings: Settings, stream: int):
        self.n, self.rng = settings.n, make_rng(settings.seed, stream)

    def __call__(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """Sample (n, *shape)."""
        return torch.randn(self.n, *shape, generator=self.rng).to(device)


def sample(score: Score, settings: Settings, start: tuple[float, float] | None = None) -> Iterator[Frame]:
    """Return the frames of a run, whose first particle begins at a point of the plane, or where chance puts it."""
    noise, x = SharedNoise(settings, 0), sample_start(settings)
    if start:
        x[0] = torch.tensor(start)
    if not settings.is_plain:
        return samplers.sample(
            score, x, settings.sampler, (settings.low, settings.high), settings.steps, settings.step_size, noise
        )
    if settings.sampler == "langevin":
        return langevin.langevin(score, x, settings.low, settings.h, settings.steps, noise, settings.temperature)
    noised = settings.density.add_noise(settings.low)
    return langevin.mala(
        score, lambda x, _: noised.log_prob(x), x, settings.low, settings.h, settings.steps, noise,
        SharedNoise(settings, 2),
    )  # fmt: skip


def sample_start(settings: Settings) -> Tensor:
    """Sample the points (n, 2) where the particles begin: noise of the high level, or for plain dynamics a cloud that
    lies within half of that level in either direction."""
    x = SharedNoise(settings, 1)((2,))
    return settings.high / 2 * x.clamp(-2, 2) / 2 if settings.is_plain else settings.high * x


class Measures(NamedTuple):
    """Measures of a frame: the shares of the modes (M,), none of a density without modes, and their KL divergence from
    the true weights, in nats; the mean length of the score; the share of the proposals that were accepted."""

    shares: Tensor
    kl: float
    score_length: float
    acceptance: float


def measure(density: Density, frame: Frame) -> Measures:
    """Measure the particles of a frame against a density with noise of its level."""
    shares, kl = torch.zeros(0), 0.0
    if isinstance(density, Mixture) and density.multimodal:
        coverage = densities.measure_coverage(frame.x, density.add_noise(frame.sigma))
        shares, kl = coverage.shares, coverage.reverse_kl
    acceptance = frame.extras["accepted"].float().mean().item() if "accepted" in frame.extras else 1.0
    return Measures(shares, kl, frame.score.norm(dim=1).mean().item(), acceptance)


def has_true_weights(kl: float, modes: int, n: int) -> bool:
    """Return whether the shares of so many modes are their weights, by their KL divergence in nats and as well as n
    particles can tell: by chance it is (modes - 1) / 2n on average."""
    return kl < TOLERANCE + 2 * modes / n
