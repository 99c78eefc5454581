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
from playground.tabs.score_matching import langevin_runs, particle_marks
from playground.tabs.score_matching.lab_pictures import LONGEST, arrow_grid
from train import __main__ as command_line
from train import score_matching as recipe


def test_particles_that_are_lost_are_no_film(tmp_path: Path) -> None:
    params = langevin_runs.ViewParams(data="ring", step_size=10.0, low=0.01, steps=20)
    score = langevin_runs.score_of(Paths(tmp_path, tmp_path), params)
    frames = list(particles.sample(score, params.settings))
    with pytest.raises(UserError, match="ran off to infinity"):
        langevin_runs.film(params, frames, score)


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


def to_pixels(x: torch.Tensor) -> torch.Tensor:
    return 240 * langevin_runs.to_picture(x)


def is_drawn(sheet: np.ndarray, place: torch.Tensor, colour: tuple[int, int, int]) -> bool:
    """Return whether a place of the plane, or a pixel beside it, has a colour."""
    x, y = to_pixels(place).long().tolist()
    return bool((sheet[y - 1 : y + 2, x - 1 : x + 2] == colour).all(-1).any())


def test_arrows_point_along_the_score() -> None:
    """Twice as steep on the right: its arrows are longer by a root of two."""
    sigmas = []

    def score(x: torch.Tensor, sigma: float) -> torch.Tensor:
        sigmas.append(sigma)
        return torch.stack([torch.where(x[:, 0] > 0, 2.0, 1.0), torch.zeros(len(x))], dim=1)

    sheet = particle_marks.draw(np.zeros((240, 240, 3), np.uint8), score, 0.5, [], to_pixels)
    assert sigmas == [0.5]
    grid = arrow_grid(particle_marks.ARROWS)
    left, right = (grid[grid[:, 0].sign() == side][6] for side in (-1, 1))
    for start, length in ((left, LONGEST / 2**0.5), (right, LONGEST)):
        for share, expected in ((-0.3, False), (0.5, True), (1.0, True), (1.35, False)):
            place = start + torch.tensor([share * length, 0.0])
            assert is_drawn(sheet, place, particle_marks.ARROW) == expected, (start, share)


def test_some_particles_leave_trails() -> None:
    past = [torch.full((200, 2), -1.0), torch.full((200, 2), -1.0)]
    past[1][:, 0] = torch.linspace(1.0, 1.4, 200)
    past[1][particle_marks.N_TRAILS :] = torch.tensor([-1.0, 2.0])  # too many: none
    sheet = particle_marks.draw(np.zeros((240, 240, 3), np.uint8), lambda x, _: x, 1.0, past, to_pixels)
    assert is_drawn(sheet, torch.tensor([0.0, -1.0]), particle_marks.TRAIL)
    assert not is_drawn(sheet, torch.tensor([-1.0, 0.6]), particle_marks.TRAIL)
