"""The samplers against diffusers' schedulers, exact denoisers, and the exact probability flow."""

import math
from itertools import pairwise

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from playground.prediction import PREDICTIONS
from playground.sampling import SAMPLERS, Noise, ddim, ddpm, dpm_solver, generator, guide, last
from playground.schedule import SCHEDULES, NoiseSchedule, cosine, linear

DIFFUSERS = {"linear": "linear", "cosine": "squaredcos_cap_v2", "eps": "epsilon", "v": "v_prediction", "x0": "sample"}


# --- the same steps as diffusers ------------------------------------------------------------------


def network(x: Tensor, t: int) -> Tensor:
    """Any smooth function of x_t and t stands for a network's output."""
    return torch.tanh(0.7 * x + math.sin(t / 100))


def denoiser(schedule: NoiseSchedule, prediction: str, clip: bool):
    def denoise(x: Tensor, t: int) -> Tensor:
        a, s = schedule.coefficients(torch.full((len(x),), t), x)
        x0_hat = PREDICTIONS[prediction].x0_hat(network(x, t), x, a, s)
        return x0_hat.clamp(-1, 1) if clip else x0_hat

    return denoise


def assert_same_run(sampler, scheduler, name, prediction, n, clip=False, step=None, **ours):
    """Run both with the same noise; every x_t is the same to 1e-4, and so is the last estimate of x0."""
    schedule = SCHEDULES[name](1000)
    seeds = [torch.Generator().manual_seed(3) for _ in range(2)]
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def noise(shape, device):
        return torch.randn(len(x), *shape, dtype=torch.float64, generator=seeds[0])

    frames = list(sampler(denoiser(schedule, prediction, clip), x, schedule, schedule.steps(n), noise, **ours))
    scheduler.set_timesteps(n)
    for frame, t in zip(frames, scheduler.timesteps, strict=False):
        assert frame.t == t + 1
        torch.testing.assert_close(frame.x, x, rtol=1e-4, atol=1e-4, check_dtype=False)
        result = scheduler.step(network(x, frame.t), t, x, generator=seeds[1], **(step or {}))
        x = result.prev_sample
    # The variance of diffusers' last step is not always 0, ours is: Ho 2020, algorithm 2, line 3.
    picture = result.get("pred_original_sample", x)
    torch.testing.assert_close(frames[-1].x, picture, rtol=1e-4, atol=1e-4, check_dtype=False)


def settings(name, prediction, **more):
    return {"beta_schedule": DIFFUSERS[name], "prediction_type": DIFFUSERS[prediction], **more}


# At T of the cosine schedule an estimate of eps is divided by 5e-5: without clipping there is nothing to compare.
CASES = [("linear", "eps", False), ("linear", "eps", True), ("cosine", "eps", True), ("cosine", "v", False),
         ("cosine", "x0", True), ("linear", "v", True)]  # fmt: skip


@pytest.mark.parametrize("n", [1, 10, 50])  # diffusers' DDIM steps evenly, which trails T only where n divides it
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("name", "prediction", "clip"), CASES)
def test_ddim_is_that_of_diffusers(name, prediction, clip, eta, n):
    scheduler = DDIMScheduler(**settings(name, prediction, clip_sample=clip, timestep_spacing="trailing"))
    step = {"eta": eta, "use_clipped_model_output": True}
    assert_same_run(ddim, scheduler, name, prediction, n, clip, step, eta=eta)


@pytest.mark.parametrize("n", [1, 7, 50])
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
@pytest.mark.parametrize(("name", "prediction", "clip"), CASES)
def test_ddpm_is_that_of_diffusers(name, prediction, clip, variance, n):
    more = {"clip_sample": clip, "timestep_spacing": "trailing", "variance_type": variance}
    scheduler = DDPMScheduler(**settings(name, prediction, **more))
    assert_same_run(ddpm, scheduler, name, prediction, n, clip, large_variance=variance == "fixed_large")


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_ddpm_of_all_steps_is_that_of_diffusers(variance):
    scheduler = DDPMScheduler(**settings("linear", "eps", timestep_spacing="trailing", variance_type=variance))
    assert_same_run(ddpm, scheduler, "linear", "eps", 1000, clip=True, large_variance=variance == "fixed_large")


