"""A short run of every recipe, with all its flags but the steps, gives averaged weights that have learned."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from playground.families import ddpm
from playground.runtime import checkpoint
from playground.runtime.family import family_names, get_family
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from train import ddpm as digits_recipe
from train.fit import fit
from train.options import Options
from train.run import Run

STEPS = 120
FAMILIES = family_names()


def shortened(name: str, tmp_path: Path, **flags) -> Options:
    """The first recipe of a family, with fewer steps."""
    options = importlib.import_module(f"train.{name}").RECIPES[0]
    return replace(options, steps=STEPS, precision="no", out=tmp_path / "weights", runs=tmp_path / "runs", **flags)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_short_run_of_every_recipe_learns(name: str, tmp_path: Path) -> None:
    tests = importlib.import_module(f"test_{name}")
    build = getattr(tests, "build", get_family(name).Model)
    run = Run(shortened(name, tmp_path), lambda: build(tests.TINY))

    def loss(model: torch.nn.Module) -> float:
        return tests.tiny_loss(model, make_rng(0)).item()

    before = loss(run.model)
    for step in fit(run):
        step.minimize(tests.tiny_loss(run.model, step.rng))
    raw, average = loss(run.model), loss(run.ema.module)
    assert average < before - 0.8 * (before - raw)
    assert average < 0.9 * before


def test_a_short_run_draws_what_it_is_asked_for(tmp_path: Path) -> None:
    """Black, grey and white pictures as the three classes; the judge looks at the mean."""
    config = replace(digits_recipe.RECIPES[0].config, size=8, classes=3, width=16, blocks=1, emb_dim=32)
    labels = torch.arange(240) % 3
    images = (labels - 1.0).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).clone()
    path = digits_recipe.train(shortened("ddpm", tmp_path, config=config), (images, labels))
    assert path is not None
    x = last_frame(ddpm.sample(checkpoint.load(path), ddpm.Settings(n=60, steps=10))).x
    read = x.mean((1, 2, 3)).round().long() + 1
    assert (read == torch.arange(60) % 3).float().mean() >= 0.9
