"""Particles in the plane: where they begin, how far they step, where they end, and what is measured of them."""

import math
from dataclasses import replace

import pytest
import torch

from playground.datasets import densities
from playground.datasets.densities import DENSITIES
from playground.families.score_matching import particles, samplers
from playground.families.score_matching.particles import Settings
from playground.runtime.rng import make_rng
from playground.runtime.run import Frame, last_frame
from playground.runtime.validation import UserError


@pytest.mark.parametrize("sampler", samplers.SAMPLERS)
def test_a_run_ends_with_the_moments_of_the_checkerboard(sampler: str) -> None:
    settings = Settings(data="checkerboard", sampler=sampler, n=400, steps=300, low=0.1, high=4.0)
    end = last_frame(particles.sample(densities.make_true_score(settings.density), settings)).x
    expected = DENSITIES[settings.data]().add_noise(settings.low).sample(20_000, make_rng(1))
    assert end.mean(0).tolist() == pytest.approx(expected.mean(0).tolist(), abs=0.25)
    assert end.std(0).tolist() == pytest.approx(expected.std(0).tolist(), rel=0.15)


@pytest.mark.parametrize("sampler", samplers.SAMPLERS)
def test_the_first_particle_begins_where_it_is_put_and_the_others_where_chance_does(sampler: str) -> None:
    settings = Settings(data="ring", sampler=sampler, n=1000, steps=20, high=8.0, seed=3)
    score = densities.make_true_score(settings.density)
    x = next(iter(particles.sample(score, settings, (1.5, -0.5)))).x
    assert x[0].tolist() == [1.5, -0.5]
    assert torch.equal(x[1:], particles.sample_start(settings)[1:])
    if settings.is_plain:
        assert x[1:].abs().max().item() == pytest.approx(settings.high / 2), "it is clipped there"
        assert x[1:].std().item() == pytest.approx(settings.high / 4, rel=0.1)
    else:
        assert x[1:].std().item() == pytest.approx(settings.high, rel=0.05)


def test_a_plain_step_is_a_share_of_the_variance_of_the_noised_density() -> None:
    """The ring's modes have the same width, and the noise adds its variance."""
    width = densities.ring().sigma
    for sampler in samplers.PLAIN:
        assert Settings("ring", sampler, step_size=0.5, low=0.2).h == pytest.approx(0.5 * (width**2 + 0.2**2))
    for sampler in samplers.FROM_NOISE:
        assert Settings("ring", sampler, step_size=0.5, low=0.2).h == 0.5, "each level has its own variance"


@pytest.mark.parametrize(
    ("sampler", "changes"), [("langevin", {"temperature": 0.5, "data": "checkerboard"}), ("annealed", {})]
)
def test_every_setting_makes_another_run(sampler: str, changes: dict[str, object]) -> None:
    settings, score = Settings("ring", sampler, n=10, steps=20), densities.make_true_score(densities.ring())
    common = {"sampler": "mala", "n": 11, "step_size": 0.1, "steps": 30, "low": 0.1, "high": 8.0, "seed": 1}
    end = last_frame(particles.sample(score, settings)).x
    for name, value in (common | changes).items():
        changed = last_frame(particles.sample(score, replace(settings, **{name: value}))).x
        assert not torch.equal(changed, end), name


def test_at_temperature_zero_a_plain_run_follows_the_score() -> None:
    settings = Settings("ring", temperature=0.0, n=10, steps=10)
    first, second, *_ = particles.sample(densities.make_true_score(settings.density), settings)
    torch.testing.assert_close(second.x, first.x + settings.h * first.score)


def test_proposals_and_their_acceptance_have_noise_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(particles.langevin, "mala", lambda *arguments: iter(arguments[-2:]))
    of_proposals, of_acceptance = particles.sample(lambda x, sigma: -x, Settings(sampler="mala"))
    assert not torch.equal(of_proposals(()), of_acceptance(()))


def test_the_measures_of_a_frame_are_those_of_its_particles() -> None:
    ring = densities.ring()
    modes, weights = ring.modes()
    score = torch.tensor([3.0, 4.0]).expand(len(modes), 2)
    frame = Frame(0, 0.01, modes, {"score": score}, {"accepted": torch.arange(len(modes)) % 2 == 0})
    measures = particles.measure(ring, frame)
    assert measures.shares.tolist() == pytest.approx(weights.tolist())
    assert measures.kl == pytest.approx(0, abs=1e-6)
    assert measures.score_length == 5
    assert measures.acceptance == pytest.approx(0.5)
    one_mode = particles.measure(ring, Frame(0, 0.01, modes[:1].expand(7, 2), {"score": torch.zeros(7, 2)}))
    assert one_mode.kl == pytest.approx(math.log(len(modes))), "all particles at one of equal modes"
    assert one_mode.acceptance == 1
    assert len(particles.measure(densities.moons(), frame).shares) == 0, "a density without modes to count"


def test_the_weights_of_the_modes_are_true_within_what_chance_does() -> None:
    assert particles.has_true_weights(0.02 + 0.019, modes=4, n=400)
    assert not particles.has_true_weights(0.02 + 0.021, modes=4, n=400)


@pytest.mark.parametrize(
    ("name", "value"),
    [("data", "zzz"), ("sampler", "magic"), ("n", 9), ("n", 1001), ("step_size", 0), ("steps", 501), ("low", 5.0),
     ("high", math.nan), ("seed", -1)],
)  # fmt: skip
def test_absurd_settings_are_refused(name: str, value) -> None:
    with pytest.raises(UserError):
        Settings(**{name: value})
