"""The lab of score matching, and the walks of particles: what is shown is true of what ran."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from playground.datasets import densities
from playground.datasets.densities import DENSITIES, Mixture
from playground.families import score_matching
from playground.families.score_matching import samplers
from playground.families.score_matching.lab import Lab, Settings
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from playground.tabs.score_matching import lab, lab_pictures, langevin_runs
from playground.web import lab_sessions, links

SMALL = Settings(width=32, layers=2, batch=256, steps=400, ema_decay=0.9)


def test_a_lab_learns_the_score_and_comes_to_rest() -> None:
    training = Lab(densities.ring(), SMALL)
    before = lab_pictures.picture(training, {}, 0)["row"]["error"]
    for _ in range(SMALL.steps):
        training.step()
    assert lab_pictures.picture(training, {}, 0)["row"]["error"] < before / 2
    weights = [weight.clone() for weight in training.model.parameters()]
    training.step()
    assert all(torch.equal(a, b) for a, b in zip(weights, training.model.parameters(), strict=True))


def test_an_untrained_lab_takes_off_centre_data_for_noise_as_large() -> None:
    """Root mean square and not the standard deviation: the network's input has variance 1 wherever the data lie."""
    training = Lab(Mixture(torch.full((1, 2), 2.0), 0.1), SMALL)
    assert training.model.config.sigma_data == pytest.approx(math.hypot(2.0, 0.1), rel=0.01)


def test_the_error_is_none_where_the_score_is_the_true_one() -> None:
    training = Lab(densities.ring(), SMALL)
    shown = lab_pictures.picture(training, {}, 3)
    assert shown["row"]["error"] > 0.1
    training.ema.module.score = lambda: training.true_score
    assert lab_pictures.picture(training, {}, 3)["row"]["error"] == 0


def test_the_curve_does_not_depend_on_the_dial() -> None:
    training = Lab(densities.ring(), SMALL)
    low, high = (lab_pictures.picture(training, {}, at) for at in (0, 11))
    assert low["row"] == high["row"]
    assert low["caption"] != high["caption"]


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("at", [0, 11])
def test_all_arrows_of_the_truth_can_be_drawn(name: str, at: int) -> None:
    training = Lab(DENSITIES[name](), Settings(sigma_min=0.01))
    arrows = training.true_score(lab_pictures.arrow_grid(), lab_pictures.levels(training.settings)[at])
    drawn = lab_pictures.scale_arrows(arrows, arrows.norm(dim=1).max()).norm(dim=1)
    assert drawn.isfinite().all()
    assert (drawn > 0).float().mean() > 0.8
    assert drawn.max().item() == pytest.approx(lab_pictures.LONGEST, rel=1e-3)


def test_two_labs_never_mix() -> None:
    first, second = (lab_pictures.start_lab(densities.ring(), SMALL) for _ in range(2))
    assert first["frame"] == second["frame"]
    for _ in range(2):
        lab_sessions.train({"lab": first["lab"], "action": "play", "position": 0})
    assert lab_sessions._sessions[second["lab"]].render(6) == second["frame"]


def test_a_link_restores_the_lab_and_a_bad_one_is_refused() -> None:
    asked = lab.ViewParams(data="moons", lr=1e-3, seed=5)
    assert links.restore(lab.ViewParams, lab.TAB, links.query(lab.TAB, asked)) == asked
    for name, value in (("width", 10**23), ("lr", math.nan), ("data", "zzz")):
        with pytest.raises(UserError):
            links.restore(lab.ViewParams, lab.TAB, {"view": "lab", name: str(value)})


@pytest.mark.parametrize("sampler", samplers.SAMPLERS)
def test_a_walk_ends_with_the_moments_of_the_checkerboard(sampler: str, tmp_path: Path) -> None:
    asked = langevin_runs.ViewParams(data="checkerboard", sampler=sampler, n=1000, steps=300, low=0.1, high=4.0)
    end = last_frame(langevin_runs.run(langevin_runs.score_of(Paths(tmp_path, tmp_path), asked), asked)).x
    expected = DENSITIES[asked.data]().add_noise(asked.low).sample(20_000, make_rng(1))
    assert end.mean(0).tolist() == pytest.approx(expected.mean(0).tolist(), abs=0.25)
    assert end.std(0).tolist() == pytest.approx(expected.std(0).tolist(), rel=0.15)


def test_particles_that_are_lost_are_no_film(tmp_path: Path) -> None:
    asked = langevin_runs.ViewParams(data="ring", step_size=10.0, low=0.01, steps=20)
    moments = list(langevin_runs.run(langevin_runs.score_of(Paths(tmp_path, tmp_path), asked), asked))
    with pytest.raises(UserError, match="ran off to infinity"):
        langevin_runs.film(asked, moments)


def test_a_learned_score_is_followed_where_it_was_learned(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    asked = langevin_runs.ViewParams(data="ring", score=langevin_runs.LEARNED, sampler="annealed", low=0.1, high=2.0)
    with pytest.raises(UserError, match=r"has learned ring yet: choose the exact score, or train one with"):
        langevin_runs.score_of(paths, asked)
    config = score_matching.Config(data="ring", width=8, layers=1, sigma_min=0.1, sigma_max=2.0)
    checkpoint.save(paths.weights / "score-try.safetensors", score_matching.Model(config), {})
    with pytest.raises(UserError, match="choose the exact score, or ring"):
        langevin_runs.score_of(paths, replace(asked, data="grid"))
    for wrong in ({"low": 0.05}, {"high": 3.0}, {"sampler": "langevin", "low": 3.0, "high": 4.0}):
        with pytest.raises(UserError, match=r"from 0.1 to 2"):
            langevin_runs.score_of(paths, replace(asked, **wrong))
    found = langevin_runs.score_of(paths, asked)(torch.ones(1, 2), 1.0)
    assert found.shape == (1, 2)
    assert not torch.allclose(found, densities.ring().add_noise(1.0).score(torch.ones(1, 2))), "it is the network's"