@pytest.mark.parametrize("n", [1, 2, 7, 20, 50])
@pytest.mark.parametrize(("name", "prediction", "clip"), [case for case in CASES if not case[2]])
def test_dpm_solver_is_that_of_diffusers(name, prediction, clip, n):
    more = {"solver_order": 2, "solver_type": "midpoint", "final_sigmas_type": "zero", "timestep_spacing": "trailing"}
    scheduler = DPMSolverMultistepScheduler(**settings(name, prediction, algorithm_type="dpmsolver++", **more))
    assert_same_run(dpm_solver, scheduler, name, prediction, n, clip)


# --- exact denoisers ------------------------------------------------------------------------------


class Gaussian:
    """N(mean, cov) in D dimensions, and its exact denoiser E[x0 | x_t]."""

    def __init__(self, mean: list[float], cov: list[list[float]], schedule: NoiseSchedule):
        self.mean, self.cov, self.schedule = torch.tensor(mean).double(), torch.tensor(cov).double(), schedule

    def at(self, t: int) -> tuple[Tensor, Tensor]:
        """Mean and covariance of x_t."""
        alpha_bar = self.schedule.alpha_bar[t]
        return alpha_bar.sqrt() * self.mean, alpha_bar * self.cov + (1 - alpha_bar) * torch.eye(len(self.mean))

    def denoise(self, x: Tensor, t: int) -> Tensor:
        mean, cov = self.at(t)
        gain = self.schedule.alpha_bar[t].sqrt() * self.cov @ cov.inverse()
        return self.mean + (x - mean) @ gain.T

    def log_prob(self, x: Tensor, t: int) -> Tensor:
        return torch.distributions.MultivariateNormal(*self.at(t)).log_prob(x)


class Mixture:
    """Gaussians with weights: each speaks as loudly as it is likely to have made x_t."""

    def __init__(self, weights: list[float], parts: list[Gaussian]):
        self.weights, self.parts = torch.tensor(weights).double(), parts

    def responsibilities(self, x: Tensor, t: int) -> Tensor:
        log_probs = torch.stack([part.log_prob(x, t) for part in self.parts], dim=-1)
        return (self.weights.log() + log_probs).softmax(-1)

    def denoise(self, x: Tensor, t: int) -> Tensor:
        x0_hats = torch.stack([part.denoise(x, t) for part in self.parts], dim=-1)
        return (self.responsibilities(x, t)[..., None, :] * x0_hats).sum(-1)


def draw(sampler: str, denoise, schedule: NoiseSchedule, n_steps: int, n: int, eta: float) -> Tensor:
    """n samples in two dimensions, as one item of a batch: (n, 2)."""
    noise = Noise(0, 1)
    x = noise((n, 2)).double()
    return last(SAMPLERS[sampler](denoise, x, schedule, schedule.steps(n_steps), noise, eta)).x[0]


RUNS = [("ddim", 100, 0.0), ("ddim", 200, 1.0), ("ddpm", 200, 1.0), ("ddpm-large", 250, 1.0), ("dpm-solver++", 50, 0.0)]


@pytest.mark.parametrize("schedule", [linear(), cosine()], ids=["linear", "cosine"])
@pytest.mark.parametrize(("sampler", "n_steps", "eta"), RUNS)
def test_samples_of_an_exact_gaussian_have_its_mean_and_covariance(sampler, n_steps, eta, schedule):
    truth = Gaussian([0.5, -1.0], [[0.5, 0.3], [0.3, 0.8]], schedule)
    x = draw(sampler, truth.denoise, schedule, n_steps, 40_000, eta)
    torch.testing.assert_close(x.mean(0), truth.mean, atol=0.02, rtol=0)
    torch.testing.assert_close(x.T.cov(), truth.cov, atol=0.02, rtol=0.03)


@pytest.mark.parametrize(("sampler", "n_steps", "eta"), RUNS)
def test_samples_of_an_exact_mixture_have_its_weights_means_and_covariances(sampler, n_steps, eta):
    schedule = cosine()
    small = [[0.05, 0.02], [0.02, 0.04]]
    parts = [Gaussian(mean, small, schedule) for mean in ([-2.0, 0.0], [2.0, 1.0], [0.5, -2.0])]
    truth = Mixture([0.2, 0.3, 0.5], parts)
    x = draw(sampler, truth.denoise, schedule, n_steps, 8_000, eta)
    nearest = truth.responsibilities(x, 0).argmax(-1)
    shares = nearest.bincount(minlength=3) / len(x)
    torch.testing.assert_close(shares.double(), truth.weights, atol=0.025, rtol=0)
    for i, part in enumerate(parts):
        mine = x[nearest == i]
        torch.testing.assert_close(mine.mean(0), part.mean, atol=0.03, rtol=0)
        torch.testing.assert_close(mine.T.cov(), part.cov, atol=0.006, rtol=0)


