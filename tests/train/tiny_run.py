"""A training of seconds on random images, which the tests of the loop share."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from playground.families import ddpm
from train import ddpm as recipe
from train.fit import fit
from train.run import Run, Step

TINY = ddpm.Config(size=8, classes=3, width=8, blocks=1, emb_dim=16)
IMAGES = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(40) % 3


def train(options: recipe.Recipe) -> Path | None:
    return recipe.train(options, data=(IMAGES, LABELS))


def steps(options: recipe.Recipe) -> Iterator[Step]:
    return fit(Run(options, lambda: ddpm.Model(options.config)))


def take(step: Step, options: recipe.Recipe) -> None:
    """A step as the recipe takes it."""
    step.minimize(ddpm.loss(step.run.model, *step.batch(IMAGES, LABELS), step.rng, options.class_dropout))


class Kill(BaseException):
    """Nothing in the loop expects this."""


def train_until_killed(options: recipe.Recipe, step: int) -> None:
    """The recipe's run, but it ends without notice at a step."""

    def run() -> None:
        for now in steps(options):
            if now.index == step:
                raise Kill
            take(now, options)

    with pytest.raises(Kill):
        run()


def results(options: recipe.Recipe) -> dict[str, torch.Tensor]:
    """The weights at the end in full precision, and their average as it ships."""
    (state,) = options.folder.glob("step-*")
    weights = load_file(state / "model.safetensors")
    average = load_file(options.out / f"{options.name}.safetensors")
    return weights | {f"average of {name}": tensor for name, tensor in average.items()}


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    """Bit for bit."""
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def logged(options: recipe.Recipe) -> list[dict]:
    return [json.loads(line) for line in (options.folder / "log.jsonl").read_text().splitlines()]
