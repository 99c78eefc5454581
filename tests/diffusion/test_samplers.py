"""Samplers against exact denoisers and the exact probability flow, and their frames."""

from itertools import pairwise
from operator import attrgetter

import pytest
import torch
from torch import Tensor

from playground.diffusion.guidance import guide
from playground.diffusion.parameterization import PREDICTIONS
from playground.diffusion.samplers import SAMPLERS, Denoiser, DenoiserOutput, ddim, ddim_inversion, heun
from playground.diffusion.schedule import NoiseSchedule, cosine, linear
from playground.runtime.rng import Noise, make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import NotFiniteError

# --- exact denoisers ------------------------------------------------------------------------------


class Gaussian:
    """Normal distribution N(mean, cov) in D dimensions with its exact denoiser E[x0 | x_t]."""

    def __init__(self, mean: list[float], cov: list[list[float]], schedule: NoiseSchedule):
        self.mean, self.cov, self.schedule = torch.tensor(mean).double(), torch.tensor(cov).double(), schedule

    def at(self, t: int) -> tuple[Tensor, Tensor]:
        """Return the mean and the covariance of x_t."""
        alpha_bar = self.schedule.alpha_bar[t]
        return alpha_bar.sqrt() * self.mean, alpha_bar * self.cov + (1 - alpha_bar) * torch.eye(len(self.mean))

    def denoise(self, x: Tensor, t: int) -> Tensor:
        mean, cov = self.at(t)
        gain = self.schedule.alpha_bar[t].sqrt() * self.cov @ cov.inverse()
        return self.mean + (x - mean) @ gain.T

    def log_prob(self, x: Tensor, t: int) -> Tensor:
        return torch.distributions.MultivariateNormal(*self.at(t)).log_prob(x)


class Mixture:
    """Mixture of Gaussians with its exact denoiser."""

    def __init__(self, weights: list[float], components: list[Gaussian]):
        self.weights, self.components = torch.tensor(weights).double(), components

    def responsibilities(self, x: Tensor, t: int) -> Tensor:
        log_probs = torch.stack([component.log_prob(x, t) for component in self.components], dim=-1)
        return (self.weights.log() + log_probs).softmax(-1)

    def denoise(self, x: Tensor, t: int) -> Tensor:
        x0_hats = torch.stack([component.denoise(x, t) for component in self.components], dim=-1)
        return (self.responsibilities(x, t)[..., None, :] * x0_hats).sum(-1)


def denoiser_of(truth: "Gaussian | Mixture") -> Denoiser:
    return lambda x, t: DenoiserOutput(truth.denoise(x, t))


def sample(sampler: str, truth, schedule: NoiseSchedule, n_steps: int, n: int, eta: float) -> Tensor:
    """Sample n points in two dimensions, as one item of a batch: (n, 2)."""
    noise = Noise(0, 1)
    x = noise((n, 2)).double()
    return last_frame(
        SAMPLERS[sampler].sample(denoiser_of(truth), x, schedule, schedule.timesteps(n_steps), noise, eta)
    ).x[0]


RUNS = [("ddim", 100, 0.0), ("ddim", 200, 1.0), ("ddpm", 200, 1.0), ("ddpm-large", 250, 1.0), ("dpm-solver++", 50, 0.0),
        ("heun", 50, 0.0)]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [linear(), cosine()], ids=["linear", "cosine"])
@pytest.mark.parametrize(("sampler", "n_steps", "eta"), RUNS)
def test_samples_of_an_exact_gaussian_have_its_mean_and_covariance(sampler, n_steps, eta, schedule):
    truth = Gaussian([0.5, -1.0], [[0.5, 0.3], [0.3, 0.8]], schedule)
    x = sample(sampler, truth, schedule, n_steps, 40_000, eta)
    torch.testing.assert_close(x.mean(0), truth.mean, atol=0.02, rtol=0)
    torch.testing.assert_close(x.T.cov(), truth.cov, atol=0.02, rtol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("sampler", "n_steps", "eta"), RUNS)
def test_samples_of_an_exact_mixture_have_its_weights_means_and_covariances(sampler, n_steps, eta):
    schedule = cosine()
    small = [[0.05, 0.02], [0.02, 0.04]]
    components = [Gaussian(mean, small, schedule) for mean in ([-2.0, 0.0], [2.0, 1.0], [0.5, -2.0])]
    truth = Mixture([0.2, 0.3, 0.5], components)
    x = sample(sampler, truth, schedule, n_steps, 8_000, eta)
    nearest = truth.responsibilities(x, 0).argmax(-1)
    fractions = nearest.bincount(minlength=3) / len(x)
    torch.testing.assert_close(fractions.double(), truth.weights, atol=0.025, rtol=0)
    for i, component in enumerate(components):
        members = x[nearest == i]
        torch.testing.assert_close(members.mean(0), component.mean, atol=0.03, rtol=0)
        torch.testing.assert_close(members.T.cov(), component.cov, atol=0.006, rtol=0)