# --- order of convergence -------------------------------------------------------------------------


def flow_error(sampler, schedule: NoiseSchedule, steps: list[int]) -> float:
    """How far a run from x_t at the first of the steps ends from the exact probability flow at the last of them.

    The flow of a Gaussian keeps every point's place in it: (x_s - mean_s) / std_s = (x_t - mean_t) / std_t.
    """
    truth = Gaussian([0.5], [[0.25]], schedule)
    (mean_t, var_t), (mean_s, var_s) = truth.at(steps[0]), truth.at(steps[-1])
    z = torch.linspace(-2, 2, 9).double()[:, None]
    x_s = last(sampler(truth.denoise, mean_t + var_t.sqrt() * z, schedule, steps, Noise(0, 9))).x
    return float((x_s - (mean_s + var_s.sqrt() * z)).abs().max())


def ratios(errors: list[float]) -> list[float]:
    return [coarse / fine for coarse, fine in pairwise(errors)]


@pytest.mark.parametrize("schedule", [linear(), cosine()], ids=["linear", "cosine"])
def test_ddim_converges_to_the_probability_flow_at_first_order(schedule):
    errors = [flow_error(ddim, schedule, schedule.steps(n)) for n in (50, 100, 200, 500)]
    assert ratios(errors) == pytest.approx([2, 2, 2.5], rel=0.15)
    assert errors[-1] < 1e-2


@pytest.mark.parametrize("schedule", [linear(), cosine()], ids=["linear", "cosine"])
def test_dpm_solver_converges_at_second_order(schedule):
    """Down to t = 200: the step to t = 0, where lambda is infinite, is of first order."""
    steps = {n: list(range(800, 199, -600 // n)) for n in (50, 100, 200)}
    errors = [flow_error(dpm_solver, schedule, steps[n]) for n in steps]
    assert ratios(errors) == pytest.approx([4, 4], rel=0.1)
    assert errors[-1] < flow_error(ddim, schedule, steps[200]) / 50


# --- frames, noise, guidance ----------------------------------------------------------------------


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_frames_lead_from_the_noise_to_the_picture_and_explain_x_t(sampler):
    schedule = cosine()
    truth, x, steps = (
        Gaussian([0.5, 0.0], [[1.0, 0.0], [0.0, 0.5]], schedule),
        torch.randn(3, 2).double(),
        [1000, 600, 90, 0],
    )
    frames = list(SAMPLERS[sampler](truth.denoise, x, schedule, steps, Noise(0, 3), 0.5))
    assert [frame.step for frame in frames] == [0, 1, 2, 3]
    assert [frame.t for frame in frames] == steps
    assert frames[0].x is x
    for frame in frames[:-1]:
        a, s = schedule.coefficients(torch.full((3,), frame.t), x)
        torch.testing.assert_close(frame.x, a * frame.x0_hat + s * frame.eps_hat)
        torch.testing.assert_close(frame.x0_hat, truth.denoise(frame.x, frame.t))
    torch.testing.assert_close(frames[-1].x, frames[-2].x0_hat)  # the last step lands on the estimate
    assert frames[-1].x is frames[-1].x0_hat
    assert last(iter(frames)) is frames[-1]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_evaluation_a_step(sampler):
    schedule, times = linear(), []

    def denoise(x, t):
        times.append(t)
        return x / 2

    last(SAMPLERS[sampler](denoise, torch.randn(1, 2), schedule, schedule.steps(5), Noise(0, 1), 1.0))
    assert times == [1000, 800, 600, 400, 200]


def test_noise_of_item_i_depends_on_seed_and_i_alone():
    batch, alone = Noise(7, 3), Noise(7, 1, first=2)
    for shape in [(4,), (2, 2)]:  # and on how often it was asked
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
    firsts = {float(torch.rand((), generator=generator(seed, 0), dtype=torch.float64)) for seed in seeds}
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
