"""Noise schedules: the share of signal and noise in x_t at every time t.

q(x_t | x_0) = N(sqrt(alpha_bar_t) x_0, (1 - alpha_bar_t) I)       Ho 2020, "DDPM", eq. 4

Time runs from t = 0 (data) to t = T (noise): alpha_bar[0] = 1 and, for T = 1000, alpha_bar[T] is close to 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from playground.runtime.validation import UserError


@dataclass(frozen=True)
class NoiseSchedule:
    """Noise schedule, by the cumulative signal power alpha_bar at t = 0 ... T.

    Args:
        alpha_bar: float64 (T + 1,) on the CPU, from 1 down to more than 0.
    """

    alpha_bar: Tensor

    @property
    def T(self) -> int:
        """Number of times, not counting t = 0."""
        return len(self.alpha_bar) - 1

    @property
    def sigma(self) -> Tensor:
        """Standard deviation of the noise, sqrt(1 - alpha_bar): (T + 1,)."""
        return (1 - self.alpha_bar).sqrt()

    @property
    def snr(self) -> Tensor:
        """Signal-to-noise ratio alpha_bar / (1 - alpha_bar), infinite at t = 0: (T + 1,)."""
        return self.alpha_bar / (1 - self.alpha_bar)

    def coefficients(self, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return sqrt(alpha_bar_t) and sigma_t for times t (B,), shaped to multiply `like` (B, ...)."""
        alpha_bar = self.alpha_bar[t.cpu()].view(-1, *[1] * (like.ndim - 1))
        return alpha_bar.sqrt().to(like), (1 - alpha_bar).sqrt().to(like)

    def add_noise(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Return x_t for a batch x0 (B, ...), times t (B,) and unit noise eps (B, ...). Ho 2020, eq. 4."""
        sqrt_alpha_bar, sigma = self.coefficients(t, x0)
        return sqrt_alpha_bar * x0 + sigma * eps

    def timesteps(self, n: int) -> list[int]:
        """Return the n + 1 times of a run of n steps, from T down to 0, evenly spaced ("trailing").

        Lin 2023, "Common Diffusion Noise Schedules and Sample Steps are Flawed", table 2: a run must start at T.

        Raises:
            UserError: There are fewer times than steps.
        """
        if not 1 <= n <= self.T:
            raise UserError(f"the model has {self.T} times: ask for 1 to {self.T} steps, not {n}")
        return [round(self.T - k * self.T / n) for k in range(n)] + [0]


def linear(T: int = 1000) -> NoiseSchedule:
    """Build the schedule whose beta_t rises linearly from 1e-4 to 0.02. Ho 2020, section 4, for T = 1000; with fewer
    times x_T keeps part of the signal."""
    betas = torch.linspace(1e-4, 0.02, T, dtype=torch.float64, device="cpu")
    return _from_betas(betas)


def cosine(T: int = 1000, s: float = 0.008, max_beta: float = 0.999) -> NoiseSchedule:
    """Build the schedule whose alpha_bar is a squared cosine. Nichol 2021, "Improved DDPM", eq. 17."""
    t = torch.arange(T + 1, dtype=torch.float64, device="cpu") / T
    f = torch.cos((t + s) / (1 + s) * math.pi / 2) ** 2
    return _from_betas((1 - f[1:] / f[:-1]).clamp(max=max_beta))


def _from_betas(betas: Tensor) -> NoiseSchedule:
    """Build a schedule from beta_1 ... beta_T: alpha_bar_t is the product of (1 - beta_s) for s = 1 ... t."""
    return NoiseSchedule(torch.cat([betas.new_ones(1), (1 - betas).cumprod(0)]))


SCHEDULES: dict[str, Callable[[int], NoiseSchedule]] = {"cosine": cosine, "linear": linear}
