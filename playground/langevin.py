"""Samplers that follow a score, the gradient of a log density, as generators of moments.

A score is a function of points and of a noise level: score(x, sigma) is the gradient at x (B, ...) of the log density
of data to which N(0, sigma^2 I) was added. The exact score of a known density serves as well as a learned one, and a
diffusion model's is -eps_hat / sigma. Song and Ermon 2019, "Generative Modeling by Estimating Gradients of the Data
Distribution"; Song 2021, "Score-Based Generative Modeling through Stochastic Differential Equations" (whose
variance-exploding case all of this is).
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import log, pi, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from playground.sampling import Denoiser, Noise
from playground.schedule import NoiseSchedule

Score = Callable[[Tensor, float], Tensor]  # x (B, ...), sigma -> the gradient of log p_sigma at x (B, ...)
LogProb = Callable[[Tensor, float], Tensor]  # x (B, ...), sigma -> log p_sigma at x (B,)


class Moment(NamedTuple):
    """One moment of a run.

    Attributes:
        step: steps taken so far.
        sigma: the noise level whose score is followed.
        x: the points (B, ...).
        score: there (B, ...); where sigma is 0, that of the step which led there.
        accepted: which of the last proposals were accepted (B,), all before the first; of MALA alone.
    """

    step: int
    sigma: float
    x: Tensor
    score: Tensor
    accepted: Tensor | None = None


def ladder(low: float, high: float, levels: int) -> list[float]:
    """Noise levels from high to low, a geometric sequence. Song and Ermon 2019, section 4.1."""
    return torch.logspace(0, 1, levels, base=low / high, dtype=torch.float64).mul(high).tolist()


def langevin(
    score: Score, x: Tensor, sigma: float, size: float, steps: int, noise: Noise, temperature: float = 1.0
) -> Iterator[Moment]:
    """Unadjusted Langevin dynamics: x moves by size times the score, and by noise of variance 2 size.

    Where size is small, x ends as p_sigma to the power of 1 / temperature, if only it runs for long enough to cross
    between the modes. Welling and Teh 2011, eq. 3 (with 2 size for epsilon).
    """
    for step in range(steps):
        s = score(x, sigma)
        yield Moment(step, sigma, x, s)
        x = x + size * s + sqrt(2 * size * temperature) * noise(x.shape[1:], x.device)
    yield Moment(steps, sigma, x, score(x, sigma))


def mala(
    score: Score, log_prob: LogProb, x: Tensor, sigma: float, size: float, steps: int, noise: Noise, coins: Noise
) -> Iterator[Moment]:
    """Langevin dynamics whose steps are proposals that may be refused, so that p_sigma is met exactly whatever the size
    of a step. Roberts and Tweedie 1996, section 1.4.2.

    Args:
        coins: decides; its draws are turned into uniform ones.
    """

    def log_q(to: Tensor, x: Tensor, s: Tensor) -> Tensor:
        """Log density of a proposal, but for a constant."""
        return -(to - x - size * s).square().flatten(1).sum(1) / (4 * size)

    s, log_p = score(x, sigma), log_prob(x, sigma)
    accepted = torch.ones(len(x), dtype=torch.bool, device=x.device)
    for step in range(steps):
        yield Moment(step, sigma, x, s, accepted)
        to = x + size * s + sqrt(2 * size) * noise(x.shape[1:], x.device)
        s_to, log_p_to = score(to, sigma), log_prob(to, sigma)
        log_ratio = log_p_to + log_q(x, to, s_to) - log_p - log_q(to, x, s)
        accepted = torch.special.ndtr(coins((), x.device)).log() < log_ratio
        x, s = (torch.where(accepted.reshape(-1, *[1] * (x.dim() - 1)), b, a) for a, b in ((x, to), (s, s_to)))
        log_p = torch.where(accepted, log_p_to, log_p)
    yield Moment(steps, sigma, x, s, accepted)


def annealed(
    score: Score, x: Tensor, sigmas: Sequence[float], each: int, size: float, noise: Noise
) -> Iterator[Moment]:
    """Langevin dynamics at one noise level after the other, then what is expected of the data. Song and Ermon 2019,
    algorithm 1; Jolicoeur-Martineau 2021, "Adversarial score matching", section 4 (the last step).

    Args:
        x: N(0, sigmas[0]^2 I), if nothing is known.
        sigmas: from high to low.
        each: steps at a level.
        size: of a step, by the level's variance.
    """
    step = 0
    for sigma in sigmas:
        for _ in range(each):
            s = score(x, sigma)
            yield Moment(step, sigma, x, s)
            x = x + size * sigma**2 * s + sqrt(2 * size) * sigma * noise(x.shape[1:], x.device)
            step += 1
    s = score(x, sigmas[-1])
    yield Moment(step, 0.0, x + sigmas[-1] ** 2 * s, s)


def predictor_corrector(
    score: Score, x: Tensor, sigmas: Sequence[float], each: int, ratio: float, noise: Noise
) -> Iterator[Moment]:
    """The reverse of the stochastic process that adds noise, and after each of its steps some of Langevin's. Song 2021,
    algorithms 2 and 4; without any of these it is the reverse diffusion alone.

    Args:
        x: N(0, sigmas[0]^2 I).
        sigmas: from high to low.
        each: corrector steps at a level.
        ratio: the signal-to-noise ratio r of such a step, by which its size is chosen, one for the whole batch: the
            points depend a little on those beside them.
    """
    step = 0
    for sigma, lower in pairwise([*sigmas, 0.0]):
        s = score(x, sigma)
        yield Moment(step, sigma, x, s)
        gone = sigma**2 - lower**2
        x = x + gone * s
        step += 1
        if not lower:
            break
        x = x + sqrt(gone) * noise(x.shape[1:], x.device)
        for _ in range(each):
            s, z = score(x, lower), noise(x.shape[1:], x.device)
            yield Moment(step, lower, x, s)
            lengths = [part.flatten(1).norm(dim=1).mean() for part in (z, s)]
            size = 2 * (ratio * lengths[0] / lengths[1]) ** 2  # algorithm 4, line 6
            x = x + size * s + (2 * size).sqrt() * z
            step += 1
    yield Moment(step, 0.0, x, s)


def probability_flow(score: Score, x: Tensor, sigmas: Sequence[float]) -> Iterator[Moment]:
    """The ordinary differential equation dx = -sigma score(x, sigma) dsigma, whose points are distributed as those of
    the stochastic process at every noise level: by Heun's method, whichever way the levels lead. Song 2021, eq. 13;
    Karras 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", algorithm 1."""
    s = score(x, sigmas[0])
    for step, (sigma, to) in enumerate(pairwise(sigmas)):
        yield Moment(step, sigma, x, s)
        euler = x - sigma * s * (to - sigma)
        s_to = score(euler, to)
        x = x - (sigma * s + to * s_to) / 2 * (to - sigma)
        s = score(x, to)
    yield Moment(len(sigmas) - 1, sigmas[-1], x, s)


