"""The labs in the plane: every setting of a training changes what is learned."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from playground.datasets import densities
from playground.families.gan import lab as gan
from playground.families.gan.losses import Objective
from playground.families.normalizing_flow import lab as flow
from playground.families.score_matching import lab as score
from playground.runtime.rng import make_rng

X = torch.randn(20, 2, generator=make_rng(0))

# Settings to begin with, another value of each, and what a lab has learned.
LABS: dict[Any, tuple[Any, dict[str, object], Callable[[Any], Tensor]]] = {
    gan: (
        gan.Settings(width=8, batch=16, steps=20, ema_decay=0.9),
        {"objective": Objective("hinge"), "spectral": True, "kernels": 2, "k": 2, "lr_d": 1e-2, "lr_g": 1e-2,
         "momentum": 0.9, "latent": 3, "width": 16, "batch": 32, "steps": 10, "ema_decay": 0.0, "seed": 1},
        lambda lab: lab.sample(20),
    ),
    score: (
        score.Settings(width=8, layers=2, batch=16, steps=20, ema_decay=0.9),
        {"objective": "explicit", "sigma_min": 0.1, "sigma_max": 3.0, "lr": 1e-2, "width": 16, "layers": 1,
         "frequencies": 1, "batch": 32, "steps": 10, "ema_decay": 0.0, "seed": 1},
        lambda lab: lab.learned_score(X, 0.5),
    ),
    flow: (
        flow.Settings(couplings=2, width=8, batch=16, steps=20, ema_decay=0.9),
        {"coupling": "affine", "couplings": 3, "bins": 4, "width": 16, "lr": 1e-2, "batch": 32, "steps": 10,
         "ema_decay": 0.0, "seed": 1},
        lambda lab: lab.learned_density.log_prob(X),
    ),
}  # fmt: skip


@pytest.mark.parametrize("module", LABS, ids=lambda module: module.__name__.split(".")[-2])
def test_every_setting_changes_what_is_learned(module: Any) -> None:
    settings, changes, learned = LABS[module]
    assert {field.name for field in dataclasses.fields(settings)} == changes.keys()

    def train(**change: object) -> Tensor:
        lab = module.Lab(densities.ring(), dataclasses.replace(settings, **change))
        for _ in range(4):
            lab.step()
        return learned(lab).detach()

    expected = train()
    torch.testing.assert_close(train(), expected)
    for name, value in changes.items():
        assert not torch.allclose(train(**{name: value}), expected, rtol=1e-4, atol=1e-5), name
