"""Samplers that follow a score, the gradient of a log-density, as generators of frames.

A score is a function of points and a noise level: score(x, sigma) is the gradient at x (B, ...) of the log-density of
data with noise N(0, sigma^2 I) added. The exact score of a known density serves as well as a learned one, and a
diffusion model's is -eps_hat / sigma. Song and Ermon 2019, "Generative Modeling by Estimating Gradients of the Data
Distribution"; Song 2021, "Score-Based Generative Modeling through Stochastic Differential Equations", the
variance-exploding case.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import log, sqrt

import torch
from torch import Tensor

from playground.diffusion.samplers import Denoiser
from playground.diffusion.schedule import NoiseSchedule
from playground.nn.normal import log_normal
from playground.runtime.rng import Noise
from playground.runtime.run import Frame

Score = Callable[[Tensor, float], Tensor]  # x (B, ...), sigma -> the gradient of log p_sigma at x (B, ...)
LogProb = Callable[[Tensor, float], Tensor]  # x (B, ...), sigma -> log p_sigma at x (B,)


def geometric_sigmas(sigma_min: float, sigma_max: float, levels: int) -> list[float]:
    """Return a geometric sequence of noise levels from high to low. Song and Ermon 2019, section 4.1."""
    return torch.logspace(0, 1, levels, base=sigma_min / sigma_max, dtype=torch.float64).mul(sigma_max).tolist()


def langevin(
    score: Score, x: Tensor, sigma: float, step_size: float, steps: int, noise: Noise, temperature: float = 1.0
) -> Iterator[Frame]:
    """Sample by unadjusted Langevin dynamics. Welling and Teh 2011, eq. 3, with 2 `step_size` for epsilon.

    Each step adds step_size times the score, and noise of variance 2 step_size. With small steps the samples converge
    to p_sigma to the power of 1 / temperature, if the run is long enough to cross between the modes.

    Args:
        x: Points (B, ...) where the run begins.
        sigma: Noise level, which stays.
        step_size: Size of a step, in units of x squared.
    """
    for step in range(steps):
        s = score(x, sigma)
        yield Frame(step, sigma, x, {"score": s})
        x = x + step_size * s + sqrt(2 * step_size * temperature) * noise(x.shape[1:], x.device)
    yield Frame(steps, sigma, x, {"score": score(x, sigma)})


def mala(
    score: Score,
    log_prob: LogProb,
    x: Tensor,
    sigma: float,
    step_size: float,
    steps: int,
    noise: Noise,
    accept_noise: Noise,
) -> Iterator[Frame]:
    """Sample by the Metropolis-adjusted Langevin algorithm. Roberts and Tweedie 1996, section 1.4.2.

    Each Langevin step is a proposal, accepted or rejected so that p_sigma is exactly stationary for any step size.

    Args:
        x, sigma, step_size: As in `langevin`.
        accept_noise: Normal noise, mapped to the uniform numbers that decide on acceptance.

    Yields:
        Frames with the extra "accepted", bool (B,): the last proposals that were accepted; all True before the first.
    """

    def log_q(proposal: Tensor, x: Tensor, s: Tensor) -> Tensor:
        """Return the log-density of proposals given x (B,), up to a constant."""
        return -(proposal - x - step_size * s).square().flatten(1).sum(1) / (4 * step_size)

    s, log_p = score(x, sigma), log_prob(x, sigma)
    accepted = torch.ones(len(x), dtype=torch.bool, device=x.device)
    for step in range(steps):
        yield Frame(step, sigma, x, {"score": s}, {"accepted": accepted})
        proposal = x + step_size * s + sqrt(2 * step_size) * noise(x.shape[1:], x.device)
        new_s, new_log_p = score(proposal, sigma), log_prob(proposal, sigma)
        log_ratio = new_log_p + log_q(x, proposal, new_s) - log_p - log_q(proposal, x, s)
        accepted = torch.special.ndtr(accept_noise((), x.device)).log() < log_ratio
        mask = accepted.reshape(-1, *[1] * (x.dim() - 1))
        x, s = torch.where(mask, proposal, x), torch.where(mask, new_s, s)
        log_p = torch.where(accepted, new_log_p, log_p)
    yield Frame(steps, sigma, x, {"score": s}, {"accepted": accepted})


def annealed(
    score: Score, x: Tensor, sigmas: Sequence[float], steps_per_level: int, step_size: float, noise: Noise
) -> Iterator[Frame]:
    """Sample by annealed Langevin dynamics, with a last step that removes the noise left. Song and Ermon 2019,
    algorithm 1; Jolicoeur-Martineau 2021, "Adversarial score matching", section 4.

    Args:
        x: Samples of N(0, sigmas[0]^2 I) (B, ...).
        sigmas: Noise levels from high to low.
        steps_per_level: Steps at each noise level.
        step_size: Size of a step in units of the level's variance.
    """
    step = 0
    for sigma in sigmas:
        for _ in range(steps_per_level):
            s = score(x, sigma)
            yield Frame(step, sigma, x, {"score": s})
            x = x + step_size * sigma**2 * s + sqrt(2 * step_size) * sigma * noise(x.shape[1:], x.device)
            step += 1
    s = score(x, sigmas[-1])
    yield Frame(step, 0.0, x + sigmas[-1] ** 2 * s, {"score": s})


def predictor_corrector(
    score: Score, x: Tensor, sigmas: Sequence[float], corrector_steps: int, snr: float, noise: Noise
) -> Iterator[Frame]:
    """Sample by the reverse diffusion process, with Langevin steps after each of its steps. Song 2021, algorithms 2
    and 4; without corrector steps it is the reverse diffusion sampler.

    Args:
        x: Samples of N(0, sigmas[0]^2 I) (B, ...).
        sigmas: Noise levels from high to low.
        corrector_steps: Langevin steps at each noise level.
        snr: Signal-to-noise ratio r of a corrector step, which determines its size. There is one size for the whole
            batch, so that samples depend slightly on the others of their batch.
    """
    step = 0
    for sigma, next_sigma in pairwise([*sigmas, 0.0]):
        s = score(x, sigma)
        yield Frame(step, sigma, x, {"score": s})
        variance_step = sigma**2 - next_sigma**2
        x = x + variance_step * s
        step += 1
        if not next_sigma:
            break
        x = x + sqrt(variance_step) * noise(x.shape[1:], x.device)
        for _ in range(corrector_steps):
            s, z = score(x, next_sigma), noise(x.shape[1:], x.device)
            yield Frame(step, next_sigma, x, {"score": s})
            noise_norm, score_norm = (batch.flatten(1).norm(dim=1).mean() for batch in (z, s))
            step_size = 2 * (snr * noise_norm / score_norm) ** 2  # algorithm 4, line 6
            x = x + step_size * s + (2 * step_size).sqrt() * z
            step += 1
    yield Frame(step, 0.0, x, {"score": s})


def probability_flow(score: Score, x: Tensor, sigmas: Sequence[float]) -> Iterator[Frame]:
    """Solve the probability flow ODE dx = -sigma score(x, sigma) dsigma by Heun's method, in either direction.

    Its points have the distribution of the stochastic process at every noise level. Song 2021, eq. 13; Karras 2022,
    "Elucidating the Design Space of Diffusion-Based Generative Models", algorithm 1.

    Args:
        x: Points (B, ...) with noise of the level sigmas[0].
        sigmas: Noise levels of the run, all positive.
    """
    s = score(x, sigmas[0])
    for step, (sigma, next_sigma) in enumerate(pairwise(sigmas)):
        yield Frame(step, sigma, x, {"score": s})
        euler = x - sigma * s * (next_sigma - sigma)
        next_s = score(euler, next_sigma)
        x = x - (sigma * s + next_sigma * next_s) / 2 * (next_sigma - sigma)
        s = score(x, next_sigma)
    yield Frame(len(sigmas) - 1, sigmas[-1], x, {"score": s})


def log_likelihood(
    score: Score, x: Tensor, sigmas: Sequence[float], mean: Tensor, variance: float, probes: Noise | None = None
) -> Iterator[Frame]:
    """Estimate the log-density of points at the lowest noise level, by Heun's method. Song 2021, eq. 39.

    It is the log-density at the highest level, where the data are practically normal, plus the integral of the
    divergence of the probability flow on the way there.

    Args:
        x: Points (B, ...) with noise of the lowest level.
        sigmas: Noise levels from low to high.
        mean: Mean of the data, of a shape that broadcasts to x.
        variance: Variance of each coordinate of the data.
        probes: Noise for estimating the divergence (Hutchinson 1990) where there are too many dimensions to compute it.

    Yields:
        Frames with the extra "log_p" (B,): the log-density of the points x in nats, as if the density at the frame's
        noise level were normal, which it practically is at the last one.
    """
    total = torch.zeros(len(x), dtype=x.dtype, device=x.device)

    def frame(step: int, sigma: float, s: Tensor) -> Frame:
        log_p = log_normal(x, mean, sqrt(variance + sigma**2)) + total
        return Frame(step, sigma, x, {"score": s}, {"log_p": log_p})

    s, divergence = _score_and_divergence(score, x, sigmas[0], probes)
    for step, (sigma, next_sigma) in enumerate(pairwise(sigmas)):
        yield frame(step, sigma, s)
        euler = x - sigma * s * (next_sigma - sigma)
        next_s, next_divergence = _score_and_divergence(score, euler, next_sigma, probes)
        x = x - (sigma * s + next_sigma * next_s) / 2 * (next_sigma - sigma)
        total = total - (sigma * divergence + next_sigma * next_divergence) / 2 * (next_sigma - sigma)
        s, divergence = _score_and_divergence(score, x, next_sigma, probes)
    yield frame(len(sigmas) - 1, sigmas[-1], s)


def _score_and_divergence(score: Score, x: Tensor, sigma: float, probes: Noise | None) -> tuple[Tensor, Tensor]:
    """Return the score (B, ...) and its divergence, the trace of its Jacobian (B,)."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        s = score(x, sigma)
        if probes is not None:
            v = probes(x.shape[1:], x.device).sign()
            divergence = (torch.autograd.grad(s, x, v)[0] * v).flatten(1).sum(1)
        else:
            flat = s.flatten(1)
            rows = [torch.autograd.grad(flat[:, i].sum(), x, retain_graph=True)[0] for i in range(flat.shape[1])]
            divergence = torch.stack([row.flatten(1)[:, i] for i, row in enumerate(rows)]).sum(0)
    return s.detach(), divergence.detach()