# --- order of convergence -------------------------------------------------------------------------


def flow_error(sampler, schedule: NoiseSchedule, steps: list[int]) -> float:
    """Return the largest error of a run, from the first to the last of some times, against the exact probability flow.

    The flow of a Gaussian keeps standardized points: (x_s - mean_s) / std_s = (x_t - mean_t) / std_t.
    """
    truth = Gaussian([0.5], [[0.25]], schedule)
    (mean_t, var_t), (mean_s, var_s) = truth.at(steps[0]), truth.at(steps[-1])
    z = torch.linspace(-2, 2, 9).double()[:, None]
    x_s = last_frame(sampler(denoiser_of(truth), mean_t + var_t.sqrt() * z, schedule, steps, Noise(0, 9))).x
    return float((x_s - (mean_s + var_s.sqrt() * z)).abs().max())


def ratios(errors: list[float]) -> list[float]:
    return [coarse / fine for coarse, fine in pairwise(errors)]


@pytest.mark.parametrize("schedule", [linear(), cosine()], ids=["linear", "cosine"])
def test_ddim_converges_to_the_probability_flow_at_first_order(schedule):
    errors = [flow_error(ddim, schedule, schedule.timesteps(n)) for n in (50, 100, 200, 500)]
    assert ratios(errors) == pytest.approx([2, 2, 2.5], rel=0.15)
    assert errors[-1] < 1e-2


