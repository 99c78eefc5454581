"""Runs of particles that follow a score through the plane, and their films."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from playground.datasets import densities
from playground.datasets.densities import Density, Mixture
from playground.families import score_matching
from playground.families.score_matching import langevin, samplers
from playground.families.score_matching.langevin import Score
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.runtime.recording import subsample
from playground.runtime.rng import Noise, make_rng
from playground.runtime.run import Frame
from playground.runtime.validation import UserError
from playground.web import formula, palette
from playground.web.checkpoint_picker import CheckpointPicker, nested_value
from playground.web.scrubber import Counts, Curve, Film, Histogram, Series, Strip

CHECKPOINTS = CheckpointPicker("score_matching", "score-grid")
EXACT, LEARNED = SCORES = ("exact", "learned")
SPAN = 3.2  # the picture goes from -SPAN to SPAN
SIDE, CELL = 240, 4  # pixels a side: of the picture, of the density's cells
FEW = 8  # modes whose weights are written out
MAX_FRAMES = 101
TOLERANCE = 0.02  # nats from the true weights of the modes that count as none
NO_MODES = torch.zeros(0)  # weights of none
LOST = 1000.0  # farther from 0 than any noise carries a particle


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls."""

    model: str = ""  # the checkpoint of a learned score, if it is of the data; else the first that is
    data: str = "uneven"  # a name in `densities.DENSITIES`
    score: str = EXACT  # the exact one, or the one that a network learned
    sampler: str = "langevin"  # one of `samplers.SAMPLERS`
    n: int = 400  # particles
    # Of Langevin dynamics, by a variance: of the noise level where that falls, else of the narrowest part of the
    # density with its noise.
    step_size: float = 0.3
    temperature: float = 1.0  # of plain Langevin dynamics
    steps: int = 100  # evaluations of the score
    # Noise levels; plain dynamics stays at the low one, and begins within half of the high one.
    low: float = 0.05
    high: float = 5.0
    seed: int = 0  # of where the particles begin, and of the noise

    def __post_init__(self) -> None:
        validation.check_choice("data", self.data, densities.DENSITIES)
        validation.check_choice("score", self.score, SCORES)
        validation.check_choice("sampler", self.sampler, samplers.SAMPLERS)
        integers = {"n": (10, 1000), "steps": (10, 500), "seed": (0, validation.MAX_SEED)}
        floats = {"step_size": (1e-6, 10.0), "temperature": (0.0, 10.0), "low": (0.01, 10.0), "high": (0.02, 20.0)}
        validation.check_bounds(self, integers, floats, samplers.LABELS)
        if self.low >= self.high:
            raise UserError("the least noise must lie below the most")
        if self.sampler == "mala" and self.score == LEARNED:
            raise UserError("Metropolis-adjusted steps need the density itself, which no score gives: choose exact")


