"""Three tasks for the score of digits: what is run for each, and what is shown of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import e, log, pi, sqrt
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from playground import langevin, pictures, sampling, validation
from playground.data.digits import crop, pad
from playground.formulas import minus
from playground.langevin import Estimate, Moment, Score
from playground.models import ddpm
from playground.sampling import Noise
from playground.tabs.ddpm import forward
from playground.tabs.score import digits, samplers
from playground.ui import palette
from playground.ui.scrubber import Curve, Series, Strip

LEFT, LOWER, SQUARE, PAINTED = MASKS = ("Left half", "Lower half", "Square", "Paint")
LOW = 0.05  # the least noise
EMPTY, FLAT = 4.0, 20.0  # noise in which little is left to see, and in which the data are as good as normal
SIZE = 0.3  # of a step of annealed Langevin dynamics, by the variance of the level
VARIANCE = 0.2  # of a pixel of MNIST, on average
GRAIN = 0.1  # of the noise in the picture that is compared
BESIDE = 4  # pictures beside the results


@dataclass(frozen=True)
class Asked:
    """What a link restores, and the controls hold, in their order. A drawing or an upload fits into no link.

    Attributes:
        task: one of `TASKS`.
        picture: one of `forward.KINDS`.
        number: of a test image.
        mask: what is missing, for Inpaint.
        noise: that is added, for Denoise.
        n: results of the same picture, or probes of its likelihood.
        evaluations: of the network for each.
        digit: whose score is followed.
        seed: of the noise.
    """

    task: str = "Denoise"
    picture: str = forward.MODEL
    number: int = 0
    mask: str = LEFT
    noise: float = 1.5
    n: int = 4
    evaluations: int = 120
    digit: str = digits.ANY
    seed: int = 0

    def __post_init__(self) -> None:
        names = {"task": TASKS, "picture": forward.KINDS, "mask": MASKS, "digit": digits.DIGITS}
        for name, allowed in names.items():
            validation.choice(name, getattr(self, name), allowed)
        whole = {"number": (0, 9_999), "n": (BESIDE, 10), "evaluations": (10, 400), "seed": (0, validation.MAX_SEED)}
        validation.bound(self, whole, {"noise": (2 * LOW, 5.0)})


class Problem(NamedTuple):
    """A picture x0 (1, C, H, W), and where it is missing, bool (1, 1, H, W)."""

    x0: Tensor
    gone: Tensor


def score_of(model: ddpm.Model, asked: Asked, n: int) -> Score:
    """The score of n pictures: of all digits, or of one."""
    any_digit = asked.digit == digits.ANY
    y = torch.full((n,), 0 if any_digit else int(asked.digit))
    return langevin.of_denoiser(model.denoiser(y, 0.0 if any_digit else 1.0, clip=True), model.schedule)


def denoise(model: ddpm.Model, asked: Asked, problem: Problem) -> Iterator[Moment]:
    """Samples of p(x0 | y), where y = x0 + σ ε: the reverse process begins at y instead of at mere noise."""
    y = problem.x0 + asked.noise * _noise(asked, problem.x0)
    score, x, noise = score_of(model, asked, asked.n), y.repeat(asked.n, 1, 1, 1), Noise(asked.seed, asked.n)
    return langevin.descent(score, x, "reverse diffusion", (LOW, asked.noise), asked.evaluations, SIZE, noise)


def inpaint(model: ddpm.Model, asked: Asked, problem: Problem) -> Iterator[Moment]:
    """Samples of what is missing, given the rest."""
    score = langevin.inpainting(score_of(model, asked, asked.n), problem.x0, ~problem.gone)
    noise = Noise(asked.seed, asked.n)
    x = EMPTY * noise(problem.x0.shape[1:])
    return langevin.descent(score, x, "annealed", (LOW, EMPTY), asked.evaluations, SIZE, noise)


def likelihood(model: ddpm.Model, asked: Asked, problem: Problem) -> Iterator[Estimate]:
    """log p of the picture by n probes, and of those it is compared with by one."""
    x0 = compared(asked, problem.x0)
    each = torch.tensor([asked.n, *[1] * (len(x0) - 1)])
    x = (x0 + LOW * _noise(asked, problem.x0)).repeat_interleave(each, 0)
    score, probes = score_of(model, asked, len(x)), Noise(asked.seed, len(x))
    mean = x + FLAT**2 * score(x, FLAT)  # all that is expected of the data where nothing is seen of them
    sigmas = langevin.ladder(LOW, FLAT, 1 + asked.evaluations // 2)[::-1]
    yield from langevin.log_likelihood(score, x, sigmas, mean, VARIANCE, probes)


def compared(asked: Asked, x0: Tensor) -> Tensor:
    """The picture, its negative within the border, the picture with noise, and a blank one: (4, C, H, W)."""
    grain = torch.randn(x0.shape, generator=sampling.generator(asked.seed, 0, 0))
    return torch.cat([x0, pad(-crop(x0)), x0 + GRAIN * grain, torch.full_like(x0, -1)])


def _noise(asked: Asked, x0: Tensor) -> Tensor:
    """Unit noise in the picture, of a stream of its own."""
    return torch.randn(x0.shape, generator=sampling.generator(asked.seed))


# What is shown of them.


def _expected(moments: Sequence[Moment]) -> Tensor:
    """What is expected of the pictures, by Tweedie's formula: (F, n, C, H, W)."""
    return torch.stack([each.x + each.sigma**2 * each.score for each in moments])


