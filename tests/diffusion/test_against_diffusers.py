"""Samplers against diffusers' schedulers: the same x_t at every step."""

import math

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, HeunDiscreteScheduler
from torch import Tensor

from playground.diffusion.parameterization import PREDICTIONS
from playground.diffusion.samplers import DenoiserOutput, ddim, ddpm, dpm_solver, heun
from playground.diffusion.schedule import SCHEDULES, NoiseSchedule
from playground.runtime.rng import Noise

DIFFUSERS = {"linear": "linear", "cosine": "squaredcos_cap_v2", "eps": "epsilon", "v": "v_prediction", "x0": "sample"}


def network(x: Tensor, t: int) -> Tensor:
    """Return a smooth function of x_t and t in place of a network's output."""
    return torch.tanh(0.7 * x + math.sin(t / 100))


def denoiser(schedule: NoiseSchedule, prediction: str, clip: bool):
    def denoise(x: Tensor, t: int) -> DenoiserOutput:
        a, s = schedule.coefficients(torch.full((len(x),), t), x)
        x0_hat = PREDICTIONS[prediction].x0_hat(network(x, t), x, a, s)
        return DenoiserOutput(x0_hat.clamp(-1, 1) if clip else x0_hat)

    return denoise


def assert_same_run(sampler, scheduler, name, prediction, n, clip=False, step=None, **options):
    """Run both with the same noise; check that all x_t and the last estimate of x0 are equal to 1e-4."""
    schedule = SCHEDULES[name](1000)
    rngs = [torch.Generator().manual_seed(3) for _ in range(2)]
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def noise(shape, device):
        return torch.randn(len(x), *shape, dtype=torch.float64, generator=rngs[0])

    frames = list(sampler(denoiser(schedule, prediction, clip), x, schedule, schedule.timesteps(n), noise, **options))
    scheduler.set_timesteps(n)
    for frame, t in zip(frames, scheduler.timesteps, strict=False):
        assert frame.t == t + 1
        torch.testing.assert_close(frame.x, x, rtol=1e-4, atol=1e-4, check_dtype=False)
        result = scheduler.step(network(x, frame.t), t, x, generator=rngs[1], **(step or {}))
        x = result.prev_sample
    # The variance of diffusers' last step is not always 0, ours is: Ho 2020, algorithm 2, line 3.
    picture = result.get("pred_original_sample", x)
    torch.testing.assert_close(frames[-1].x, picture, rtol=1e-4, atol=1e-4, check_dtype=False)


def settings(name, prediction, **options):
    return {"beta_schedule": DIFFUSERS[name], "prediction_type": DIFFUSERS[prediction], **options}


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
    options = {"clip_sample": clip, "timestep_spacing": "trailing", "variance_type": variance}
    scheduler = DDPMScheduler(**settings(name, prediction, **options))
    assert_same_run(ddpm, scheduler, name, prediction, n, clip, large_variance=variance == "fixed_large")


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_ddpm_of_all_steps_is_that_of_diffusers(variance):
    scheduler = DDPMScheduler(**settings("linear", "eps", timestep_spacing="trailing", variance_type=variance))
    assert_same_run(ddpm, scheduler, "linear", "eps", 1000, clip=True, large_variance=variance == "fixed_large")


@pytest.mark.parametrize("n", [1, 2, 7, 20, 50])
@pytest.mark.parametrize(("name", "prediction", "clip"), [case for case in CASES if not case[2]])
def test_dpm_solver_is_that_of_diffusers(name, prediction, clip, n):
    options = {
        "solver_order": 2,
        "solver_type": "midpoint",
        "final_sigmas_type": "zero",
        "timestep_spacing": "trailing",
    }
    scheduler = DPMSolverMultistepScheduler(**settings(name, prediction, algorithm_type="dpmsolver++", **options))
    assert_same_run(dpm_solver, scheduler, name, prediction, n, clip)


# At T of the cosine schedule sigma falls by a factor of a thousand, where ours takes Euler's step.
HEUN_TIMES = {"linear": [1000, 900, 600, 350, 100, 0], "cosine": [900, 700, 400, 150, 20, 0]}


@pytest.mark.parametrize(("name", "prediction", "clip"), CASES)
def test_heun_is_that_of_diffusers(name, prediction, clip):
    """diffusers' sample is x / sqrt(alpha_bar); each of its steps is one evaluation, two of ours but for the last."""
    schedule, times = SCHEDULES[name](1000), HEUN_TIMES[name]
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    frames = list(heun(denoiser(schedule, prediction, clip), x, schedule, times, Noise(0, 2)))
    assert [frame.coefficients["on_change"] > 0 for frame in frames[:-1]] == [True, True, True, True, False]
    scale = schedule.alpha_bar.sqrt()
    betas = {"beta_start": 1e-4, "beta_end": 0.02}
    scheduler = HeunDiscreteScheduler(**settings(name, prediction, clip_sample=clip, **betas))
    scheduler.set_timesteps(timesteps=[t - 1 for t in times[:-1]])
    sample = x / scale[times[0]]
    for frame in frames[:-1]:
        torch.testing.assert_close(frame.x, sample * scale[frame.t], rtol=1e-4, atol=1e-4, check_dtype=False)
        for _ in range(2 if frame.coefficients["on_change"] > 0 else 1):
            t = scheduler.timesteps[scheduler.step_index or 0]
            output = network(scheduler.scale_model_input(sample, t), int(t) + 1)
            sample = scheduler.step(output, t, sample).prev_sample
    torch.testing.assert_close(frames[-1].x, sample, rtol=1e-4, atol=1e-4, check_dtype=False)
