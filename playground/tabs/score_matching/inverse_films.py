"""Films of denoising, inpainting and likelihood, and their strips, of which a preview has the newest frame."""

from collections.abc import Sequence
from dataclasses import replace
from math import isclose, log, sqrt

import numpy as np
import torch
from torch import Tensor

from playground.families.score_matching import samplers
from playground.families.score_matching.likelihood import FLAT, LOW, VARIANCE
from playground.nn.normal import log_normal
from playground.runtime import pictures
from playground.runtime.formula import Formula
from playground.runtime.run import Frame
from playground.tabs.score_matching import digits
from playground.tabs.score_matching.inverse_params import GRAIN, STEP_SIZE, Problem, ViewParams
from playground.web import formula, palette
from playground.web.formula import use_minus_signs
from playground.web.scrubber import Curve, Film, Series, Strip

DENOISING = (
    samplers.SAMPLERS["reverse diffusion"].formula,
    Formula(
        "E[x_0 | y] = y + σ_y² s(y, σ_y)",
        "= y + {noise}² s(y, {noise})",
        "in one step, by Tweedie's formula, Efron 2011",
        "y: the noisy picture, x_0 + σ_y ε, where the steps begin",
    ),
)
INPAINTING = (
    samplers.SAMPLERS["annealed"].formula,
    Formula("s(x, σ) = (x_0 − x) / σ²", source="where the picture x_0 is known; after Song 2021, section 5"),
)
LIKELIHOOD_FORMULAS = (
    Formula(
        f"log p(x) = log N(x_{FLAT:g}; mean, {FLAT:g}² + {VARIANCE:g}) − ∫ σ tr(∂s/∂x) dσ",
        source=f"from σ = {LOW:g} to {FLAT:g} along dx = −σ s(x, σ) dσ; Song 2021, eq. 39",
    ),
    Formula(
        "tr(∂s/∂x) ≈ vᵀ (∂s/∂x) v", "σ = {sigma}", "Hutchinson 1990", "s: score · σ: noise level · v: random signs"
    ),
)


def posterior_mean(frames: Sequence[Frame]) -> Tensor:
    """Return the posterior means of the pictures by Tweedie's formula, (F, n, C, H, W)."""
    return torch.stack([frame.x + frame.sigma**2 * frame.score for frame in frames])


def _reference_strip(name: str, hint: str, tiles: list[Tensor], n: int) -> Strip:
    """Return a strip of single pictures, each (F, C, H, W) or (1, C, H, W), in a grid of n."""
    frames = max(map(len, tiles))
    images = [pictures.to_uint8(tile.expand(frames, -1, -1, -1)) for tile in tiles]
    return Strip(name, hint, np.stack([*images, *[np.zeros_like(images[0])] * (n - len(images))], axis=1))


def denoised_strips(params: ViewParams, problem: Problem, first: Frame, frames: Sequence[Frame]) -> list[Strip]:
    """Return the strips of frames, given also the first of the run."""
    y = first.x[:1] / sqrt(1 + first.sigma**2)
    one_step, mean = posterior_mean([first])[0, :1], posterior_mean(frames).mean(1)
    hint = "the picture, with noise, the mean in one step, that of the results"
    tiles = [problem.x0, y, one_step, mean]
    return [*digits.strips(frames, LOW), _reference_strip("for comparison", hint, tiles, params.n)]


def inpainted_strips(params: ViewParams, problem: Problem, first: Frame, frames: Sequence[Frame]) -> list[Strip]:
    """Return the strips of frames, given also the first of the run."""
    expected, visible = posterior_mean(frames), torch.where(problem.missing, 0.0, problem.x0)
    hint = "the picture, what is known, the mean of the results, their spread"
    tiles = [problem.x0, visible, expected.mean(1), 2 * expected.std(1) - 1]
    return [*digits.strips(frames, LOW), _reference_strip("for comparison", hint, tiles, params.n)]


def likelihood_strips(params: ViewParams, problem: Problem, first: Frame, frames: Sequence[Frame]) -> list[Strip]:
    """Return the strips of frames, with the first probe of the picture alone, given also the first of the run."""
    indices = [0, *range(params.n, len(first.x))]
    first_probes = [replace(f, x=f.x[indices], estimates={"score": f.score[indices]}) for f in frames]
    x, *other_strips = digits.strips(first_probes, LOW)
    return [replace(x, hint=f"the picture, inverted, with noise {GRAIN:g}, blank"), *other_strips]