EACH = 5  # steps of annealed Langevin dynamics at a level
RATIO = 0.16  # of a corrector's step: see `predictor_corrector`
# The samplers from the most noise to the least, and how many steps each makes of so many evaluations of the score.
DESCENTS: dict[str, Callable[[int], int]] = {
    "annealed": lambda evaluations: EACH * max(2, evaluations // EACH),
    "predictor-corrector": lambda evaluations: 2 * max(2, evaluations // 2) - 1,
    "reverse diffusion": lambda evaluations: evaluations,
    "probability flow": lambda evaluations: evaluations // 2,
}


def descent(
    score: Score, x: Tensor, sampler: str, ends: tuple[float, float], evaluations: int, size: float, noise: Noise
) -> Iterator[Moment]:
    """The moments of one of `DESCENTS`, from the most noise to the least.

    Args:
        ends: the least noise and the most.
        evaluations: of the score, at most so many on the way, at least 10; and one where it ends.
        size: of a step of annealed Langevin dynamics, by the variance of the level.
    """
    steps = DESCENTS[sampler](evaluations)
    if sampler == "annealed":
        return annealed(score, x, ladder(*ends, steps // EACH), EACH, size, noise)
    if sampler == "probability flow":
        return probability_flow(score, x, ladder(*ends, 1 + steps))
    corrected = int(sampler == "predictor-corrector")
    return predictor_corrector(score, x, ladder(*ends, (steps + corrected) // (1 + corrected)), corrected, RATIO, noise)


class Estimate(NamedTuple):
    """One moment on the way from data to noise.

    Attributes:
        step: steps taken so far.
        sigma: the noise level.
        x: the points (B, ...).
        score: there (B, ...).
        log_p: log density of where they began (B,), in nats, if the density here were normal; at the end it nearly is.
    """

    step: int
    sigma: float
    x: Tensor
    score: Tensor
    log_p: Tensor


def log_likelihood(
    score: Score, x: Tensor, sigmas: Sequence[float], mean: Tensor, variance: float, probes: Noise | None = None
) -> Iterator[Estimate]:
    """log p of points x at the lowest noise level: what their density is at the highest, where the data are as good as
    normal, and by how much the probability flow thins them out on the way. Song 2021, eq. 39, by Heun's method.

    Args:
        sigmas: from low to high.
        mean: of the data, of a shape that broadcasts to x; `variance` is that of each coordinate around it.
        probes: estimate the divergence by noise (Hutchinson 1990) instead of computing it, where there are too many
            dimensions.
    """
    total = torch.zeros(len(x), dtype=x.dtype, device=x.device)

    def estimate(step: int, sigma: float, s: Tensor) -> Estimate:
        here = variance + sigma**2
        normal = -((x - mean).square() / here + log(2 * pi * here)).flatten(1).sum(1) / 2
        return Estimate(step, sigma, x, s, normal + total)

    s, trace = _with_trace(score, x, sigmas[0], probes)
    for step, (sigma, to) in enumerate(pairwise(sigmas)):
        yield estimate(step, sigma, s)
        s_to, trace_to = _with_trace(score, x - sigma * s * (to - sigma), to, probes)
        x = x - (sigma * s + to * s_to) / 2 * (to - sigma)
        total = total - (sigma * trace + to * trace_to) / 2 * (to - sigma)
        s, trace = _with_trace(score, x, to, probes)
    yield estimate(len(sigmas) - 1, sigmas[-1], s)


def _with_trace(score: Score, x: Tensor, sigma: float, probes: Noise | None) -> tuple[Tensor, Tensor]:
    """The score, and the trace of its Jacobian (B,)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        s = score(x, sigma)
        if probes is not None:
            v = probes(x.shape[1:], x.device).sign()
            trace = (torch.autograd.grad(s, x, v)[0] * v).flatten(1).sum(1)
        else:
            flat = s.flatten(1)
            columns = [torch.autograd.grad(flat[:, i].sum(), x, retain_graph=True)[0] for i in range(flat.shape[1])]
            trace = torch.stack([column.flatten(1)[:, i] for i, column in enumerate(columns)]).sum(0)
    return s.detach(), trace.detach()


# Scores made of others.


def of_denoiser(denoise: Denoiser, schedule: NoiseSchedule) -> Score:
    """That of a diffusion model: x_t = sqrt(alpha_bar) (x + sigma eps) with sigma^2 = (1 - alpha_bar) / alpha_bar, and
    the score is (x0_hat - x) / sigma^2 = -eps_hat / sigma. Vincent 2011, eq. 10; at the schedule's nearest level."""
    levels = noise_levels(schedule)

    def score(x: Tensor, sigma: float) -> Tensor:
        t = 1 + int((levels[1:].log() - log(sigma)).abs().argmin())
        return (denoise(x * schedule.alpha_bar[t].sqrt().item(), t) - x) / sigma**2

    return score


def noise_levels(schedule: NoiseSchedule) -> Tensor:
    """sigma of each time 0 ... T: (T + 1,)."""
    return ((1 - schedule.alpha_bar) / schedule.alpha_bar).sqrt()


def inpainting(score: Score, known: Tensor, mask: Tensor) -> Score:
    """The score of what is missing, given the rest: where the data are known it is (known - x) / sigma^2, elsewhere
    that of all data. After Song 2021, section 5.

    Args:
        known: the data (B, ...).
        mask: where they are known, bool, of a shape that broadcasts to x.
    """
    return lambda x, sigma: torch.where(mask, (known - x) / sigma**2, score(x, sigma))
