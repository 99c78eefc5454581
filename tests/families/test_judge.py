"""The judge: its network, its disturbances, its recipe, and the one that ships."""

import json
import math
from dataclasses import replace

import pytest
import torch

from playground.families import ddpm, judge
from playground.families.judge.model import warp
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from train import judge as recipe

TINY = judge.Config(classes=2, width=8)


def tiny_loss(model: torch.nn.Module, generator: torch.Generator) -> torch.Tensor:
    """The loss on one batch, for tests/families/test_contract.py."""
    return judge.loss(model, *stripes(16), generator)


def stripes(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Bright bars that lie or stand, two classes that no disturbance mixes up."""
    labels = torch.arange(n) % 2
    images = torch.full((n, 1, 32, 32), -1.0)
    images[labels == 0, :, 14:18, 4:28] = 1.0
    images[labels == 1, :, 4:28, 14:18] = 1.0
    return images, labels


def test_the_logits_are_a_linear_function_of_the_features() -> None:
    model, x = judge.Model(TINY), torch.rand(3, 1, 32, 32) * 2 - 1
    features = model.features(x)
    assert features.shape == (3, 4 * TINY.width)
    torch.testing.assert_close(model(x), features @ model.head.weight.T + model.head.bias)


@pytest.mark.parametrize("wrong", [{"channels": 0}, {"classes": 1.5}, {"width": 10**6}, {"width": 12}])
def test_an_absurd_config_is_refused(wrong: dict) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        judge.Config(**wrong)


def test_moving_by_nothing_changes_nothing() -> None:
    x = torch.rand(4, 1, 32, 32) * 2 - 1
    moved = warp(x, torch.zeros(4), torch.ones(4), torch.zeros(4, 2, 1))
    torch.testing.assert_close(moved, x, atol=1e-5, rtol=0)


def test_a_shift_of_an_eighth_is_two_pixels_and_a_quarter_turn_lays_bars_down() -> None:
    images, _ = stripes(2)
    shift = torch.tensor([[1 / 8], [0.0]]).expand(2, 2, 1)
    moved = warp(images, torch.zeros(2), torch.ones(2), shift)
    torch.testing.assert_close(moved, images.roll(-2, dims=3), atol=1e-5, rtol=0)
    turned = warp(images, torch.full((2,), torch.pi / 2), torch.ones(2), torch.zeros(2, 2, 1))
    torch.testing.assert_close(turned, images.flip(0), atol=1e-3, rtol=0)


def test_what_is_disturbed_depends_on_the_generator_alone_and_black_stays_black_but_for_noise() -> None:
    black = torch.full((200, 1, 32, 32), -1.0)
    x = judge.augment(black, make_rng(3))
    torch.testing.assert_close(x, judge.augment(black, make_rng(3)), rtol=0, atol=0)
    deviations = (x + 1).flatten(1).std(dim=1)
    assert x.mean().item() == pytest.approx(-1, abs=1e-3)
    assert 0 < deviations.min() < 0.01
    assert 0.09 < deviations.max() < 0.11


def test_pictures_are_turned_scaled_and_shifted_by_up_to_the_largest_amounts(monkeypatch) -> None:
    seen = list[tuple]()
    monkeypatch.setattr("playground.families.judge.model.warp", lambda x, *amounts: seen.append(amounts) or x)
    judge.augment(torch.zeros(4000, 1, 1, 1), make_rng(0))
    for amounts, centre, largest in zip(seen[0], (0, 1, 0), (math.radians(10), 0.1, 1 / 8), strict=True):
        assert ((amounts.min() - centre) / largest).item() == pytest.approx(-1, abs=0.01)
        assert ((amounts.max() - centre) / largest).item() == pytest.approx(1, abs=0.01)


def test_the_recipe_learns_and_notes_what_it_read_right(tmp_path) -> None:
    tiny = recipe.Recipe(steps=40, batch_size=16, warmup=1, lr=5e-3, ema=0.5, log_every=1, precision="no", config=TINY,
                         out=tmp_path, runs=tmp_path / "runs")  # fmt: skip
    images, labels = stripes(10)
    path = recipe.train(tiny, data=stripes(64), test=(images, torch.cat([1 - labels[:2], labels[2:]])))
    log = [json.loads(line)["loss"] for line in (tiny.folder / "log.jsonl").read_text().splitlines()]
    assert sum(log[-5:]) < 0.3 * sum(log[:5])
    header = checkpoint.read_header(path)
    assert header.family == "judge"
    assert header.provenance["steps"] == 40
    assert header.provenance["data"] == "images given by the caller"
    assert header.provenance["test_accuracy"] == 0.8, "two of the ten are called what they are not"
    path = recipe.train(replace(tiny, name="judge-own", steps=1), data=stripes(64))
    assert "test_accuracy" not in checkpoint.read_header(path).provenance, "digits tell nothing of stripes"


def test_the_shipped_judge_reads_digits_and_says_how_it_was_made() -> None:
    path = checkpoint.WEIGHTS / "judge-digits.safetensors"
    header = checkpoint.read_header(path)
    assert header.provenance["recipe"] == "judge"
    assert header.provenance["test_accuracy"] >= 0.995
    assert path.stat().st_size < 400_000
    assert checkpoint.load(path, family="judge")(torch.zeros(2, 1, 32, 32)).shape == (2, 10)


def test_the_judge_reads_what_the_shipped_model_was_asked_for() -> None:
    """99% of 10,000 in weights/README.md: 27 of 30 leave room for chance, and for nothing else."""
    model, reader = (checkpoint.load(checkpoint.WEIGHTS / f"{name}-digits.safetensors") for name in ("ddpm", "judge"))
    settings = ddpm.Settings(n=30, steps=12, eta=1.0)
    read = reader(last_frame(ddpm.sample(model, settings)).x).argmax(1)
    assert (read == ddpm.labels(model, settings)).sum() >= 27
