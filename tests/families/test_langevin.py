"""Langevin dynamics and its kin, on densities whose scores are known exactly."""

import math

import pytest
import torch
from torch import Tensor

from playground.datasets import densities
from playground.datasets.densities import DENSITIES, Mixture
from playground.diffusion.samplers import DenoiserOutput
from playground.diffusion.schedule import SCHEDULES
from playground.families.score_matching.langevin import (
    annealed,
    denoiser_to_score,
    geometric_sigmas,
    inpainting_score,
    langevin,
    log_likelihood,
    mala,
    noise_levels,
    predictor_corrector,
    probability_flow,
)
from playground.families.score_matching.samplers import FROM_NOISE, SAMPLERS, sample
from playground.runtime.rng import Noise
from playground.runtime.run import last_frame

SIGMA = 0.7
ONE = Mixture(torch.zeros(1, 2), SIGMA)
MANY = 4000


class Draws(Noise):
    """Of one generator for all items, which is faster for thousands."""

    def __init__(self, seed: int):
        self.random = torch.Generator().manual_seed(seed)

    def __call__(self, shape, device="cpu") -> Tensor:
        return torch.randn(MANY, *shape, generator=self.random)


def exact(density: densities.Density):
    return lambda x, sigma: density.add_noise(sigma).score(x)


@pytest.mark.parametrize("temperature", [1.0, 0.25])
def test_langevin_steps_of_a_size_are_off_by_what_is_known(temperature: float) -> None:
    """On N(0, s^2), steps of size h are an autoregression: their variance is T s^2 / (1 - h / (2 s^2))."""
    size = 0.2
    end = last_frame(langevin(exact(ONE), torch.zeros(MANY, 2), 0.0, size, 200, Draws(0), temperature)).x
    expected = temperature * SIGMA**2 / (1 - size / (2 * SIGMA**2))
    assert end.var().item() == pytest.approx(expected, rel=0.04)
    assert abs(expected / (temperature * SIGMA**2) - 1) > 0.2, "the bias is there to be seen"


def test_proposals_that_may_be_refused_are_not_off() -> None:
    frames = list(
        mala(exact(ONE), lambda x, _: ONE.log_prob(x), torch.zeros(MANY, 2), 0.0, 0.4, 200, Draws(0), Draws(1))
    )
    assert frames[-1].x.var().item() == pytest.approx(SIGMA**2, rel=0.04)
    accepted = torch.stack([frame.extras["accepted"] for frame in frames[1:]]).float().mean()
    assert 0.3 < accepted < 0.95


def test_plain_langevin_stays_in_the_mode_where_it_began_and_annealing_finds_all() -> None:
    grid = densities.grid()
    start = grid.centres[:1].expand(MANY, 2)
    stuck = last_frame(langevin(exact(grid), start, 0.0, 0.5 * grid.sigma**2, 500, Draws(0))).x
    assert densities.measure_coverage(stuck, grid).modes == 1
    sigmas = geometric_sigmas(0.02, 4.0, 20)
    found = densities.measure_coverage(
        last_frame(annealed(exact(grid), 4 * Draws(1)((2,)), sigmas, 20, 0.1, Draws(2))).x, grid
    )
    assert found.modes == 25
    assert found.reverse_kl < 0.05
    assert found.quality > 0.95


@pytest.mark.parametrize("each", [0, 1])
def test_the_reverse_process_makes_the_data(each: int) -> None:
    ring = densities.ring()
    sigmas = geometric_sigmas(0.01, 10.0, 60)
    end = last_frame(predictor_corrector(exact(ring), 10 * Draws(0)((2,)), sigmas, each, 0.16, Draws(1)))
    assert end.step == 60 + 59 * each
    found = densities.measure_coverage(end.x, ring)
    assert (found.modes, found.quality > 0.95, found.reverse_kl < 0.01) == (8, True, True)


def test_a_corrector_step_has_the_signal_to_noise_ratio_that_was_asked_for() -> None:
    draws, noise = list[Tensor](), Draws(1)

    def record(shape, device) -> Tensor:
        draws.append(noise(shape))
        return draws[-1]

    _, before, after, _ = predictor_corrector(exact(ONE), Draws(0)((2,)), [1.0, 0.5], 1, 0.16, record)
    directions = torch.stack([before.score.flatten(), draws[1].flatten()], dim=1)
    drift, spread = torch.linalg.lstsq(directions, (after.x - before.x).reshape(-1, 1)).solution.flatten().tolist()
    assert spread**2 == pytest.approx(2 * drift, rel=1e-3), "a step of Langevin dynamics"
    signal, noise_of_step = (part.norm(dim=1).mean().item() for part in (drift * before.score, spread * draws[1]))
    assert signal / noise_of_step == pytest.approx(0.16, rel=1e-3)