class Draws(Noise):
    """Normal noise of one generator for all particles."""

    def __init__(self, params: ViewParams, stream: int):
        self.n, self.rng = params.n, make_rng(params.seed, stream)

    def __call__(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """Draw (n, *shape)."""
        return torch.randn(self.n, *shape, generator=self.rng).to(device)


def learned_densities(paths: Paths) -> dict[str, list[str]]:
    """Return the densities whose score a network has learned, each with its checkpoints."""
    headers = CHECKPOINTS.headers(paths)
    by_density = {
        data: [name for name, header in headers.items() if nested_value(header.config, "data") == data]
        for data in densities.DENSITIES
    }
    return {data: names for data, names in by_density.items() if names}


def resolve_checkpoint(paths: Paths, data: str, model: object) -> str:
    """Return the name of the checkpoint of a density's score, or raise UserError if there is none."""
    checkpoints = learned_densities(paths)
    if data not in checkpoints:
        alternatives = "".join(f", or {name}" for name in checkpoints)
        raise UserError(
            f"no network has learned {data} yet: choose the exact score{alternatives}, or train one with "
            f"`python -m train score --name score-{data} --config.data {data}`"
        )
    names = checkpoints[data]
    return model if isinstance(model, str) and model in names else names[0]


def resolve(paths: Paths, params: ViewParams) -> ViewParams:
    """Return the parameters with the name of the checkpoint whose score is followed, "" if that is exact."""
    return replace(params, model="" if params.score == EXACT else resolve_checkpoint(paths, params.data, params.model))


def score_of(paths: Paths, params: ViewParams) -> Score:
    """Return the score to follow, or raise UserError if none was learned of this density or at these noise levels."""
    if params.score == EXACT:
        return densities.make_true_score(density_of(params.data))
    model = cast(score_matching.Model, CHECKPOINTS.load(paths, resolve_checkpoint(paths, params.data, params.model)))
    low, high = model.config.sigma_min, model.config.sigma_max
    if not low <= params.low <= high or (params.high > high and params.sampler in samplers.FROM_NOISE):
        raise UserError(
            f"the network has learned noise from {low:g} to {high:g}: stay within, or choose the exact score"
        )
    return model.score()


def run(score: Score, params: ViewParams, place: tuple[float, float] | None = None) -> Iterator[Frame]:
    """Return the frames of a run, whose first particle begins at a place of the plane, or where chance puts it."""
    noise, start = Draws(params, 0), Draws(params, 1)((2,))
    is_plain = params.sampler in samplers.PLAIN
    x = params.high / 2 * start.clamp(-2, 2) / 2 if is_plain else params.high * start
    if place:
        x[0] = torch.tensor(place)
    if is_plain:
        noised, h = density_of(params.data).add_noise(params.low), step_size(params)
        if params.sampler == "langevin":
            return langevin.langevin(score, x, params.low, h, params.steps, noise, params.temperature)
        return langevin.mala(
            score, lambda x, _: noised.log_prob(x), x, params.low, h, params.steps, noise, Draws(params, 2)
        )
    return samplers.sample(score, x, params.sampler, (params.low, params.high), params.steps, params.step_size, noise)


def drop(score: Score, params: ViewParams, place: tuple[float, float], length: int) -> np.ndarray:
    """Return the path of a particle that begins at a place of the picture, as fractions of its width from the left and
    of its height from the top: (F, 2), in the film of a run of so many frames."""
    x, y = ((2 * share - 1) * SPAN for share in place)
    frames = subsample(list(islice(run(score, params, (x, -y)), length)), MAX_FRAMES)
    return (to_picture(torch.stack([frame.x[0] for frame in frames]))).numpy()


def to_picture(x: Tensor) -> Tensor:
    """Return points of the plane (N, 2) as fractions of the picture's width and height, from the left and the top."""
    return (x * torch.tensor([1.0, -1.0]) / SPAN + 1) / 2


def step_size(params: ViewParams) -> float:
    """Return the h of a step's formula."""
    plain = params.sampler in samplers.PLAIN
    return params.step_size * (density_of(params.data).add_noise(params.low).sigma ** 2 if plain else 1)


@lru_cache(maxsize=32)
def density_of(name: str) -> Density:
    """Return a density, the same object each time, which `background` knows it by."""
    return densities.DENSITIES[name]()


class Plot(NamedTuple):
    """Drawing of a frame, uint8 (SIDE, SIDE, 3), with the shares of the modes and the values of the curves."""

    picture: np.ndarray
    shares: np.ndarray
    length: float
    accepted: float
    kl: float
    n: int  # particles


def plot(density: Density, frame: Frame) -> Plot:
    """Draw a frame and measure it."""
    countable = isinstance(density, Mixture) and density.multimodal
    covered = densities.measure_coverage(frame.x, cast(Mixture, density.add_noise(frame.sigma))) if countable else None
    return Plot(
        draw_particles(density, frame),
        covered.shares.numpy() if covered else np.zeros(0),
        frame.score.norm(dim=1).mean().item(),
        frame.extras["accepted"].float().mean().item() if "accepted" in frame.extras else 1.0,
        covered.reverse_kl if covered else 0.0,
        len(frame.x),
    )


def draw_particles(density: Density, frame: Frame) -> np.ndarray:
    """Return the particles on the density at their noise level, uint8 (SIDE, SIDE, 3)."""
    sheet = background(density, round(frame.sigma, 6)).copy()
    at = (to_picture(frame.x) * SIDE).long().numpy()
    rgb = [int(palette.NOISE[i : i + 2], 16) for i in (1, 3, 5)]
    for dx in (0, 1):
        for dy in (0, 1):
            x, y = at[:, 0] + dx, at[:, 1] + dy
            inside = (x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE)
            sheet[y[inside], x[inside]] = rgb
    return sheet


@lru_cache(maxsize=256)
def background(density: Density, sigma: float) -> np.ndarray:
    """Return the density with noise of a level, dark where there is little, uint8 (SIDE, SIDE, 3)."""
    line = (torch.arange(SIDE // CELL) + 0.5) / (SIDE // CELL) * 2 * SPAN - SPAN
    y, x = torch.meshgrid(-line, line, indexing="ij")
    noised = density.add_noise(max(sigma, 0.03))
    p = noised.log_prob(torch.stack([x, y], dim=-1).reshape(-1, 2)).exp().reshape(x.shape)
    rgb = (p / p.max()).sqrt()[..., None] * torch.tensor([70.0, 130.0, 180.0]) + torch.tensor([0.0, 0.0, 12.0])
    return rgb.byte().numpy().repeat(CELL, 0).repeat(CELL, 1)


def preview(params: ViewParams, frame: Frame) -> Strip:
    """Return the picture of a run's newest frame."""
    return strip([plot(density_of(params.data), frame)])


def film(params: ViewParams, run: Sequence[Frame]) -> Film:
    """Return the film of a run, or raise UserError if the particles are lost."""
    if not (run[-1].x.abs() < LOST).all():  # nor if it is no number
        raise UserError("the particles ran off to infinity: choose a smaller step")
    density, frames = density_of(params.data), subsample(run, MAX_FRAMES)
    plots, sigmas = [plot(density, frame) for frame in frames], [frame.sigma for frame in frames]
    truth = density.modes()[1] if isinstance(density, Mixture) and density.multimodal else NO_MODES
    captions = [f"step {frame.step} · σ = {frame.sigma:.3g}" for frame in frames]
    curves = [
        _curve("σ", "The noise level whose score is followed.", palette.DATA, sigmas),
        _curve("score", "Its mean length at the particles.", palette.ESTIMATE, [p.length for p in plots]),
    ]
    if len(truth):
        captions = [f"{text} · {_describe_kl(p.kl)}" for text, p in zip(captions, plots, strict=True)]
        hint = "From the shares of the modes to the true ones, nats."
        curves.append(_curve("KL", hint, palette.NOISE, [p.kl for p in plots]))
    if params.sampler == "mala":
        curves.append(_curve("taken", "Share of the proposals.", palette.COMPARISON, [p.accepted for p in plots]))
    return Film(
        [strip(plots, truth)],
        captions,
        ("step 0", f"step {run[-1].step}"),
        curves,
        formula.render([samplers.SAMPLERS[params.sampler].formula]),
        samplers.numbers(sigmas, step_size(params), params.temperature),
        keep=True,
        path_hint="Click to drop a particle, and follow its path",
    )  # fmt: skip


def strip(plots: Sequence[Plot], truth: Tensor = NO_MODES) -> Strip:
    """Return the pictures of a run, and below them the shares of its modes beside their true weights (K,)."""
    sheet = np.stack([plot.picture for plot in plots])[:, None]
    histograms = [_histogram(plots, truth)] if len(truth) else []
    notes = [judge(plot, truth) for plot in plots] if len(truth) else []
    hint = "on the density at their noise level, bright where it is dense"
    return Strip("particles", hint, sheet, notes, histograms)


def _curve(name: str, hint: str, colour: str, values: list[float]) -> Curve:
    return Curve(name, hint, [Series("", colour, values)])


def _describe_kl(kl: float) -> str:
    return f"KL of the modes {kl:.3f} nats" if np.isfinite(kl) else "no particle is near to a mode"


def judge(plot: Plot, truth: Tensor) -> str:
    """Return in words whether the shares of the modes are their weights (K,), as well as so many particles can tell."""
    if not np.isfinite(plot.kl):
        return "No particle is near to a mode yet."
    is_right = plot.kl < TOLERANCE + 2 * len(truth) / plot.n  # by chance it is K / 2n on average
    verdict = "The modes have their true weights." if is_right else "The modes have wrong weights."
    return f"{verdict}\n{_describe_shares(plot.shares, truth)}" if len(truth) <= FEW else verdict


def _describe_shares(shares: np.ndarray, truth: Tensor) -> str:
    now, true = (" ".join(f"{share:.0%}" for share in values.tolist()) for values in (shares, truth))
    return f"weights: {now}\nthe truth: {true}"


def _histogram(plots: Sequence[Plot], truth: Tensor) -> Histogram:
    counts = [Counts("particles near to each mode", palette.NOISE, np.stack([plot.shares for plot in plots])),
              Counts("the truth", palette.DATA, np.tile(truth.numpy(), (len(plots), 1)))]  # fmt: skip
    return Histogram("weights of the modes", [("first", "last")], counts)
