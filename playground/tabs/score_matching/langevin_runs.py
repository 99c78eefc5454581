"""Runs of particles that follow a score through the plane, and their films."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from playground.datasets import densities
from playground.datasets.densities import Density, Mixture
from playground.families import score_matching
from playground.families.score_matching import particles, samplers
from playground.families.score_matching.langevin import Score
from playground.families.score_matching.particles import Measures, Settings
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.runtime.recording import subsample
from playground.runtime.run import Frame
from playground.runtime.validation import UserError
from playground.tabs.score_matching import particle_marks
from playground.web import formula, palette
from playground.web.checkpoint_picker import CheckpointPicker, nested_value, settings_from
from playground.web.scrubber import Counts, Curve, Film, Histogram, Strip

CHECKPOINTS = CheckpointPicker[score_matching.Model]("score_matching", "score-grid")
EXACT, LEARNED = SCORES = ("exact", "learned")
SPAN = 3.2  # the picture goes from -SPAN to SPAN
SIDE, CELL = 240, 4  # pixels a side: of the picture, of the density's cells
FEW = 8  # modes whose weights are written out
MAX_FRAMES = 101
NO_MODES = torch.zeros(0)  # weights of none
LOST = 1000.0  # farther from 0 than any noise carries a particle


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls."""

    model: str = ""  # the checkpoint of a learned score, if it is of the data; else the first that is
    data: str = Settings.data
    score: str = EXACT  # the exact one, or the one that a network learned
    # See `Settings`.
    sampler: str = Settings.sampler
    n: int = Settings.n
    step_size: float = Settings.step_size
    temperature: float = Settings.temperature
    steps: int = Settings.steps
    low: float = Settings.low
    high: float = Settings.high
    seed: int = Settings.seed

    def __post_init__(self) -> None:
        validation.check_choice("score", self.score, SCORES)
        if self.settings.sampler == "mala" and self.score == LEARNED:
            raise UserError(
                "Metropolis-adjusted steps need the density itself, and only the exact score has one: choose exact"
            )

    @property
    def settings(self) -> Settings:
        """Return the settings of the run, or raise UserError if one is not allowed."""
        return settings_from(Settings, self)


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
            f"`python -m train score-grid --name score-{data} --config.data {data}`"
        )
    names = checkpoints[data]
    return model if isinstance(model, str) and model in names else names[0]


def resolve(paths: Paths, params: ViewParams) -> ViewParams:
    """Return the parameters with the name of the checkpoint whose score is followed, "" if that is exact."""
    return replace(params, model="" if params.score == EXACT else resolve_checkpoint(paths, params.data, params.model))


def score_of(paths: Paths, params: ViewParams) -> Score:
    """Return the score to follow, or raise UserError if none was learned of this density or at these noise levels."""
    if params.score == EXACT:
        return densities.make_true_score(params.settings.density)
    model = CHECKPOINTS.load(paths, resolve_checkpoint(paths, params.data, params.model))
    low, high = model.config.sigma_min, model.config.sigma_max
    if not low <= params.low <= high or (params.high > high and params.sampler in samplers.FROM_NOISE):
        raise UserError(
            f"the network has learned noise from {low:g} to {high:g}: stay within, or choose the exact score"
        )
    return model.score()


def drop(score: Score, params: ViewParams, place: tuple[float, float], length: int) -> np.ndarray:
    """Return the path of a particle that begins at a place of the picture, as fractions of its width from the left and
    of its height from the top: (F, 2), in the film of a run of so many frames. Raise UserError if it is lost."""
    x, y = ((2 * share - 1) * SPAN for share in place)
    frames = subsample(list(islice(particles.sample(score, params.settings, (x, -y)), length)), MAX_FRAMES)
    path = torch.stack([frame.x[0] for frame in frames])
    if not (path.abs() < LOST).all():  # nor if it is no number
        raise UserError("the particle ran off to infinity: drop it elsewhere, or choose a smaller step")
    return to_picture(path).numpy()


def to_picture(x: Tensor) -> Tensor:
    """Return points of the plane (..., 2) as fractions of the picture's width and height, from the left and the top."""
    return (x * torch.tensor([1.0, -1.0]) / SPAN + 1) / 2


class Plot(NamedTuple):
    """Drawing of a frame of n particles, uint8 (SIDE, SIDE, 3), with its measures."""

    picture: np.ndarray
    measures: Measures
    n: int


def plot(params: ViewParams, frame: Frame, score: Score, past: Sequence[Frame] = ()) -> Plot:
    """Draw a frame of a run, with the score and the trails from the frames before it, and measure it."""
    density, sigma = params.settings.density, max(frame.sigma, params.low)  # a run may end without noise
    sheet, places = _draw_density(density, frame), [each.x for each in (*past, frame)]
    sheet = particle_marks.draw(sheet, score, sigma, places, lambda x: SIDE * to_picture(x))
    return Plot(_draw_points(sheet, frame), particles.measure(density, frame), len(frame.x))


def draw_particles(density: Density, frame: Frame) -> np.ndarray:
    """Return the particles on the density at their noise level, uint8 (SIDE, SIDE, 3)."""
    return _draw_points(_draw_density(density, frame), frame)