def test_the_probability_flow_of_a_gaussian_is_a_scaling() -> None:
    x = torch.randn(20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    low, high = 0.1, 8.0
    there = last_frame(probability_flow(exact(ONE), x, geometric_sigmas(low, high, 400)[::-1])).x
    expected = x * math.sqrt((SIGMA**2 + high**2) / (SIGMA**2 + low**2))
    torch.testing.assert_close(there, expected, rtol=1e-3, atol=1e-4)
    back = last_frame(probability_flow(exact(ONE), there, geometric_sigmas(low, high, 400))).x
    torch.testing.assert_close(back, x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["ring", "checkerboard"])
def test_the_likelihood_by_the_probability_flow_is_the_true_one(name: str) -> None:
    low = 0.05
    noised = DENSITIES[name]().add_noise(low)
    x = noised.sample(200, torch.Generator().manual_seed(0)).double()
    sigmas = geometric_sigmas(low, 20.0, 200)[::-1]
    flow = log_likelihood(exact(DENSITIES[name]()), x, sigmas, x.mean(0), x.var(0).mean().item())
    assert (last_frame(flow).extras["log_p"] - noised.log_prob(x)).abs().mean() < 0.05


def test_probes_estimate_the_divergence() -> None:
    ring = densities.ring()
    x = ring.add_noise(0.3).sample(1, torch.Generator().manual_seed(0)).double().expand(MANY, 2)
    sigmas = geometric_sigmas(0.3, 20.0, 60)[::-1]
    exactly, guessed = (
        last_frame(log_likelihood(exact(ring), x, sigmas, torch.zeros(2), 2.0, probes)).extras["log_p"]
        for probes in (None, Draws(0))
    )
    assert guessed.std() > 0.01
    assert guessed.mean().item() == pytest.approx(exactly[0].item(), abs=4 * guessed.std().item() / math.sqrt(MANY))


def test_the_score_of_a_diffusion_model_is_that_of_its_data() -> None:
    schedule = SCHEDULES["cosine"](1000)

    def denoise(xt: Tensor, t: int) -> DenoiserOutput:
        """Exact, for data of N(0, SIGMA^2): E[x0 | xt]."""
        a = schedule.alpha_bar[t].item()
        return DenoiserOutput(math.sqrt(a) * SIGMA**2 / (a * SIGMA**2 + 1 - a) * xt)

    x = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for t in (1, 300, 900):
        sigma = noise_levels(schedule)[t].item()
        torch.testing.assert_close(
            denoiser_to_score(denoise, schedule)(x, sigma), exact(ONE)(x, sigma), rtol=1e-3, atol=1e-4
        )


def test_what_is_known_stays_and_what_is_missing_follows_from_it() -> None:
    """Of two correlated normal numbers the first is known to be 1: the second has mean rho and variance 1 - rho^2."""
    rho, known = 0.8, torch.tensor([1.0, 0.0])

    def score(x: Tensor, sigma: float) -> Tensor:
        covariance = torch.tensor([[1.0, rho], [rho, 1.0]]) + sigma**2 * torch.eye(2)
        return -x @ covariance.inverse()

    asked = inpainting_score(score, known, torch.tensor([True, False]))
    end = last_frame(annealed(asked, 10 * Draws(0)((2,)), geometric_sigmas(0.01, 10.0, 40), 40, 0.1, Draws(1))).x
    assert (end[:, 0] - 1).abs().max() < 0.01
    assert end[:, 1].mean().item() == pytest.approx(rho, abs=0.05)
    assert end[:, 1].var().item() == pytest.approx(1 - rho**2, rel=0.15)


@pytest.mark.parametrize("evaluations", [10, 41, 120])
@pytest.mark.parametrize("sampler", FROM_NOISE)
def test_a_descent_costs_what_was_asked_for_and_makes_the_steps_it_says(sampler: str, evaluations: int) -> None:
    calls: list[float] = []

    def score(x: Tensor, sigma: float) -> Tensor:
        calls.append(sigma)
        return -x / (1 + sigma**2)

    frames = list(sample(score, Draws(0)((2,)), sampler, (0.05, 10.0), evaluations, 0.1, Draws(1)))
    assert frames[-1].step == SAMPLERS[sampler].steps(evaluations)
    assert evaluations - 2 <= len(calls) <= evaluations + 1


def test_what_annealing_ends_with_has_no_noise_left() -> None:
    """The data are a single point, which the last step finds at once."""
    *_, end = annealed(lambda x, sigma: -x / sigma**2, Draws(0)((2,)), [1.0, 0.05], 5, 0.1, Draws(1))
    assert end.sigma == 0
    assert end.x.abs().max() < 1e-6
