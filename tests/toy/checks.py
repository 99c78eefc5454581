"""The mathematics of the toy, and what the tests of every family need."""

import torch
from torch import Tensor

from playground.families import toy
from playground.runtime.rng import make_rng

TINY = toy.Config(size=4)


def tiny_loss(model: toy.Model, rng: torch.Generator) -> Tensor:
    return toy.loss(model, torch.ones(12, 1, 4, 4), rng)


def test_the_loss_of_the_mean_is_the_variance() -> None:
    model, x = toy.Model(TINY), torch.randn(1000, 1, 4, 4, generator=make_rng(0))
    torch.nn.init.zeros_(model.net.weight)
    torch.nn.init.zeros_(model.net.bias)
    torch.testing.assert_close(toy.loss(model, x, make_rng(1)), x.square().mean())