def _draw_density(density: Density, frame: Frame) -> np.ndarray:
    return background(density, round(frame.sigma, 6)).repeat(CELL, 0).repeat(CELL, 1)


def _draw_points(sheet: np.ndarray, frame: Frame) -> np.ndarray:
    """Draw the particles into a picture, and return it."""
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
    """Return the density with noise of a level, dark where there is little, uint8 (SIDE / CELL, SIDE / CELL, 3)."""
    line = (torch.arange(SIDE // CELL) + 0.5) / (SIDE // CELL) * 2 * SPAN - SPAN
    y, x = torch.meshgrid(-line, line, indexing="ij")
    noised = density.add_noise(max(sigma, 0.03))
    p = noised.log_prob(torch.stack([x, y], dim=-1).reshape(-1, 2)).exp().reshape(x.shape)
    rgb = (p / p.max()).sqrt()[..., None] * torch.tensor([70.0, 130.0, 180.0]) + torch.tensor([0.0, 0.0, 12.0])
    return rgb.byte().numpy()


def preview(params: ViewParams, frame: Frame, score: Score) -> Strip:
    """Return the picture of a run's newest frame."""
    return strip([plot(params, frame, score)])


def film(params: ViewParams, run: Sequence[Frame], score: Score) -> Film:
    """Return the film of a run along a score, or raise UserError if the particles are lost."""
    if not (run[-1].x.abs() < LOST).all():  # nor if it is no number
        raise UserError("the particles ran off to infinity: choose a smaller step")
    density, frames = params.settings.density, subsample(run, MAX_FRAMES)
    sigmas = [frame.sigma for frame in frames]
    plots = [
        plot(params, frame, score, frames[max(k - particle_marks.MEMORY, 0) : k]) for k, frame in enumerate(frames)
    ]
    measures = [plot.measures for plot in plots]
    truth = density.modes()[1] if isinstance(density, Mixture) and density.multimodal else NO_MODES
    captions = [f"step {frame.step} · σ = {frame.sigma:.3g}" for frame in frames]
    curves = [
        Curve.of("σ", "The noise level whose score is followed.", palette.DATA, sigmas),
        Curve.of("score", "Its mean length at the particles.", palette.ESTIMATE, [m.score_length for m in measures]),
    ]
    if len(truth):
        captions = [f"{text} · {_describe_kl(m.kl)}" for text, m in zip(captions, measures, strict=True)]
        hint = "KL divergence of the modes' shares from the true ones, in nats."
        curves.append(Curve.of("KL", hint, palette.NOISE, [m.kl for m in measures]))
    if params.sampler == "mala":
        curves.append(
            Curve.of("accepted", "Share of accepted moves.", palette.COMPARISON, [m.acceptance for m in measures])
        )
    return Film(
        [strip(plots, truth)],
        captions,
        ("step 0", f"step {run[-1].step}"),
        curves,
        formula.render([samplers.SAMPLERS[params.sampler].formula]),
        samplers.numbers(sigmas, params.settings.h, params.temperature),
        keep=True,
        path_hint="Click to drop a particle and follow its path",
    )  # fmt: skip


def strip(plots: Sequence[Plot], truth: Tensor = NO_MODES) -> Strip:
    """Return the pictures of a run, and below them the shares of its modes beside their true weights (K,)."""
    sheet = np.stack([plot.picture for plot in plots])[:, None]
    histograms = [_histogram(plots, truth)] if len(truth) else []
    notes = [judge(plot, truth) for plot in plots] if len(truth) else []
    hint = "on the density at their noise level; arrows: the score; lines: where a few of them come from"
    return Strip("particles", hint, sheet, notes, histograms)


def _describe_kl(kl: float) -> str:
    return f"KL of the modes {kl:.3f} nats" if np.isfinite(kl) else "no particle is near a mode"


def judge(plot: Plot, truth: Tensor) -> str:
    """Return in words whether the shares of the modes are their weights (K,), as well as so many particles can tell."""
    shares, kl, *_ = plot.measures
    if not np.isfinite(kl):
        return "No particle is near a mode yet."
    is_right = particles.has_true_weights(kl, len(truth), plot.n)
    verdict = "The modes have their true weights." if is_right else "The modes have wrong weights."
    return f"{verdict}\n{_describe_shares(shares, truth)}" if len(truth) <= FEW else verdict


def _describe_shares(shares: Tensor, truth: Tensor) -> str:
    now, true = (" ".join(f"{share:.0%}" for share in values.tolist()) for values in (shares, truth))
    return f"weights from left to right: {now}\nthe truth: {true}"


def _histogram(plots: Sequence[Plot], truth: Tensor) -> Histogram:
    shares = np.stack([plot.measures.shares for plot in plots])
    counts = [Counts("particles near each mode", palette.NOISE, shares),
              Counts("the truth", palette.DATA, np.tile(truth.numpy(), (len(plots), 1)))]  # fmt: skip
    return Histogram("weights of the modes, from left to right", [("leftmost", "rightmost")], counts)