def denoised_film(params: ViewParams, problem: Problem, frames: Sequence[Frame]) -> Film:
    """Return the film of samples of the picture behind a noisy one."""
    expected, x0 = posterior_mean(frames), problem.x0
    psnr, psnr_of_mean = pictures.psnr(expected, x0).mean(1).tolist(), pictures.psnr(expected.mean(1), x0).tolist()
    one_step, noisy = psnr[0], pictures.psnr(frames[0].x[0], x0[0]).item()
    lines = [Series("each", palette.ESTIMATE, psnr), Series("their mean", palette.DATA, psnr_of_mean),
             Series("one step", palette.COMPARISON, [one_step] * len(frames))]  # fmt: skip
    film = _film(
        frames,
        denoised_strips(params, problem, frames[0], frames),
        [f"PSNR {a:.1f} dB each, {b:.1f} dB their mean; in one step {one_step:.1f} dB; the noisy picture {noisy:.1f} dB"
         for a, b in zip(psnr, psnr_of_mean, strict=True)],
        [Curve("PSNR", "Of the expected pictures against the original, in dB; more is closer.", lines),
         _spread(expected.std(1).square().mean((1, 2, 3)))],
        DENOISING,
    )  # fmt: skip
    return replace(film, numbers={**film.numbers, "noise": [f"{params.noise:g}"] * len(frames)})


def inpainted_film(params: ViewParams, problem: Problem, frames: Sequence[Frame]) -> Film:
    """Return the film of samples of what is missing."""
    visible, missing = (mask.expand_as(problem.x0)[0] for mask in (~problem.missing, problem.missing))
    error = [round((frame.x - problem.x0)[:, visible].square().mean().sqrt().item(), 6) for frame in frames]
    spread = _spread(posterior_mean(frames).std(1)[:, missing].square().mean(1))
    return _film(
        frames,
        inpainted_strips(params, problem, frames[0], frames),
        [f"known pixels off by {a:.2g} · results differ by {b:.2g}"
         for a, b in zip(error, spread.series[0].values, strict=True)],
        [Curve.of("error where known", "Root mean square; black to white is 2.",
                  palette.DATA, error, log=True), spread],
        INPAINTING,
    )  # fmt: skip


def likelihood_film(params: ViewParams, problem: Problem, frames: Sequence[Frame]) -> Film:
    """Return the film of the estimates of log p, of the picture and of those that it is compared with."""
    log_p = torch.stack([frame.extras["log_p"] for frame in frames])  # (F, n + 3)
    probes, d = log_p[:, : params.n], problem.x0.numel()
    mean, above = probes.mean(1), probes - probes.mean(1, keepdim=True)
    lines = dict(zip(("picture", "inverted", "with noise", "blank"), [mean, *log_p[:, params.n :].T], strict=True))
    result, noise = mean[-1].item(), log_normal(frames[0].x[:1], problem.x0, LOW).item()
    is_over = isclose(frames[-1].sigma, FLAT, rel_tol=1e-3)
    name = "log p" if is_over else f"log p if the run had ended at σ = {frames[-1].sigma:.3g}"  # it was stopped
    caption = (
        f"{name} = {result:.0f} ± {probes[-1].std().item():.1f} nats, {-result / log(2) / d:.2f} bits per "
        f"dimension · {(noise - result) / log(2):.0f} bits beyond the noise · estimate so far {{:.0f}} nats"
    )
    results = f"{name}: " + ", ".join(f"{line[-1]:.0f}" for line in lines.values()) + " nats"
    x, *other_strips = likelihood_strips(params, problem, frames[0], frames)
    colours = (palette.DATA, palette.COMPARISON, palette.NOISE, palette.ESTIMATE)
    film = _film(
        frames,
        [replace(x, notes=[use_minus_signs(results)] * len(frames)), *other_strips],
        [use_minus_signs(caption.format(value)) for value in mean.tolist()],
        [Curve("log p", "Nats, as if the density at this σ were normal, which at the right end it is.",
               [Series(name, colour, lines[name].tolist()) for name, colour in zip(lines, colours, strict=True)]),
         Curve("probes", "The highest and the lowest estimate for the picture, minus their mean, in nats.",
               [Series("highest", palette.DATA, above.amax(1).tolist()),
                Series("lowest", palette.COMPARISON, above.amin(1).tolist())])],
        LIKELIHOOD_FORMULAS,
    )  # fmt: skip
    return replace(film, start=0)


def _spread(variance: Tensor) -> Curve:
    hint = "How much the expected pictures differ from each other, root mean square."
    return Curve.of("spread", hint, palette.ESTIMATE, variance.sqrt().tolist())


def _film(
    frames: Sequence[Frame],
    strips: Sequence[Strip],
    captions: Sequence[str],
    curves: Sequence[Curve],
    formulas: Sequence[Formula],
) -> Film:
    """Return the film of a run: what the tasks have in common."""
    sigmas = [frame.sigma for frame in frames]
    return Film(
        strips,
        [f"step {frame.step} · σ = {frame.sigma:.3g} · {text}"
         for frame, text in zip(frames, captions, strict=True)],
        (f"σ = {sigmas[0]:.3g}", f"σ = {sigmas[-1]:.3g}"),
        [*curves, Curve.of("σ", "The noise level.", palette.NOISE, sigmas, log=True)],
        formula.render(formulas),
        samplers.numbers(sigmas, STEP_SIZE),
    )  # fmt: skip
