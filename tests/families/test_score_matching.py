"""Score matching: all objectives have the true score as their minimum, and training comes near to it."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from playground.datasets import densities
from playground.datasets.densities import Mixture, make_true_score
from playground.families import score_matching
from playground.families.score_matching import OBJECTIVES, Config, Model
from playground.runtime.rng import make_rng
from playground.runtime.run import Frame
from playground.runtime.validation import UserError
from train import score_matching as recipe

TINY = Config(data="ring", width=16, layers=1, frequencies=1, sigma_min=0.1, sigma_max=2.0)
ONE = Mixture(torch.zeros(1, 2), 1.0)  # whose noised score is -x / (1 + sigma^2)


def tiny_loss(model: Model, random: torch.Generator) -> Tensor:
    x0 = ONE.sample(64, make_rng(0))
    truth = make_true_score(ONE)
    return score_matching.loss(model, x0, torch.full((64,), 0.5), random, "explicit", truth)


class Scaled(torch.nn.Module):
    """The true score of `ONE`, times a factor."""

    config = replace(TINY, sigma_data=1.0)

    def __init__(self, factor: float):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(factor))

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        return -self.factor * x / (1 + sigma[:, None] ** 2)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_true_score_is_the_minimum_of_every_objective(objective: str) -> None:
    def mean(factor: float) -> tuple[float, float]:
        model = Scaled(factor)
        x0, sigma = ONE.sample(200_000, make_rng(1)), torch.full((200_000,), 0.5)
        found = score_matching.loss(model, x0, sigma, make_rng(2), objective, make_true_score(ONE))
        found.backward()
        assert model.factor.grad is not None
        return found.item(), model.factor.grad.item()

    (at, slope), (below, _), (above, _) = mean(1.0), mean(0.8), mean(1.2)
    assert at < min(below, above)
    assert abs(slope) < 0.02


def test_explicit_and_denoising_differ_by_a_constant() -> None:
    """Vincent 2011, eq. 11: what lies between them does not depend on the network."""
    x0, sigma = ONE.sample(400_000, make_rng(1)), torch.full((400_000,), 0.5)

    def gap(factor: float) -> float:
        both = [score_matching.loss(Scaled(factor), x0, sigma, make_rng(2), each, make_true_score(ONE))
                for each in ("denoising", "explicit")]  # fmt: skip
        return (both[0] - both[1]).item()

    assert math.isclose(gap(0.5), gap(1.5), rel_tol=0.01)


def test_an_untrained_network_takes_the_data_for_normal() -> None:
    model = Model(TINY)
    torch.nn.init.zeros_(model.net[-1].weight)
    torch.nn.init.zeros_(model.net[-1].bias)
    x, sigma = torch.randn(5, 2), torch.tensor([0.1, 0.3, 1.0, 3.0, 9.0])
    torch.testing.assert_close(model(x, sigma), -x / (sigma**2 + TINY.sigma_data**2)[:, None])


def test_every_level_weighs_the_same_as_long_as_nothing_is_learned() -> None:
    """With F = 0 the loss is that of x0 / spread, of two coordinates of mean square 1: 2 at every level."""
    model = Model(replace(TINY, sigma_data=1.0))
    torch.nn.init.zeros_(model.net[-1].weight)
    torch.nn.init.zeros_(model.net[-1].bias)
    x0 = ONE.sample(50_000, make_rng(1))
    for sigma in (0.02, 0.1, 1.0, 8.0):
        found = score_matching.loss(model, x0, torch.full((len(x0),), sigma), make_rng(2), "denoising")
        assert found.item() == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize("sigma", [0.05, 0.7, 6.0])
def test_the_network_estimates_the_data_by_skip_and_output(sigma: float) -> None:
    """Karras 2022, table 1: D(x) = c_skip x + c_out F(c_in x, ...), and the score is (D - x) / sigma^2."""
    model = Model(replace(TINY, frequencies=0))
    x, spread = torch.randn(6, 2), TINY.sigma_data
    c_skip = spread**2 / (sigma**2 + spread**2)
    c_out, c_in = sigma * spread / math.hypot(sigma, spread), 1 / math.hypot(sigma, spread)
    told = torch.cat([c_in * x, torch.full((6, 1), math.log(sigma) / 4)], dim=1)
    expected = (c_skip * x + c_out * model.net(told) - x) / sigma**2
    torch.testing.assert_close(model.score()(x, sigma), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_training_comes_nearer_to_the_truth(objective: str, tmp_path: Path) -> None:
    asked = recipe.Recipe(name="score-tiny", steps=300, batch_size=128, lr=1e-2, ema=0.9, warmup=5,
                          config=replace(TINY, width=32, layers=2),
                          objective=objective, out=tmp_path, runs=tmp_path / "runs")  # fmt: skip
    made = recipe.train(asked)
    assert made is not None
    torch.manual_seed(0)
    before = recipe.relative_error(Model(asked.config), recipe.densities.ring(), 0.5)
    after = recipe.relative_error(recipe.device.load(made), recipe.densities.ring(), 0.5)
    assert after < before / 2


@pytest.mark.parametrize(("place", "modes", "weight"), [(-1.6, 1, 0.2), (1.6, 1, 0.8), (9.0, 0, 0.2)])
def test_the_kl_of_a_collapse_is_that_of_the_weight_of_its_mode(monkeypatch, place, modes, weight) -> None:
    def collapse(score, x: Tensor, *args: object) -> Iterator[Frame]:
        yield Frame(0, 0.0, torch.full_like(x, place))

    for sampler in ("annealed", "predictor_corrector"):
        monkeypatch.setattr(recipe, sampler, collapse)
    figures = recipe._measure_samples(Model(Config(data="uneven", width=8, layers=1)), densities.uneven())
    assert figures["annealed modes"] == modes
    assert figures["annealed reverse kl"] == pytest.approx(-math.log(weight))


def test_noise_levels_are_uniform_in_their_logarithm() -> None:
    n = 10_000
    positions = score_matching.sample_sigmas(0.1, 10.0, n, make_rng(0), "denoising").log10()  # from -1 to 1
    assert positions.mean().item() == pytest.approx(0, abs=4 / math.sqrt(3 * n))
    assert positions.square().mean().item() == pytest.approx(1 / 3, abs=4 * math.sqrt(4 / 45 / n))
    assert len(score_matching.sample_sigmas(0.1, 10.0, n, make_rng(0), "explicit").unique()) == 1


def test_levels_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(UserError, match="least noise must not be above"):
        replace(TINY, sigma_min=3.0)
