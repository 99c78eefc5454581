"""Noise schedules against the papers' formulas and diffusers."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from playground.diffusion.schedule import SCHEDULES, NoiseSchedule, cosine, linear


def betas_by_hand(name: str) -> list[float]:
    """Compute beta_1 ... beta_T with plain floats. Ho 2020, section 4; Nichol 2021, eq. 17."""
    if name == "linear":
        return [1e-4 + (0.02 - 1e-4) * i / 999 for i in range(1000)]
    f = [math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(1001)]
    return [min(1 - f[t] / f[t - 1], 0.999) for t in range(1, 1001)]


@pytest.mark.parametrize("name", SCHEDULES)
def test_alpha_bar_is_the_product_of_the_papers_betas(name):
    """So that q(x_t | x_{t-1}), t times over, is q(x_t | x_0): Ho 2020, eq. 2 and 4."""
    expected = np.cumprod([1.0] + [1 - beta for beta in betas_by_hand(name)])
    np.testing.assert_allclose(SCHEDULES[name](1000).alpha_bar, expected, rtol=1e-10)


@pytest.mark.parametrize("schedule", [linear(), cosine(), cosine(16)], ids=["linear", "cosine", "cosine-16"])
def test_signal_falls_from_all_to_almost_none(schedule):
    alpha_bar = schedule.alpha_bar
    assert alpha_bar[0] == 1
    assert (alpha_bar.diff() < 0).all()
    assert 0 < alpha_bar[-1] < 1e-4
    torch.testing.assert_close(schedule.sigma**2 + alpha_bar, torch.ones_like(alpha_bar))
    torch.testing.assert_close(schedule.snr[1:], (alpha_bar / schedule.sigma**2)[1:])
    assert schedule.snr[0] == math.inf


def test_each_item_gets_the_noise_of_its_own_time():
    schedule, x0, eps = cosine(), torch.randn(3, 1, 4, 4), torch.randn(3, 1, 4, 4)
    xt = schedule.add_noise(x0, torch.tensor([0, 500, 1000]), eps)
    torch.testing.assert_close(xt[0], x0[0])
    torch.testing.assert_close(
        xt[1], schedule.alpha_bar[500].sqrt() * x0[1] + schedule.sigma[500] * eps[1], check_dtype=False
    )
    torch.testing.assert_close(xt[2], eps[2], atol=1e-3, rtol=0)


def test_steps_are_the_trailing_ones_of_diffusers_plus_one():
    scheduler, schedule = DDIMScheduler(timestep_spacing="trailing"), linear()
    for n in [*range(1, 1000, 13), 48, 61, 500, 999, 1000]:
        scheduler.set_timesteps(n)
        times, diffusers_times = schedule.timesteps(n)[:-1], (scheduler.timesteps[:n] + 1).tolist()
        ties = [
            2000 * k % n == 0 and 2000 * k // n % 2 == 1 for k in range(n)
        ]  # T - k T / n = ... .5: round either way
        assert all(abs(a - b) <= tie for a, b, tie in zip(times, diffusers_times, ties, strict=True)), n


@pytest.mark.parametrize("schedule", [cosine(7), linear()], ids=["T=7", "T=1000"])
def test_steps_fall_strictly_from_T_to_0(schedule):
    for n in [*range(1, schedule.T, 6), schedule.T - 1, schedule.T]:
        steps = schedule.timesteps(n)
        assert (len(steps), steps[0], steps[-1]) == (n + 1, schedule.T, 0)
        assert all(t > s for t, s in pairwise(steps))


@pytest.mark.parametrize("n", [0, -1, 1001])
def test_a_run_has_1_to_T_steps(n):
    with pytest.raises(ValueError, match="1 to 1000 steps"):
        linear().timesteps(n)


def test_the_schedule_stays_on_the_cpu_when_a_network_is_built_without_memory():
    """`checkpoint.load` builds models on the meta device; a schedule has no tensors in the file to fill it from."""
    with torch.device("meta"):
        assert isinstance(cosine(), NoiseSchedule)
        assert {schedule(1000).alpha_bar.device.type for schedule in SCHEDULES.values()} == {"cpu"}