@pytest.mark.parametrize("schedule", [linear(), cosine()], ids=["linear", "cosine"])
@pytest.mark.parametrize(
    "sampler", [row for row in SAMPLERS.values() if row.stochastic != "always"], ids=attrgetter("title")
)
def test_twice_as_many_steps_divide_the_error_as_the_order_says(sampler, schedule):
    """Down to t = 200: the step to t = 0 is of order 1."""
    steps = {n: list(range(800, 199, -600 // n)) for n in (50, 100, 200)}
    errors = [flow_error(sampler.function, schedule, steps[n]) for n in steps]
    assert ratios(errors) == pytest.approx([2**sampler.order] * 2, rel=0.1)
    if sampler.order == 2:
        assert errors[-1] < flow_error(ddim, schedule, steps[200]) / 50


def test_heun_takes_eulers_step_where_sigma_falls_at_once():
    schedule = cosine()
    truth, x = Gaussian([0.5], [[0.25]], schedule), torch.randn(9, 1).double()
    heun_frames, ddim_frames = (
        list(sampler(denoiser_of(truth), x, schedule, schedule.timesteps(8), Noise(0, 9), 0.0))
        for sampler in (heun, ddim)
    )
    assert [frame.coefficients["on_change"] > 0 for frame in heun_frames[:-1]] == [False, *[True] * 6, False]
    torch.testing.assert_close(heun_frames[1].x, ddim_frames[1].x)


# --- frames, noise, guidance ----------------------------------------------------------------------


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_frames_lead_from_the_noise_to_the_picture_and_explain_x_t(sampler):
    schedule = cosine()
    truth, x, steps = (
        Gaussian([0.5, 0.0], [[1.0, 0.0], [0.0, 0.5]], schedule),
        torch.randn(3, 2).double(),
        [1000, 600, 90, 0],
    )
    frames = list(SAMPLERS[sampler].sample(denoiser_of(truth), x, schedule, steps, Noise(0, 3), 0.5))
    assert [frame.step for frame in frames] == [0, 1, 2, 3]
    assert [frame.t for frame in frames] == steps
    assert frames[0].x is x
    for frame in frames[:-1]:
        a, s = schedule.coefficients(torch.full((3,), frame.t), x)
        torch.testing.assert_close(frame.x, a * frame.x0_hat + s * frame.eps_hat)
        torch.testing.assert_close(frame.x0_hat, truth.denoise(frame.x, frame.t))
    torch.testing.assert_close(frames[-1].x, frames[-2].x0_hat)  # the last step lands on the estimate
    assert frames[-1].x is frames[-1].x0_hat
    assert last_frame(iter(frames)) is frames[-1]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_evaluations_of_a_step(sampler):
    """The second evaluation of a step, if there is one, is at the time of the next."""
    schedule, times = linear(), []

    def denoise(x, t):
        times.append(t)
        return DenoiserOutput(x / 2)

    last_frame(SAMPLERS[sampler].sample(denoise, torch.randn(1, 2), schedule, schedule.timesteps(5), Noise(0, 1), 1.0))
    assert times == [1000, *(t for t in (800, 600, 400, 200) for _ in range(SAMPLERS[sampler].evaluations))]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_only_stochastic_samplers_draw_noise(sampler):
    def draws(eta: float) -> int:
        shapes = []

        def noise(shape, device):
            shapes.append(shape)
            return torch.zeros(2, *shape)

        schedule, x = cosine(), torch.randn(2, 3)
        last_frame(SAMPLERS[sampler].sample(lambda x, t: DenoiserOutput(x / 2), x, schedule, [900, 400, 0], noise, eta))
        return len(shapes)

    assert (draws(0.0), draws(1.0)) == {"never": (0, 0), "eta": (0, 1), "always": (1, 1)}[SAMPLERS[sampler].stochastic]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_run_ends_at_the_first_step_that_is_not_finite(sampler):
    schedule = linear()

    def denoise(x, t):
        return DenoiserOutput(x / 2 if t > 400 else x / 0)

    frames = SAMPLERS[sampler].sample(denoise, torch.randn(1, 2), schedule, schedule.timesteps(5), Noise(0, 1), 1.0)
    assert [next(frames).step for _ in range(3)] == [0, 1, 2]
    with pytest.raises(NotFiniteError, match="the numbers of step 3 are not finite"):
        next(frames)


def test_noise_of_item_i_depends_on_seed_and_i_alone():
    batch, alone = Noise(7, 3), Noise(7, 1, first=2)
    for shape in [(4,), (2, 2)]:  # and on the number of calls before
        torch.testing.assert_close(batch(shape)[2:], alone(shape), rtol=0, atol=0)
    assert len({float(x) for x in Noise(7, 100)((1,))}) == 100


def test_noise_is_standard_normal():
    x = torch.cat([Noise(seed, 50)((100,)).flatten() for seed in range(20)]).double()  # 100,000 numbers
    assert float(x.mean()) == pytest.approx(0, abs=0.015)
    assert float(x.var()) == pytest.approx(1, abs=0.02)
    assert float((x**4).mean()) == pytest.approx(3, abs=0.15)


def test_seeds_that_differ_only_in_high_bits_differ():
    """A torch generator keeps 32 bits of a seed; ours hashes them all."""
    seeds = [5 + (1 << bit) for bit in range(4, 64)]
    firsts = {float(torch.rand((), generator=make_rng(seed, 0), dtype=torch.float64)) for seed in seeds}
    assert len(firsts) == len(seeds)


def test_guidance_is_neutral_at_1_and_ignores_the_class_at_0():
    uncond, cond = torch.randn(2, 3), torch.randn(2, 3)
    torch.testing.assert_close(guide(uncond, cond, 1.0), cond)
    torch.testing.assert_close(guide(uncond, cond, 0.0), uncond)
    torch.testing.assert_close(guide(uncond, cond, 3.0) - cond, 2 * (cond - uncond))


@pytest.mark.parametrize("name", PREDICTIONS)
def test_guiding_any_prediction_is_guiding_x0(name):
    """At a given x_t all three are affine in x0, and the weights of guidance, 1 - w and w, sum to 1."""
    a, s = (c.double() for c in cosine().coefficients(torch.tensor([300, 700]), torch.empty(2, 1)))
    xt, uncond, cond = torch.randn(3, 2, 5, dtype=torch.float64)
    x0_hat = PREDICTIONS[name].x0_hat
    guided = x0_hat(guide(uncond, cond, 2.5), xt, a, s)
    torch.testing.assert_close(
        guided, guide(x0_hat(uncond, xt, a, s), x0_hat(cond, xt, a, s), 2.5), rtol=1e-6, atol=1e-6
    )


# --- inversion ------------------------------------------------------------------------------------


def test_ddim_goes_to_noise_and_back_the_nearer_the_more_steps() -> None:
    schedule = cosine()
    truth = Gaussian([0.5, -1.0], [[0.3, 0.1], [0.1, 0.2]], schedule)
    x0 = torch.randn(50, 2, generator=make_rng(0)).double() @ torch.linalg.cholesky(truth.cov).T + truth.mean
    errors = []
    for steps in (20, 80, 320):
        times = schedule.timesteps(steps)
        noise = last_frame(ddim_inversion(denoiser_of(truth), x0, schedule, times)).x
        back = last_frame(ddim(denoiser_of(truth), noise, schedule, times, Noise(0, 50))).x
        errors.append((back - x0).square().mean().sqrt().item())
    assert errors[1] < errors[0] / 2
    assert errors[2] < errors[1] / 2
    assert errors[2] < 0.02
    torch.testing.assert_close(noise.mean(0), torch.zeros(2).double(), rtol=0, atol=0.3)
    torch.testing.assert_close(noise.T.cov(), torch.eye(2).double(), rtol=0, atol=0.4)


def test_inversion_never_asks_for_the_noise_of_clean_data() -> None:
    schedule, asked = cosine(), list[int]()

    def denoise(x: Tensor, t: int) -> DenoiserOutput:
        asked.append(t)
        return DenoiserOutput(x)

    frames = list(ddim_inversion(denoise, torch.zeros(1, 2), schedule, schedule.timesteps(4)))
    assert asked == [1, 250, 500, 750]
    assert [frame.t for frame in frames] == [1, 250, 500, 750, 1000]
