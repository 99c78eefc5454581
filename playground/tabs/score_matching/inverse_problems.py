"""Three inverse problems of digits, solved by one score: denoising, inpainting, and the likelihood of a picture."""

from collections.abc import Iterator
from math import e, log, pi

import torch
from torch import Tensor

from playground.datasets import variations
from playground.datasets.mnist import PADDING
from playground.families import ddpm
from playground.families.score_matching import langevin, samplers
from playground.families.score_matching.langevin import Score
from playground.families.score_matching.likelihood import LOW, flow_to_noise
from playground.runtime.rng import Noise, make_rng
from playground.runtime.run import Frame
from playground.runtime.validation import UserError
from playground.tabs.score_matching import digits
from playground.tabs.score_matching.inverse_params import EMPTY, GRAIN, SIDE, STEP_SIZE, Problem, ViewParams


def check(model: ddpm.Model) -> None:
    """Check that a model draws pictures like those of this view, or raise UserError."""
    shape = model.config.channels, model.config.size, model.config.size
    if shape != (1, SIDE, SIDE):
        raise UserError(f"this view restores grey pictures of {SIDE} x {SIDE} pixels: choose a model of those")


def score_of(model: ddpm.Model, params: ViewParams, n: int) -> Score:
    """Return the score of n pictures: of all digits, or of one."""
    any_digit = params.digit == digits.ANY
    y = ddpm.labels(model, ddpm.Settings(n, None if any_digit else int(params.digit)))
    return langevin.denoiser_to_score(model.denoiser(y, 0.0 if any_digit else 1.0, clip=True), model.schedule)


def denoise(model: ddpm.Model, params: ViewParams, problem: Problem) -> Iterator[Frame]:
    """Return samples of p(x0 | y), where y = x0 + σ ε: the reverse process begins at y instead of at mere noise."""
    y = problem.x0 + params.noise * _noise(params, problem.x0)
    score, x, noise = score_of(model, params, params.n), y.repeat(params.n, 1, 1, 1), Noise(params.seed, params.n)
    return samplers.sample(score, x, "reverse diffusion", (LOW, params.noise), params.evaluations, STEP_SIZE, noise)


def inpaint(model: ddpm.Model, params: ViewParams, problem: Problem) -> Iterator[Frame]:
    """Return samples of what is missing, given the rest."""
    score = langevin.inpainting_score(score_of(model, params, params.n), problem.x0, ~problem.missing)
    noise = Noise(params.seed, params.n)
    x = EMPTY * noise(problem.x0.shape[1:])
    return samplers.sample(score, x, "annealed", (LOW, EMPTY), params.evaluations, STEP_SIZE, noise)


def likelihood(model: ddpm.Model, params: ViewParams, problem: Problem) -> Iterator[Frame]:
    """Return log p of the picture by n probes, and of those it is compared with by one."""
    x0 = make_references(params, problem.x0)
    copies = torch.tensor([params.n, *[1] * (len(x0) - 1)])
    x = (x0 + LOW * _noise(params, problem.x0)).repeat_interleave(copies, 0)
    score, probes = score_of(model, params, len(x)), Noise(params.seed, len(x))
    yield from flow_to_noise(score, x, params.evaluations, probes)


def make_references(params: ViewParams, x0: Tensor) -> Tensor:
    """Return the picture, its negative within the border, the picture with noise, and a blank one: (4, C, H, W)."""
    grain = torch.randn(x0.shape, generator=make_rng(params.seed, 0, 0))
    return torch.cat([x0, variations.invert(x0, PADDING), x0 + GRAIN * grain, variations.blank(x0.shape)])


def _noise(params: ViewParams, x0: Tensor) -> Tensor:
    """Return unit noise in the picture, of a stream of its own."""
    return torch.randn(x0.shape, generator=make_rng(params.seed))


def entropy(sigma: float) -> float:
    """Return the entropy of normal noise in one dimension, in nats."""
    return log(2 * pi * e * sigma**2) / 2
