"""The numbers in the formulas are those of the frames."""

import re

import pytest
import torch

from playground import formulas, schedule
from playground.sampling import SAMPLERS, Noise

STEPS = 12


@pytest.mark.parametrize("name", formulas.FORMULAS)
def test_the_coefficients_take_one_frame_to_the_next(name: str) -> None:
    """x_s is the stated combination of x_t, x0_hat, eps_hat, the x0_hat before, and fresh noise z."""
    plan, eta = schedule.cosine(), 0.7
    times = plan.steps(STEPS)
    noise = Noise(seed=3, n=2)
    start = noise((5,)).double()
    frames = list(SAMPLERS[name](lambda xt, t: torch.tanh(xt), start, plan, times, noise, eta))
    replay = Noise(seed=3, n=2)
    replay((5,))  # the draw that became the start
    alpha_bar = plan.alpha_bar.tolist()
    for k in range(STEPS):
        before = alpha_bar[times[k - 1]] if k else None
        on = formulas.FORMULAS[name].coefficients(alpha_bar[times[k]], alpha_bar[times[k + 1]], eta, before)
        expected = on.get("on_x", 0) * frames[k].x + on["on_x0"] * frames[k].x0_hat
        expected += on.get("on_eps", 0) * frames[k].eps_hat
        expected -= on.get("less_x0_before", 0) * frames[max(k - 1, 0)].x0_hat
        if on.get("on_noise", 0) > 0:
            expected += on["on_noise"] * replay((5,))
        torch.testing.assert_close(frames[k + 1].x, expected, atol=1e-9, rtol=1e-9)


def test_guidance_is_in_the_formula_where_it_is_at_work() -> None:
    assert "guidance" not in formulas.reverse_step("ddim", "v", w=1)
    assert "v<sub>∅</sub> + <b>2.5</b> (v<sub>class</sub> − v<sub>∅</sub>)" in formulas.reverse_step("ddim", "v", w=2.5)
    assert formulas.reverse_step("ddim", "v", w=0).startswith(
        "v = v<sub>∅</sub> + w (v<sub>class</sub> − v<sub>∅</sub>) = v<sub>∅</sub> <i>"
    )


@pytest.mark.parametrize("name", formulas.FORMULAS)
def test_latents_are_called_z_and_follow_a_prompt(name: str) -> None:
    shown = formulas.latent_step(name, "v", "")
    assert "x" not in re.sub(r"<[^>]*>|network|next|exp", "", shown)
    assert "v<sub>prompt</sub>" in shown
    assert "∅: without the prompt" in shown
    assert "∅: with the negative prompt" in formulas.latent_step(name, "v", "an owl")


def test_every_sampler_has_a_formula() -> None:
    assert formulas.FORMULAS.keys() == SAMPLERS.keys()


@pytest.mark.parametrize("name", formulas.FORMULAS)
def test_every_number_in_the_html_has_a_value_a_frame(name: str) -> None:
    plan = schedule.cosine()
    shown = [0, 3, STEPS]
    numbers = formulas.reverse_numbers(name, plan, plan.steps(STEPS), shown, 0.0)
    assert set(re.findall(r'data-number="(\w+)"', formulas.reverse_step(name, "v"))) <= numbers.keys()
    assert all(len(values) == len(shown) for values in numbers.values())
