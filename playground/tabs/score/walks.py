"""Walks of particles that follow a score through the plane: how they are run, and what is shown of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from playground import checkpoint, langevin, validation
from playground.data import densities
from playground.data.densities import Density, Mixture
from playground.langevin import Moment, Score
from playground.models import score
from playground.sampling import Noise, generator
from playground.tabs import Places, live
from playground.tabs.score import samplers
from playground.ui import palette
from playground.ui.scrubber import Counts, Curve, Histogram, Series, Strip
from playground.validation import UserError

EXACT, LEARNED = SCORES = ("exact", "learned")
SPAN = 3.2  # the picture goes from -SPAN to SPAN
SIDE, CELL = 240, 4  # pixels a side: of the picture, of the density's cells
FEW = 8  # modes whose weights are written out
MAX_FRAMES = 101
LOST = 1000.0  # farther from 0 than any noise carries a particle


@dataclass(frozen=True)
class Asked:
    """What a link restores, and the controls hold, in their order.

    Attributes:
        data: a name in `densities.DENSITIES`.
        scored: the exact score, or the one that a network learned.
        sampler: one of `samplers.SAMPLERS`.
        n: particles.
        size: of a step of Langevin dynamics, by a variance: of the noise level where that falls, else of the narrowest
            part of the density with its noise.
        temperature: of plain Langevin dynamics.
        steps: evaluations of the score.
        low, high: noise levels; plain dynamics stays at the low one, and begins within half of the high one.
        seed: of where the particles begin, and of the noise.
    """

    data: str = "uneven"
    scored: str = EXACT
    sampler: str = "langevin"
    n: int = 400
    size: float = 0.3
    temperature: float = 1.0
    steps: int = 100
    low: float = 0.05
    high: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.choice("data", self.data, densities.DENSITIES)
        validation.choice("score", self.scored, SCORES)
        validation.choice("sampler", self.sampler, samplers.SAMPLERS)
        whole = {"n": (10, 1000), "steps": (10, 500), "seed": (0, validation.MAX_SEED)}
        real = {"size": (1e-6, 10.0), "temperature": (0.0, 10.0), "low": (0.01, 10.0), "high": (0.02, 20.0)}
        validation.bound(self, whole, real, samplers.CALLED)
        if self.low >= self.high:
            raise UserError("the least noise must lie below the most")
        if self.sampler == "mala" and self.scored == LEARNED:
            raise UserError("Metropolis-adjusted steps need the density itself, which no score gives: choose exact")


class Draws(Noise):
    """Normal noise of one generator for all particles."""

    def __init__(self, asked: Asked, stream: int):
        self.n, self.random = asked.n, generator(asked.seed, stream)

    def __call__(self, shape: Any, device: torch.device | str = "cpu") -> Tensor:
        """Draw (n, *shape)."""
        return torch.randn(self.n, *shape, generator=self.random).to(device)


def path(places: Places, data: str) -> Path:
    """The checkpoint of the score of a density."""
    return places.weights / f"score-{data}.safetensors"


def learned(places: Places) -> list[str]:
    """The densities whose score a network has learned."""
    return [name for name in densities.DENSITIES if path(places, name).exists()]


def score_of(places: Places, asked: Asked) -> Score:
    """The score that is asked for.

    Raises:
        UserError: none was learned of this density, or not at these noise levels.
    """
    if asked.scored == EXACT:
        return densities.true_score(density_of(asked.data))
    if not path(places, asked.data).exists():
        others = "".join(f", or {each}" for each in learned(places))
        raise UserError(f"no network has learned {asked.data} yet: choose the exact score{others}")
    model = cast(score.Model, checkpoint.load(path(places, asked.data), expect="score"))
    low, high = model.config.low, model.config.high
    if not low <= asked.low <= high or (asked.high > high and asked.sampler in langevin.DESCENTS):
        raise UserError(
            f"the network has learned noise from {low:g} to {high:g}: stay within, or choose the exact score"
        )
    return model.score()


def run(score: Score, asked: Asked) -> Iterator[Moment]:
    """The moments of a walk, `asked.steps` steps long."""
    noise, begin = Draws(asked, 0), Draws(asked, 1)((2,))
    if asked.sampler in samplers.PLAIN:
        x = asked.high / 2 * begin.clamp(-2, 2) / 2
        noised, h, coins = density_of(asked.data).noised(asked.low), step_size(asked), Draws(asked, 2)
        if asked.sampler == "langevin":
            return langevin.langevin(score, x, asked.low, h, asked.steps, noise, asked.temperature)
        return langevin.mala(score, lambda x, _: noised.log_prob(x), x, asked.low, h, asked.steps, noise, coins)
    return langevin.descent(
        score, asked.high * begin, asked.sampler, (asked.low, asked.high), asked.steps, asked.size, noise
    )


def step_size(asked: Asked) -> float:
    """The h of a step's formula."""
    return asked.size * (density_of(asked.data).noised(asked.low).sigma ** 2 if asked.sampler in samplers.PLAIN else 1)


@lru_cache(maxsize=32)
def density_of(name: str) -> Density:
    """One object a name, for `background` to know it by."""
    return densities.DENSITIES[name]()


# What is shown of them.


class Frame(NamedTuple):
    """What a moment shows: its picture uint8 (SIDE, SIDE, 3), the shares of the modes, what the curves say."""

    picture: np.ndarray
    shares: np.ndarray
    sigma: float
    length: float
    accepted: float
    kl: float


