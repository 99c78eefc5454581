"""The runs of particles that the page shows: the score that they follow, and their film."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from playground.datasets import densities
from playground.families import score_matching
from playground.families.score_matching import particles
from playground.runtime import cache, checkpoint
from playground.runtime.paths import Paths
from playground.runtime.run import Frame
from playground.runtime.validation import UserError
from playground.tabs.score_matching import langevin_runs
from train import __main__ as command_line
from train import score_matching as recipe


def test_particles_that_are_lost_are_no_film(tmp_path: Path) -> None:
    params = langevin_runs.ViewParams(data="ring", step_size=10.0, low=0.01, steps=20)
    frames = list(particles.sample(langevin_runs.score_of(Paths(tmp_path, tmp_path), params), params.settings))
    with pytest.raises(UserError, match="ran off to infinity"):
        langevin_runs.film(params, frames)


def test_a_dropped_particle_that_runs_off_says_so(tmp_path: Path) -> None:
    """JSON has no infinity."""
    params = langevin_runs.ViewParams(data="ring", steps=500, step_size=10)
    with pytest.raises(UserError, match="ran off to infinity"):
        langevin_runs.drop(langevin_runs.score_of(Paths(tmp_path, tmp_path), params), params, (1.0, 0.0), 500)


@pytest.mark.parametrize("data", densities.DENSITIES)
def test_the_command_that_trains_a_missing_score_is_one(data: str, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(UserError) as error:
        langevin_runs.resolve_checkpoint(Paths(tmp_path, tmp_path), data, "")
    (words,) = re.findall("`python -m train (.*)`", str(error.value))
    trained = []
    monkeypatch.setattr(recipe, "train", lambda options: trained.append((options.name, options.config.data)))
    assert command_line.main(words.split()) == 0
    assert trained == [(f"score-{data}", data)]


def test_a_learned_score_is_followed_where_it_was_learned(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path)
    params = langevin_runs.ViewParams(data="ring", score=langevin_runs.LEARNED, sampler="annealed", low=0.1, high=2.0)
    with pytest.raises(UserError, match=r"has learned ring yet: choose the exact score, or train one with"):
        langevin_runs.score_of(paths, params)
    config = score_matching.Config(data="ring", width=8, layers=1, sigma_min=0.1, sigma_max=2.0)
    checkpoint.save(paths.weights / "score-try.safetensors", score_matching.Model(config), {})
    with pytest.raises(UserError, match="choose the exact score, or ring"):
        langevin_runs.score_of(paths, replace(params, data="grid"))
    for wrong in ({"low": 0.05}, {"high": 3.0}, {"sampler": "langevin", "low": 3.0, "high": 4.0}):
        with pytest.raises(UserError, match=r"from 0.1 to 2"):
            langevin_runs.score_of(paths, replace(params, **wrong))
    score = langevin_runs.score_of(paths, params)(torch.ones(1, 2), 1.0)
    assert score.shape == (1, 2)
    assert not torch.allclose(score, densities.ring().add_noise(1.0).score(torch.ones(1, 2))), "it is the network's"


def test_a_background_is_kept_cell_by_cell_and_drawn_at_full_size() -> None:
    """Hundreds are kept, of a sixteenth of the numbers of the picture behind the particles."""
    density, frame = densities.ring(), Frame(0, 0.5, torch.full((1, 2), 100.0))  # outside the picture
    kept, drawn = langevin_runs.background(density, 0.5), langevin_runs.draw_particles(density, frame)
    assert drawn.shape == (langevin_runs.SIDE, langevin_runs.SIDE, 3)
    assert 16 * cache.count_bytes(kept) < 1.1 * drawn.nbytes
    assert np.array_equal(drawn[::4, ::4], kept)
    assert np.array_equal(drawn[3::4, 3::4], kept)