# Scores derived from other models and scores.


def denoiser_to_score(denoise: Denoiser, schedule: NoiseSchedule) -> Score:
    """Return the score of a diffusion model, at the schedule's noise level nearest to sigma. Vincent 2011, eq. 10.

    With x_t = sqrt(alpha_bar) (x + sigma eps) and sigma^2 = (1 - alpha_bar) / alpha_bar, the score is
    (x0_hat - x) / sigma^2 = -eps_hat / sigma.
    """
    sigmas = noise_levels(schedule)

    def score(x: Tensor, sigma: float) -> Tensor:
        t = 1 + int((sigmas[1:].log() - log(sigma)).abs().argmin())
        return (denoise(x * schedule.alpha_bar[t].sqrt().item(), t).x0_hat - x) / sigma**2

    return score


def noise_levels(schedule: NoiseSchedule) -> Tensor:
    """Return the sigma of each time 0 ... T of a variance-preserving schedule (T + 1,)."""
    return ((1 - schedule.alpha_bar) / schedule.alpha_bar).sqrt()


def inpainting_score(score: Score, x0: Tensor, mask: Tensor) -> Score:
    """Return the score of the missing part of the data given the other: (x0 - x) / sigma^2 where the data are known,
    the score of all data elsewhere. After Song 2021, section 5.

    Args:
        x0: The data (B, ...).
        mask: True where they are known, of a shape that broadcasts to x0.
    """
    return lambda x, sigma: torch.where(mask, (x0 - x) / sigma**2, score(x, sigma))
