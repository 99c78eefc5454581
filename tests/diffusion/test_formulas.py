"""Numbers in the formulas against the frames of the samplers."""

import re

import pytest
import torch
from torch import Tensor

from playground.diffusion import formulas
from playground.diffusion.parameterization import PREDICTIONS
from playground.diffusion.samplers import SAMPLERS, DenoiserOutput
from playground.diffusion.schedule import cosine
from playground.runtime.formula import Formula
from playground.runtime.rng import Noise
from playground.runtime.run import Frame

STEPS, ETA = 12, 0.7
SCHEDULE = cosine()
TIMES = SCHEDULE.timesteps(STEPS)


def denoise(xt: Tensor, t: int) -> DenoiserOutput:
    return DenoiserOutput(torch.tanh(xt + t / 1000))


def run(name: str) -> list[Frame]:
    noise = Noise(seed=3, n=2)
    return list(SAMPLERS[name].sample(denoise, noise((5,)).double(), SCHEDULE, TIMES, noise, ETA))


def names(text: str) -> set[str]:
    """Return the names of the numbers in a text of a formula."""
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_coefficients_take_one_frame_to_the_next(name: str) -> None:
    """x_s is the stated combination of x_t, x0_hat, eps_hat, the last x0_hat, a second eps_hat, and fresh noise."""
    frames, replay = run(name), Noise(seed=3, n=2)
    replay((5,))  # the draw that became the start
    for last, frame, following in zip([frames[0], *frames], frames, frames[1:], strict=False):
        on = frame.coefficients
        expected = on.get("on_x", 0) * frame.x + on["on_x0"] * frame.x0_hat
        expected += on.get("on_eps", 0) * frame.eps_hat
        expected -= on.get("on_last_x0", 0) * last.x0_hat
        if on.get("on_noise", 0) > 0:
            expected += on["on_noise"] * replay((5,))
        if on.get("on_change", 0) > 0:
            alpha_bar = SCHEDULE.alpha_bar[following.t]
            x0_hat = denoise(expected, following.t).x0_hat
            second_eps_hat = (expected - alpha_bar.sqrt() * x0_hat) / (1 - alpha_bar).sqrt()
            expected = expected - on["on_change"] * (second_eps_hat - frame.eps_hat)
        torch.testing.assert_close(following.x, expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_formula_shows_all_coefficients_and_the_last_frame_those_of_the_last_step(name: str) -> None:
    frames = run(name)
    in_formula = names(SAMPLERS[name].formula.numbers) - {"s"}
    assert all(frame.coefficients.keys() == in_formula for frame in frames)
    assert frames[-1].coefficients == frames[-2].coefficients


def test_the_rows_of_ddpm_differ_in_the_variance_that_their_formulas_state() -> None:
    (small, large), (t, s) = (run(name)[3].coefficients for name in ("ddpm", "ddpm-large")), TIMES[3:5]
    alpha_bar = SCHEDULE.alpha_bar
    beta = 1 - alpha_bar[t] / alpha_bar[s]
    assert large["on_noise"] ** 2 == pytest.approx(beta.item())
    assert small["on_noise"] ** 2 == pytest.approx((beta * (1 - alpha_bar[s]) / (1 - alpha_bar[t])).item())


def test_heuns_formula_has_both_evaluations() -> None:
    assert "ε̂′ − ε̂" in SAMPLERS["heun"].formula.symbols
    assert "second evaluation" in SAMPLERS["heun"].formula.where


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("w", [0.0, 1.0, 2.5])
def test_every_number_in_the_formulas_has_a_value_a_frame(name: str, w: float) -> None:
    frames = [run(name)[k] for k in (0, 3, STEPS)]
    formulas_of_step = formulas.denoising_step(SAMPLERS[name].formula, PREDICTIONS["v"], w)
    coefficients = [frame.coefficients for frame in frames]
    numbers = formulas.denoising_numbers(SCHEDULE, TIMES, [0, 3, STEPS], coefficients, [w] * 3)
    assert set().union(*(names(formula.numbers) for formula in formulas_of_step)) <= numbers.keys()
    assert {len(values) for values in numbers.values()} == {3}
    assert numbers["t"] == [str(TIMES[k]) for k in (0, 3, STEPS - 1)]
    assert numbers["s"] == [str(TIMES[k]) for k in (1, 4, STEPS)]
    assert numbers["signal"][1] == f"{SCHEDULE.alpha_bar[TIMES[3]].sqrt():.3g}"
    assert numbers["sigma"][2] == f"{SCHEDULE.sigma[TIMES[STEPS - 1]]:.3g}"


def guidance(w: float) -> list[Formula]:
    return [f for f in formulas.denoising_step(formulas.DDIM, PREDICTIONS["v"], w) if "guidance" in f.source]


def test_guidance_is_in_the_formulas_where_it_is_at_work() -> None:
    assert not guidance(1)
    assert [f.numbers for f in guidance(2.5)] == ["= v_∅ + {w} (v_class − v_∅)"]
    assert [f.symbols for f in guidance(0)] == ["v = v_∅ + w (v_class − v_∅)"]
    assert [f.numbers for f in guidance(0)] == ["= v_∅"]


@pytest.mark.parametrize("name", SAMPLERS)
def test_latents_are_called_z_and_follow_a_prompt(name: str) -> None:
    formulas_of_step = formulas.latent_denoising_step(SAMPLERS[name].formula, PREDICTIONS["v"], "")
    text = " ".join(text for f in formulas_of_step for text in (f.symbols, f.numbers, f.source, f.where))
    assert "x" not in re.sub(r"\{\w+\}|network|next|extrapolated", "", text)
    assert "v_prompt" in text
    assert "∅: without the prompt" in text
    negative = formulas.latent_denoising_step(SAMPLERS[name].formula, PREDICTIONS["v"], "an owl")
    assert "∅: with the negative prompt" in negative[0].source
