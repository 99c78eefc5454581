"""Samplers of diffusion models, as generators of frames.

A sampler gets a denoiser, the noise x_T, a schedule, and the times of its steps (N + 1 of them for N steps, from
T down to 0). It yields a `Frame` before each step and one at the end, whose x is the picture. What a network
predicts, how it is guided and on which device it runs is the denoiser's affair: it maps (xt, t) to an estimate
of x0. The exact denoiser of a known density serves as well as a learned one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import expm1, log, sqrt
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from playground.schedule import NoiseSchedule

BATCH = 250  # pictures sampled at once, where more are asked for

AnyFrame = TypeVar("AnyFrame")  # of any family; the picture is its x
Denoiser = Callable[[Tensor, int], Tensor]  # xt (B, ...), t -> x0_hat (B, ...)


class Frame(NamedTuple):
    """One moment of a run.

    Attributes:
        step: steps taken so far, 0 to N.
        t: the time, T at the first frame and 0 at the last.
        x: x_t (B, ...).
        x0_hat: the estimate of x0 at this time (B, ...); the picture itself at the last frame.
        eps_hat: the estimate of the noise in x_t (B, ...); at the last frame that of the step before it.
    """

    step: int
    t: int
    x: Tensor
    x0_hat: Tensor
    eps_hat: Tensor


class Noise:
    """Standard normal noise with a generator of its own for each item of a batch.

    Item i depends on (seed, first + i) alone: the same picture comes out alone or in a batch, on every device
    (the numbers are drawn on the CPU), whoever else is sampling.
    """

    def __init__(self, seed: int, n: int, first: int = 0):
        self.generators = [generator(seed, first + i) for i in range(n)]

    def __call__(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """Draw (n, *shape)."""
        return torch.stack([torch.randn(*shape, generator=g) for g in self.generators]).to(device)


def generator(*key: int) -> torch.Generator:
    """A CPU generator for a key of non-negative integers, such as (seed, index).

    torch keeps only 32 bits of a seed, so the key is hashed into them: two of 100,000 keys may share a stream.
    """
    hashed = np.random.SeedSequence([*key, len(key)]).generate_state(1)  # else (s,) and (s, 0) would be one key
    return torch.Generator().manual_seed(int(hashed[0]))


class Sampler(Protocol):
    """What the table `SAMPLERS` holds: eta matters only to samplers that add noise."""

    def __call__(
        self,
        denoise: Denoiser,
        x: Tensor,
        schedule: NoiseSchedule,
        steps: Sequence[int],
        noise: Noise,
        eta: float,
    ) -> Iterator[Frame]: ...


def _eps_hat(x: Tensor, x0_hat: Tensor, alpha_bar: float) -> Tensor:
    """The noise that explains x_t, given x0_hat. Ho 2020, eq. 4 solved for eps."""
    return (x - sqrt(alpha_bar) * x0_hat) / sqrt(1 - alpha_bar)


def ddpm(
    denoise: Denoiser,
    x: Tensor,
    schedule: NoiseSchedule,
    steps: Sequence[int],
    noise: Noise,
    eta: float = 1.0,
    large_variance: bool = False,
) -> Iterator[Frame]:
    """Ancestral sampling on any subset of times. Ho 2020, algorithm 2; Nichol 2021, eq. 19 for the subset.

    Args:
        eta: not used; ancestral sampling has no such freedom.
        large_variance: beta_t instead of the posterior's variance (Ho 2020, section 3.2).
    """
    alpha_bar = schedule.alpha_bar.tolist()
    for step, (t, s) in enumerate(pairwise(steps)):
        x0_hat = denoise(x, t)
        eps_hat = _eps_hat(x, x0_hat, alpha_bar[t])
        yield Frame(step, t, x, x0_hat, eps_hat)
        beta = 1 - alpha_bar[t] / alpha_bar[s]
        posterior_variance = (1 - alpha_bar[s]) / (1 - alpha_bar[t]) * beta  # eq. 7
        x = (
            sqrt(alpha_bar[s]) * beta / (1 - alpha_bar[t]) * x0_hat
            + sqrt(1 - beta) * (1 - alpha_bar[s]) / (1 - alpha_bar[t]) * x
        )  # mean of q(x_s | x_t, x_0), eq. 7
        if s > 0:  # algorithm 2, line 3: the last step adds no noise
            x = x + sqrt(beta if large_variance else posterior_variance) * noise(x.shape[1:], x.device)
    yield Frame(len(steps) - 1, steps[-1], x, x, eps_hat)


def ddim(
    denoise: Denoiser,
    x: Tensor,
    schedule: NoiseSchedule,
    steps: Sequence[int],
    noise: Noise,
    eta: float = 0.0,
) -> Iterator[Frame]:
    """Song 2021, "Denoising Diffusion Implicit Models", eq. 12.

    Args:
        eta: 0 is deterministic (an ODE in the limit), 1 has DDPM's variance.
    """
    alpha_bar = schedule.alpha_bar.tolist()
    for step, (t, s) in enumerate(pairwise(steps)):
        x0_hat = denoise(x, t)
        eps_hat = _eps_hat(x, x0_hat, alpha_bar[t])
        yield Frame(step, t, x, x0_hat, eps_hat)
        sigma = eta * sqrt((1 - alpha_bar[s]) / (1 - alpha_bar[t]) * (1 - alpha_bar[t] / alpha_bar[s]))  # eq. 16
        x = sqrt(alpha_bar[s]) * x0_hat + sqrt(max(1 - alpha_bar[s] - sigma**2, 0)) * eps_hat  # eq. 12
        if sigma > 0:
            x = x + sigma * noise(x.shape[1:], x.device)
    yield Frame(len(steps) - 1, steps[-1], x, x, eps_hat)


def dpm_solver(
    denoise: Denoiser,
    x: Tensor,
    schedule: NoiseSchedule,
    steps: Sequence[int],
    noise: Noise,
    eta: float = 0.0,
) -> Iterator[Frame]:
    """DPM-Solver++(2M). Lu 2022, "DPM-Solver++", algorithm 2; the first and the last step are of first order.

    Args:
        noise, eta: not used; the solver is deterministic.
    """
    alpha_bar = schedule.alpha_bar.tolist()
    h_last, x0_last = 0.0, x
    for step, (t, s) in enumerate(pairwise(steps)):
        x0_hat = denoise(x, t)
        eps_hat = _eps_hat(x, x0_hat, alpha_bar[t])
        yield Frame(step, t, x, x0_hat, eps_hat)
        if s == 0:  # lambda is infinite at t = 0: the step of first order lands on x0_hat
            x = x0_hat
            break
        lambda_t, lambda_s = (log(alpha_bar[i] / (1 - alpha_bar[i])) / 2 for i in (t, s))
        h = lambda_s - lambda_t
        d = x0_hat if step == 0 else x0_hat + h / (2 * h_last) * (x0_hat - x0_last)  # D_i, with r_i = h_last / h
        x = sqrt((1 - alpha_bar[s]) / (1 - alpha_bar[t])) * x - sqrt(alpha_bar[s]) * expm1(-h) * d
        h_last, x0_last = h, x0_hat
    yield Frame(len(steps) - 1, steps[-1], x, x, eps_hat)


SAMPLERS: dict[str, Sampler] = {
    "ddim": ddim,
    "ddpm": ddpm,
    "ddpm-large": partial(ddpm, large_variance=True),
    "dpm-solver++": dpm_solver,
}


def guide(uncond: Tensor, cond: Tensor, w: float) -> Tensor:
    """Classifier-free guidance, w = 1 neutral (Ho and Salimans 2022, eq. 6, whose w is ours minus 1).

    Predictions of eps, x0 and v are affine in each other at a given x_t: guiding one is guiding all.
    """
    return uncond + w * (cond - uncond)


def last(frames: Iterable[AnyFrame]) -> AnyFrame:
    """Drain a sampler and keep its last frame, whose x is the picture."""
    return deque(frames, maxlen=1)[0]


def finished(sample: Callable[[Any, int], Iterable[Any]], settings: Any, first: int = 0) -> Iterator[Tensor]:
    """The pictures of a run of any number, at most `BATCH` at a time: each (B, C, H, W).

    Args:
        sample: of a family, with its model: takes settings and the index of the first picture.
        settings: of the family; `n` pictures are made.
        first: index of the first picture of all.
    """
    for start in range(0, settings.n, BATCH):
        part = replace(settings, n=min(BATCH, settings.n - start))
        yield last(sample(part, first + start)).x