def _beside(name: str, hint: str, tiles: list[Tensor], n: int) -> Strip:
    """A strip of single pictures, each (F, C, H, W) or (1, C, H, W), in a grid of n."""
    frames = max(len(tile) for tile in tiles)
    drawn = [pictures.to_uint8(tile.expand(frames, -1, -1, -1)) for tile in tiles]
    return Strip(name, hint, np.stack([*drawn, *[np.zeros_like(drawn[0])] * (n - len(drawn))], axis=1))


def denoised_strips(asked: Asked, problem: Problem, first: Moment, moments: list[Moment]) -> list[Strip]:
    y = first.x[:1] / sqrt(1 + first.sigma**2)
    one_step, mean = _expected([first])[0, :1], _expected(moments).mean(1)
    hint = "the picture, with noise, the mean in one step, that of the results"
    return [*digits.strips(moments, LOW), _beside("beside them", hint, [problem.x0, y, one_step, mean], asked.n)]


def inpainted_strips(asked: Asked, problem: Problem, first: Moment, moments: list[Moment]) -> list[Strip]:
    expected, holed = _expected(moments), torch.where(problem.gone, 0.0, problem.x0)
    hint = "the picture, what is known, the mean of the results, their spread"
    tiles = [problem.x0, holed, expected.mean(1), 2 * expected.std(1) - 1]
    return [*digits.strips(moments, LOW), _beside("beside them", hint, tiles, asked.n)]


def likely_strips(asked: Asked, problem: Problem, first: Estimate, moments: list[Estimate]) -> list[Strip]:
    shown = [0, *range(asked.n, len(first.x))]
    first_of_each = [Moment(each.step, each.sigma, each.x[shown], each.score[shown]) for each in moments]
    x, *others = digits.strips(first_of_each, LOW)
    return [replace(x, hint=f"the picture, inverted, with noise {GRAIN:g}, blank"), *others]


def denoised_film(asked: Asked, problem: Problem, moments: list[Moment]) -> dict[str, Any]:
    expected, x0 = _expected(moments), problem.x0
    each, mean = pictures.psnr(expected, x0).mean(1).tolist(), pictures.psnr(expected.mean(1), x0).tolist()
    noisy = pictures.psnr(moments[0].x[0], x0[0]).item()
    return _packed(
        moments,
        denoised_strips(asked, problem, moments[0], moments),
        [f"PSNR {a:.1f} dB each, {b:.1f} dB their mean; in one step {each[0]:.1f} dB; the noisy picture {noisy:.1f} dB"
         for a, b in zip(each, mean, strict=True)],
        [Curve("PSNR", "Of the expected pictures to the original, dB; more is nearer.",
               [Series("each", palette.ESTIMATE, each), Series("their mean", palette.DATA, mean),
                Series("one step", palette.COMPARED, [each[0]] * len(each))]),
         _spread(expected.std(1).square().mean((1, 2, 3)))],
        f"{samplers.formula('reverse diffusion', SIZE)}, from y = x<sub>0</sub> + {asked.noise:g} ε<br>"
        f"<i>in one step</i> E[x<sub>0</sub> | y] = y + {asked.noise:g}² s(y, {asked.noise:g})",
    )  # fmt: skip


def inpainted_film(asked: Asked, problem: Problem, moments: list[Moment]) -> dict[str, Any]:
    known, gone = (where.expand_as(problem.x0)[0] for where in (~problem.gone, problem.gone))
    error = [round((each.x - problem.x0)[:, known].square().mean().sqrt().item(), 6) for each in moments]
    spread = _spread(_expected(moments).std(1)[:, gone].square().mean(1))
    return _packed(
        moments,
        inpainted_strips(asked, problem, moments[0], moments),
        [f"known pixels off by {a:.2g} · results differ by {b:.2g}"
         for a, b in zip(error, spread.series[0].values, strict=True)],
        [Curve("error where known", "Root mean square; black to white is 2.",
               [Series("", palette.DATA, error)], log=True), spread],
        f"{samplers.formula('annealed', SIZE)}<br><i>where the picture x<sub>0</sub> is known,</i> "
        "s(x, σ) = (x<sub>0</sub> − x) / σ²",
    )  # fmt: skip


