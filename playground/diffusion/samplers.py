"""Samplers of diffusion models, as generators of frames, and the table of them.

A sampler gets a denoiser, the noise x_T, a schedule, and the times of its run (N + 1 of them for N steps, from T down
to 0). It yields a `Frame` before each step and one at the end, whose x is the sample. The denoiser maps (xt, t) to an
estimate of x0; what the network predicts, guidance and the device are its business. The exact denoiser of a known
density serves as well as a learned one.

The samplers of scores (`playground.families.score_matching`) stay a stack of their own: there the data keep their scale
under growing noise (variance exploding), here x_t keeps its variance (variance preserving). The one is the other for
x_t / sqrt(alpha_bar) and sigma = sqrt(1 / alpha_bar - 1), but one table over sigma would change the rounding, so that
the shipped pictures would no longer come out bit for bit.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from math import expm1, log, sqrt
from typing import TYPE_CHECKING, Literal, Protocol

from torch import Tensor

from playground.diffusion import formulas
from playground.diffusion.schedule import NoiseSchedule
from playground.runtime.formula import Formula
from playground.runtime.rng import Noise
from playground.runtime.run import Frame
from playground.runtime.validation import NotFiniteError


@dataclass(frozen=True)
class DenoiserOutput:
    """Output of a denoiser at x_t."""

    x0_hat: Tensor  # estimate of x0 (B, ...)
    # Further estimates by name, for the frame, such as "x0_uncond" and "x0_cond".
    estimates: Mapping[str, Tensor] = field(default_factory=dict)
    attention: tuple[Tensor, ...] = ()  # attention weights of each cross-attention layer (B, heads, h w, L)


Denoiser = Callable[[Tensor, int], DenoiserOutput]  # xt (B, ...), t -> the estimate of x0


class SamplingFunction(Protocol):
    """Function of a sampler; eta matters only to DDIM, and noise only to stochastic samplers."""

    def __call__(
        self,
        denoise: Denoiser,
        x: Tensor,
        schedule: NoiseSchedule,
        times: Sequence[int],
        noise: Noise,
        eta: float,
    ) -> Iterator[Frame]: ...


def _eps_hat(x: Tensor, x0_hat: Tensor, alpha_bar: float) -> Tensor:
    """Return the noise that explains x_t, given x0_hat. Ho 2020, eq. 4 solved for eps."""
    return (x - sqrt(alpha_bar) * x0_hat) / sqrt(1 - alpha_bar)


def _frame(
    step: int, t: int, x: Tensor, output: DenoiserOutput, eps_hat: Tensor, coefficients: Mapping[str, float]
) -> Frame:
    estimates = {**output.estimates, "x0_hat": output.x0_hat, "eps_hat": eps_hat}
    return Frame(step, t, x, estimates, attention=output.attention, coefficients=coefficients)


def ddpm(
    denoise: Denoiser,
    x: Tensor,
    schedule: NoiseSchedule,
    times: Sequence[int],
    noise: Noise,
    eta: float = 1.0,
    large_variance: bool = False,
) -> Iterator[Frame]:
    """Sample by ancestral sampling. Ho 2020, algorithm 2; Nichol 2021, eq. 19 for a subset of the times.

    Args:
        eta: Not used; ancestral sampling has no such parameter.
        large_variance: Use beta_t instead of the posterior's variance (Ho 2020, section 3.2).
    """
    alpha_bar = schedule.alpha_bar.tolist()
    for step, (t, s) in enumerate(pairwise(times)):
        output = denoise(x, t)
        x0_hat, eps_hat = output.x0_hat, _eps_hat(x, output.x0_hat, alpha_bar[t])
        beta = 1 - alpha_bar[t] / alpha_bar[s]
        on_x0 = sqrt(alpha_bar[s]) * beta / (1 - alpha_bar[t])  # mean of q(x_s | x_t, x_0), eq. 7
        on_x = sqrt(1 - beta) * (1 - alpha_bar[s]) / (1 - alpha_bar[t])
        variance = beta if large_variance else (1 - alpha_bar[s]) / (1 - alpha_bar[t]) * beta  # eq. 7
        on_noise = sqrt(variance) if s > 0 else 0.0  # algorithm 2, line 3: the last step adds no noise
        coefficients = {"on_x0": on_x0, "on_x": on_x, "on_noise": on_noise}
        yield _frame(step, t, x, output, eps_hat, coefficients)
        x = on_x0 * x0_hat + on_x * x
        if on_noise > 0:
            x = x + on_noise * noise(x.shape[1:], x.device)
    yield _frame(len(times) - 1, times[-1], x, replace(output, x0_hat=x), eps_hat, coefficients)


def ddim(
    denoise: Denoiser,
    x: Tensor,
    schedule: NoiseSchedule,
    times: Sequence[int],
    noise: Noise,
    eta: float = 0.0,
) -> Iterator[Frame]:
    """Sample by DDIM, deterministic at eta = 0 (an ODE in the limit), with DDPM's variance at eta = 1. Song 2021,
    "Denoising Diffusion Implicit Models", eq. 12."""
    alpha_bar = schedule.alpha_bar.tolist()
    for step, (t, s) in enumerate(pairwise(times)):
        output = denoise(x, t)
        x0_hat, eps_hat = output.x0_hat, _eps_hat(x, output.x0_hat, alpha_bar[t])
        variance = (1 - alpha_bar[s]) / (1 - alpha_bar[t]) * (1 - alpha_bar[t] / alpha_bar[s])  # eq. 16
        sigma = eta * sqrt(variance) if eta else 0.0  # the variance is negative on the way to noise
        on_x0, on_eps = sqrt(alpha_bar[s]), sqrt(max(1 - alpha_bar[s] - sigma**2, 0))
        coefficients = {"on_x0": on_x0, "on_eps": on_eps, "on_noise": sigma}
        yield _frame(step, t, x, output, eps_hat, coefficients)
        x = on_x0 * x0_hat + on_eps * eps_hat  # eq. 12
        if sigma > 0:
            x = x + sigma * noise(x.shape[1:], x.device)
    yield _frame(len(times) - 1, times[-1], x, replace(output, x0_hat=x), eps_hat, coefficients)


def ddim_inversion(denoise: Denoiser, x0: Tensor, schedule: NoiseSchedule, times: Sequence[int]) -> Iterator[Frame]:
    """Take data x0 to the noise from which DDIM makes them: its deterministic steps, from data to noise. Song 2021, eq.
    13 and section 4.3.

    The way back ends near x0: each step uses the estimates at its own start, which are not those of the step back, so
    that the error falls with the number of steps.

    Args:
        x0: Data (B, ...), whose noise is the last frame's x.
        times: Times of the way back, from T down to 0; time 0, at which there is no noise to predict, counts as 1.
    """
    upwards = [max(t, 1) for t in reversed(times)]
    yield from ddim(denoise, x0, schedule, upwards, Noise(0, 0))  # which adds no noise at eta = 0


def dpm_solver(
    denoise: Denoiser,
    x: Tensor,
    schedule: NoiseSchedule,
    times: Sequence[int],
    noise: Noise,
    eta: float = 0.0,
) -> Iterator[Frame]:
    """Sample by DPM-Solver++(2M), without noise. Lu 2022, "DPM-Solver++", algorithm 2; the first and the last step are
    of order 1."""
    alpha_bar = schedule.alpha_bar.tolist()
    half_log_snr = [log(a / (1 - a)) / 2 if a < 1 else float("inf") for a in alpha_bar]  # lambda
    last_h, last_x0_hat = 0.0, x
    for step, (t, s) in enumerate(pairwise(times)):
        output = denoise(x, t)
        x0_hat, eps_hat = output.x0_hat, _eps_hat(x, output.x0_hat, alpha_bar[t])
        h = half_log_snr[s] - half_log_snr[t]
        # At t = 0 lambda is infinite: the step is of order 1 and lands on x0_hat.
        slope = h / (2 * last_h) if step > 0 and s > 0 else 0.0  # 1 / (2 r_i), with r_i = last_h / h
        on_x = sqrt((1 - alpha_bar[s]) / (1 - alpha_bar[t]))
        on_d = -sqrt(alpha_bar[s]) * expm1(-h)
        coefficients = {"on_x": on_x, "on_x0": on_d * (1 + slope), "on_last_x0": on_d * slope}
        yield _frame(step, t, x, output, eps_hat, coefficients)
        d = x0_hat + slope * (x0_hat - last_x0_hat) if slope else x0_hat  # D_i
        x = on_x * x + on_d * d if s > 0 else x0_hat
        last_h, last_x0_hat = h, x0_hat
    yield _frame(len(times) - 1, times[-1], x, replace(output, x0_hat=x), eps_hat, coefficients)


MAX_SIGMA_RATIO = 10.0  # of the noise levels before and after a step of Heun's method


def heun(
    denoise: Denoiser,
    x: Tensor,
    schedule: NoiseSchedule,
    times: Sequence[int],
    noise: Noise,
    eta: float = 0.0,
) -> Iterator[Frame]:
    """Sample by Heun's method. Karras 2022, "Elucidating the Design Space of Diffusion-Based Generative Models",
    algorithm 1, for x / sqrt(alpha_bar), whose noise has the standard deviation sigma = sqrt(1 / alpha_bar - 1).

    The correction is (sigma_t / sigma_s - 1) / 2 times the change of x0_hat. A step over which sigma falls by more than
    `MAX_SIGMA_RATIO` would be nothing but extrapolation; it stays Euler's, as the last step does, to sigma = 0.

    Args:
        noise, eta: Not used; the method is deterministic.
    """
    alpha_bar = schedule.alpha_bar.tolist()
    sigma = [sqrt((1 - a) / a) for a in alpha_bar]
    for step, (t, s) in enumerate(pairwise(times)):
        output = denoise(x, t)
        x0_hat, eps_hat = output.x0_hat, _eps_hat(x, output.x0_hat, alpha_bar[t])  # line 4: the slope d_i is eps_hat
        on_x0, on_eps = sqrt(alpha_bar[s]), sqrt(1 - alpha_bar[s])
        euler = sigma[t] > MAX_SIGMA_RATIO * sigma[s]
        on_change = 0.0 if euler else sqrt(alpha_bar[s]) * (sigma[t] - sigma[s]) / 2
        coefficients = {"on_x0": on_x0, "on_eps": on_eps, "on_change": on_change}
        yield _frame(step, t, x, output, eps_hat, coefficients)
        x = on_x0 * x0_hat + on_eps * eps_hat  # line 5: Euler's step, which is DDIM's
        if not euler:
            next_eps_hat = _eps_hat(x, denoise(x, s).x0_hat, alpha_bar[s])  # line 7: the slope d'_i there
            x = x - on_change * (next_eps_hat - eps_hat)  # line 8: the mean of both slopes
    yield _frame(len(times) - 1, times[-1], x, replace(output, x0_hat=x), eps_hat, coefficients)


@dataclass(frozen=True)
class Sampler:
    """Sampler of diffusion models, a row of the table `SAMPLERS`."""

    function: SamplingFunction  # the algorithm
    title: str  # name on the page
    order: int  # order of convergence to the probability flow, or to the reverse process of a stochastic sampler
    # "always" adds fresh noise at every step, "eta" as much as eta says, "never" none.
    stochastic: Literal["never", "eta", "always"]
    formula: Formula  # one step, whose numbers are the `coefficients` of its frame
    evaluations: int = 1  # number of evaluations of the denoiser in a step; the last step has one

    def sample(
        self, denoise: Denoiser, x: Tensor, schedule: NoiseSchedule, times: Sequence[int], noise: Noise, eta: float
    ) -> Iterator[Frame]:
        """Yield the frames of a run, or raise NotFiniteError at one that is not finite."""
        for frame in self.function(denoise, x, schedule, times, noise, eta):
            if not (frame.x.isfinite().all() and frame.x0_hat.isfinite().all()):
                raise NotFiniteError(
                    f"the numbers of step {frame.step} are not finite: choose other settings or another model"
                )
            yield frame


SAMPLERS: dict[str, Sampler] = {
    "ddim": Sampler(ddim, "DDIM", 1, "eta", formulas.DDIM),
    "ddpm": Sampler(ddpm, "DDPM", 1, "always", formulas.DDPM),
    "ddpm-large": Sampler(partial(ddpm, large_variance=True), "DDPM, σ² = β", 1, "always", formulas.DDPM_LARGE),
    "dpm-solver++": Sampler(dpm_solver, "DPM-Solver++", 2, "never", formulas.DPM_SOLVER),
    "heun": Sampler(heun, "Heun", 2, "never", formulas.HEUN, evaluations=2),
}
if TYPE_CHECKING:
    SamplerName = str
else:  # the command line reads its choices from the annotation
    SamplerName = Literal[tuple(SAMPLERS)]
