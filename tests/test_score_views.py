"""What the views of score matching show."""

import numpy as np
import pytest
import torch

from playground.models import ddpm
from playground.tabs.score import digits
from playground.tabs.score.digits import SAMPLERS, Asked
from playground.validation import UserError


@pytest.fixture
def model() -> ddpm.Model:
    torch.manual_seed(0)
    return ddpm.Model(ddpm.Config(size=8, width=8, multipliers=(1,), blocks=1, emb_dim=8)).eval().requires_grad_(False)


class Exact(ddpm.Model):
    """The diffusion model of pictures of which every pixel is N(0, 1 / 4)."""

    def denoiser(self, y, w, clip):
        def denoise(xt: torch.Tensor, t: int) -> torch.Tensor:
            a = self.schedule.alpha_bar[t].item()
            return a**0.5 / 4 / (a / 4 + 1 - a) * xt

        return denoise


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_ends_with_the_data(sampler: str) -> None:
    exact = Exact(ddpm.Config(size=8, width=8, multipliers=(1,), blocks=1, emb_dim=8))
    asked = Asked(sampler=sampler, n=20, evaluations=120)
    *_, end = digits.run(exact, asked)
    assert end.x.std().item() == pytest.approx(0.5, rel=0.08)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_run_costs_what_was_asked_for(model: ddpm.Model, sampler: str) -> None:
    calls: list[int] = []
    model.net.register_forward_hook(lambda *_: calls.append(1))
    moments = list(digits.run(model, Asked(sampler=sampler, n=2, evaluations=40)))
    assert abs(len(calls) - 40) <= 2
    value = digits.describe(Asked(sampler=sampler, n=2, evaluations=40), moments)
    assert "step 0 of" in value["following"]


def test_the_score_is_the_noise_that_the_model_predicts(model: ddpm.Model) -> None:
    asked = Asked(n=1, digit="3", evaluations=8)
    first = next(iter(digits.run(model, asked)))
    t = 1 + int((digits.langevin.noise_levels(model.schedule)[1:].log() - np.log(first.sigma)).abs().argmin())
    alpha_bar = model.schedule.alpha_bar[t].sqrt()
    x0_hat = model.denoiser(torch.tensor([3]), 1.0, clip=True)(first.x * alpha_bar, t)
    eps_hat = (first.x - x0_hat) / first.sigma
    torch.testing.assert_close(first.score * first.sigma, -eps_hat, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("sampler", "magic"), ("digit", "eleven"), ("n", 0), ("n", 10**9), ("evaluations", float("nan")), ("size", 0),
     ("low", -1), ("high", None), ("seed", "x")],
)  # fmt: skip
def test_absurd_settings_are_refused(name: str, value) -> None:
    with pytest.raises(UserError):
        Asked(**{"sampler": "annealed", name: value})