def likely_film(asked: Asked, problem: Problem, moments: list[Estimate]) -> dict[str, Any]:
    log_p = torch.stack([each.log_p for each in moments])  # (F, n + 3)
    probes, x0 = log_p[:, : asked.n], problem.x0
    mean, above = probes.mean(1), probes - probes.mean(1, keepdim=True)
    lines = [mean, *log_p[:, asked.n :].T]
    colours = (palette.DATA, palette.COMPARED, palette.NOISE, palette.ESTIMATE)
    names = ("picture", "inverted", "with noise", "blank")
    result, noise = mean[-1].item(), normal((moments[0].x[:1] - x0), LOW).item()
    told = (
        f"log p = {result:.0f} ± {probes[-1].std().item():.1f} nats, {-result / log(2) / x0.numel():.2f} bits per "
        f"dimension · {(noise - result) / log(2):.0f} bits beyond the noise · estimate so far {{:.0f}} nats"
    )
    results = "log p: " + ", ".join(f"{line[-1]:.0f}" for line in lines) + " nats"
    x, *others = likely_strips(asked, problem, moments[0], moments)
    return _packed(
        moments,
        [replace(x, notes=[minus(results)] * len(moments)), *others],
        [minus(told.format(value)) for value in mean.tolist()],
        [Curve("log p", "Nats, as if the density at this σ were normal, which at the right end it is.",
               [Series(*line[:2], line[2].tolist()) for line in zip(names, colours, lines, strict=True)]),
         Curve("probes", "The highest and the lowest estimate of the picture, less their mean, nats.",
               [Series("highest", palette.DATA, above.amax(1).tolist()),
                Series("lowest", palette.COMPARED, above.amin(1).tolist())])],
        f"log p(x) = log N(x<sub>{FLAT:g}</sub>; mean, {FLAT:g}² + {VARIANCE:g}) − ∫ σ tr(∂s/∂x) dσ "
        f"<i>from {LOW:g} to {FLAT:g} along</i> dx = −σ s(x, σ) dσ<br>tr(∂s/∂x) ≈ vᵀ (∂s/∂x) v, v = ±1, "
        'σ = <b data-number="sigma"></b>',
        start=0,
    )  # fmt: skip


def entropy(sigma: float) -> float:
    """Of normal noise in one dimension, in nats."""
    return log(2 * pi * e * sigma**2) / 2


def normal(x: Tensor, sigma: float) -> Tensor:
    """Log density of N(0, sigma^2 I) at x (B, ...): (B,), in nats."""
    return torch.distributions.Normal(0, sigma).log_prob(x).flatten(1).sum(1)


def _spread(variance: Tensor) -> Curve:
    hint = "How much the expected pictures differ from each other, root mean square."
    return Curve("spread", hint, [Series("", palette.ESTIMATE, variance.sqrt().tolist())])


def _packed(
    moments: Sequence[Any], strips: list[Strip], told: list[str], curves: list[Curve], formula: str, start: int = -1
) -> dict[str, Any]:
    """The arguments of `scrubber.pack`: what the tasks have in common."""
    sigmas = [each.sigma for each in moments]
    return {
        "strips": strips,
        "captions": [f"step {each.step} of {moments[-1].step} · σ = {each.sigma:.3g} · {words}"
         for each, words in zip(moments, told, strict=True)],
        "ends": (f"σ = {sigmas[0]:.3g}", f"σ = {sigmas[-1]:.3g}"),
        "curves": [*curves, Curve("σ", "The noise level.", [Series("", palette.NOISE, sigmas)], log=True)],
        "formula": formula,
        "numbers": {"sigma": [f"{sigma:.3g}" for sigma in sigmas]},
        "start": start,
    }  # fmt: skip


class Task(NamedTuple):
    """A task.

    Attributes:
        run: its moments, of a model, what is asked and the problem.
        strips: what some of them show, given also the first of all.
        film: the arguments of `scrubber.pack` for those that are kept.
        code: the function that is worth reading.
        steps: that n evaluations make.
    """

    run: Callable[[ddpm.Model, Asked, Problem], Iterator[Any]]
    strips: Callable[[Asked, Problem, Any, list[Any]], list[Strip]]
    film: Callable[[Asked, Problem, list[Any]], dict[str, Any]]
    code: Callable[..., Any]
    steps: Callable[[int], int]


TASKS = {
    "Denoise": Task(
        denoise, denoised_strips, denoised_film, langevin.predictor_corrector, langevin.DESCENTS["reverse diffusion"]
    ),
    "Inpaint": Task(inpaint, inpainted_strips, inpainted_film, langevin.inpainting, langevin.DESCENTS["annealed"]),
    "Likelihood": Task(likelihood, likely_strips, likely_film, langevin.log_likelihood, lambda n: n // 2),
}
