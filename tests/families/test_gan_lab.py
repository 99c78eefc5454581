"""Adversarial training in the plane."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from playground.datasets import densities
from playground.datasets.densities import Mixture
from playground.families.gan import lab
from playground.families.gan.lab import Lab, Settings
from playground.families.gan.losses import Objective
from playground.runtime.labs import LABELS, DivergenceError
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError

SMALL = Settings(Objective("relativistic", r1=0.02, r2=0.02), width=16, batch=32, steps=20)


def test_labs_never_mix_and_looking_changes_nothing() -> None:
    """Two labs in turns, their points looked at, give what each gives alone, whatever others draw at random."""
    torch.manual_seed(0)
    alone = [_trained(replace(SMALL, seed=seed)).sample(50) for seed in (3, 4)]
    torch.manual_seed(1)
    labs = [Lab(densities.ring(), replace(SMALL, seed=seed)) for seed in (3, 4)]
    for _ in range(SMALL.steps):
        for each in labs:
            each.step()
            each.sample(7)
    for expected, each in zip(alone, labs, strict=True):
        torch.testing.assert_close(each.sample(50), expected)
    assert not torch.allclose(*alone)


def test_labs_begun_at_once_begin_as_if_alone() -> None:
    """torch draws weights from one generator for all threads."""
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: Lab(densities.ring(), replace(SMALL, seed=seed)), range(40)))
    for seed, each in enumerate(together):
        alone = Lab(densities.ring(), replace(SMALL, seed=seed))
        for a, b in zip(each.g.parameters(), alone.g.parameters(), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize(("latent", "numbers"), [(1, [[0.3], [0.3]]), (2, [[0.3, -1.0], [0.3, 2.0]]),
                                                 (4, [[0.3, -1.0, 0.0, 0.0], [0.3, 2.0, 0.0, 0.0]])])  # fmt: skip
def test_noise_is_warped_by_the_averaged_generator(latent: int, numbers: list[list[float]]) -> None:
    trained = _trained(replace(SMALL, latent=latent, steps=3))
    expected = trained.ema.module(torch.tensor(numbers))
    torch.testing.assert_close(trained.warp(torch.tensor([[0.3, -1.0], [0.3, 2.0]])), expected)


def _trained(settings: Settings, data: densities.Density | None = None) -> Lab:
    trained = Lab(data or densities.ring(), settings)
    for _ in range(settings.steps):
        trained.step()
    return trained


def test_a_training_comes_to_rest_with_its_last_step() -> None:
    trained = _trained(SMALL)
    before = [weight.clone() for net in (trained.g, trained.d) for weight in net.parameters()]
    trained.step()
    after = [weight for net in (trained.g, trained.d) for weight in net.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_step_of_one_leaves_the_other() -> None:
    trained = Lab(densities.ring(), SMALL)
    for turn, own, other in ((trained.step_d, trained.d, trained.g), (trained.step_g, trained.g, trained.d)):
        before, before_own = ([weight.clone() for weight in net.parameters()] for net in (other, own))
        turn()
        assert all(torch.equal(a, b) for a, b in zip(before, other.parameters(), strict=True))
        assert not all(torch.equal(a, b) for a, b in zip(before_own, own.parameters(), strict=True))


def test_d_takes_as_many_steps_as_asked_for_each_of_g() -> None:
    trained = Lab(densities.ring(), replace(SMALL, k=3))
    trained.step()
    states = (optimizer.state[optimizer.param_groups[0]["params"][0]]
              for optimizer in (trained.optimizer_d, trained.optimizer_g))  # fmt: skip
    assert [int(state["step"]) for state in states] == [3, 1]


def test_weights_stay_clipped() -> None:
    trained = _trained(replace(SMALL, objective=Objective("wasserstein", clip=0.03)))
    assert max(weight.abs().max() for weight in trained.d.parameters()) <= 0.03


def test_a_gaussian_is_learned() -> None:
    """From seed to seed the mean varies by 0.01, and the standard deviation by 0.03."""
    data = Mixture(torch.tensor([[1.0, -0.5]]), 0.3)
    calm = Objective("relativistic", r1=0.2, r2=0.2)
    asked = replace(SMALL, objective=calm, batch=128, steps=500, lr_g=2e-3, ema_decay=0.98)
    x = _trained(asked, data).sample(4000)
    torch.testing.assert_close(x.mean(0), data.centres[0], atol=0.05, rtol=0)
    torch.testing.assert_close(x.std(0), torch.full((2,), 0.3), atol=0.12, rtol=0)


def test_without_an_average_the_generator_itself_is_shown() -> None:
    averaged, z = _trained(SMALL), torch.randn(50, SMALL.latent, generator=make_rng(SMALL.seed, 1))
    assert not torch.allclose(averaged.sample(50), averaged.g(z), atol=1e-3)
    trained = _trained(replace(SMALL, ema_decay=0.0))
    torch.testing.assert_close(trained.sample(50), trained.g(z))
    for a, b in zip(trained.ema.module.parameters(), trained.g.parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_is_no_longer_a_number_stops_before_the_weights_are_changed() -> None:
    trained = Lab(densities.ring(), SMALL)
    with torch.no_grad():
        trained.d.head.bias.fill_(math.inf)
    before = [weight.clone() for weight in trained.g.parameters()]
    with pytest.raises(DivergenceError):
        trained.step()
    assert all(torch.equal(a, b) for a, b in zip(before, trained.g.parameters(), strict=True))


def test_a_gradient_that_is_no_number_stops_it_too() -> None:
    trained = Lab(densities.ring(), SMALL)
    trained.g[0].weight.register_hook(lambda gradient: gradient * math.nan)
    before = [weight.clone() for weight in trained.g.parameters()]
    with pytest.raises(DivergenceError):
        trained.step_g()
    assert all(torch.equal(a, b) for a, b in zip(before, trained.g.parameters(), strict=True))


@pytest.mark.parametrize(
    ("field", "value"),
    [("lr_d", 0.0), ("lr_g", math.nan), ("lr_g", 1e9), ("width", 100_000), ("k", 0), ("k", 1.5), ("batch", -1),
     ("steps", 10**9), ("ema_decay", 1.0), ("spectral", "yes"), ("latent", 0), ("seed", -1), ("kernels", 65)],
)  # fmt: skip
def test_settings_refuse_what_makes_no_sense(field: str, value: object) -> None:
    with pytest.raises(UserError, match=LABELS.get(field, field)):
        Settings(**{field: value})


def test_the_layers_fit_each_other() -> None:
    d = lab.Discriminator(16, kernels=3)
    assert d(torch.zeros(5, 2)).shape == (5,)
