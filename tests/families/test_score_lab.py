"""The lab of score matching: what is shown is true of what ran."""

import math

import pytest
import torch

from playground.datasets import densities
from playground.datasets.densities import DENSITIES, Mixture
from playground.families.score_matching.lab import Lab, Settings
from playground.runtime.validation import UserError
from playground.tabs.score_matching import lab, lab_pictures
from playground.web import links

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


def test_a_link_restores_the_lab_and_a_bad_one_is_refused() -> None:
    asked = lab.ViewParams(data="moons", lr=1e-3, seed=5)
    assert links.restore(lab.ViewParams, lab.TAB, links.query(lab.TAB, asked)) == asked
    for name, value in (("width", 10**23), ("lr", math.nan), ("data", "zzz")):
        with pytest.raises(UserError):
            links.restore(lab.ViewParams, lab.TAB, {"view": "lab", name: str(value)})