def seen(density: Density, moment: Moment) -> Frame:
    """What a moment shows."""
    countable = isinstance(density, Mixture) and density.apart
    covered = densities.coverage(moment.x, cast(Mixture, density.noised(moment.sigma))) if countable else None
    return Frame(
        drawn(density, moment),
        covered.shares.numpy() if covered else np.zeros(0),
        moment.sigma,
        moment.score.norm(dim=1).mean().item(),
        moment.accepted.float().mean().item() if moment.accepted is not None else 1.0,
        covered.reverse_kl if covered else 0.0,
    )


def drawn(density: Density, moment: Moment) -> np.ndarray:
    """The particles on the density at their noise level, uint8 (SIDE, SIDE, 3)."""
    sheet = background(density, round(moment.sigma, 6)).copy()
    at = ((moment.x * torch.tensor([1.0, -1.0]) / SPAN + 1) / 2 * SIDE).long().numpy()
    rgb = [int(palette.NOISE[i : i + 2], 16) for i in (1, 3, 5)]
    for dx in (0, 1):
        for dy in (0, 1):
            x, y = at[:, 0] + dx, at[:, 1] + dy
            inside = (x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE)
            sheet[y[inside], x[inside]] = rgb
    return sheet


@lru_cache(maxsize=256)
def background(density: Density, sigma: float) -> np.ndarray:
    """The density with noise of a level, dark where there is little, uint8 (SIDE, SIDE, 3)."""
    line = (torch.arange(SIDE // CELL) + 0.5) / (SIDE // CELL) * 2 * SPAN - SPAN
    y, x = torch.meshgrid(-line, line, indexing="ij")
    noised = density.noised(max(sigma, 0.03))
    p = noised.log_prob(torch.stack([x, y], dim=-1).reshape(-1, 2)).exp().reshape(x.shape)
    rgb = (p / p.max()).sqrt()[..., None] * torch.tensor([70.0, 130.0, 180.0]) + torch.tensor([0.0, 0.0, 12.0])
    return rgb.byte().numpy().repeat(CELL, 0).repeat(CELL, 1)


def strip(frames: list[Frame], plots: Sequence[Histogram] = (), notes: Sequence[str] = ()) -> Strip:
    """The pictures of a walk."""
    sheet = np.stack([each.picture for each in frames])[:, None]
    return Strip("particles", "on the density at their noise level, bright where it is dense", sheet, notes, plots)


def film(asked: Asked, moments: list[Moment]) -> dict[str, Any]:
    """What the scrubber shows of a walk, as the arguments of `scrubber.pack`."""
    density = density_of(asked.data)
    kept = live.thinned(moments, MAX_FRAMES)
    frames, steps = [seen(density, each) for each in kept], [each.step for each in kept]
    if not (moments[-1].x.abs() < LOST).all():  # nor if it is no number
        raise UserError("the particles ran off to infinity: choose a smaller step")
    plots = [_weights(density, frames)] if len(frames[0].shares) else []
    lines = {
        "σ": ("The noise level whose score is followed.", palette.DATA, [each.sigma for each in frames]),
        "score": ("Its mean length at the particles.", palette.ESTIMATE, [each.length for each in frames]),
    }
    if plots:
        lines["KL"] = ("From the shares of the modes to the true ones, nats.", palette.NOISE, [e.kl for e in frames])
    if asked.sampler == "mala":
        lines["taken"] = ("Share of the proposals.", palette.COMPARED, [each.accepted for each in frames])
    return {
        "strips": [strip(frames, plots, _shares(density, frames) if plots else ())],
        "captions": [
            f"step {step} of {steps[-1]} · σ = {each.sigma:.3g}" + (f" · {_apart(each.kl)}" if plots else "")
            for step, each in zip(steps, frames, strict=True)
        ],
        "ends": ("step 0", f"step {steps[-1]}"),
        "curves": [Curve(name, hint, [Series("", colour, values)]) for name, (hint, colour, values) in lines.items()],
        "formula": samplers.formula(asked.sampler, step_size(asked), asked.temperature),
        "numbers": {"sigma": [f"{each.sigma:.3g}" for each in frames]},
        "keep": True,
    }


def _apart(kl: float) -> str:
    """How far the shares of the modes are from the truth, in words."""
    return f"KL of the modes {kl:.3f} nats" if np.isfinite(kl) else "no particle is near to a mode"


def _shares(density: Density, frames: list[Frame]) -> list[str]:
    """The shares of few modes in words, for each frame."""
    truth = cast(Mixture, density).modes()[1].tolist()
    if len(truth) > FEW:
        return []

    def said(shares: Iterable[float]) -> str:
        return " ".join(f"{share:.0%}" for share in shares)

    return [f"weights of the modes: {said(each.shares)}\nthe truth: {said(truth)}" for each in frames]


def _weights(density: Density, frames: list[Frame]) -> Histogram:
    """How many particles each mode has, against the truth."""
    truth = cast(Mixture, density).modes()[1].numpy()
    counts = [Counts("particles near to each mode", palette.NOISE, np.stack([each.shares for each in frames])),
              Counts("the truth", palette.DATA, np.tile(truth, (len(frames), 1)))]  # fmt: skip
    return Histogram("weights of the modes", [("first", "last")], counts)
