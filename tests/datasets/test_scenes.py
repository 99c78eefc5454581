"""Tests of scenes of emoji: rendering, sampling and the holdout."""

import math

import pytest
import torch
from torch import Tensor

from playground.datasets import scenes
from playground.datasets.emoji import Glyphs
from playground.datasets.scenes import BACKGROUNDS, NONE, SIZE, Combinations, Scenes
from playground.runtime.rng import make_rng

# Two glyphs: a red square that fills its box, and a blue one with an opacity of a fifth.
COLOURS = torch.zeros(2, 4, 64, 64, dtype=torch.uint8)
COLOURS[0, 0], COLOURS[0, 3] = 255, 255
COLOURS[1, 2], COLOURS[1, 3] = 255, 51
FAKE = Glyphs(["red square", "blue glass"], COLOURS, "")


def scene(glyph: int, background: str, side: float = 40.0, x: float = 32.0, y: float = 32.0) -> Scenes:
    values = (torch.tensor([[float(value)]]) for value in (side, x, y))
    return Scenes(torch.tensor([[glyph]]), torch.tensor([list(BACKGROUNDS).index(background)]), *values)


def test_an_emoji_is_rendered_at_its_position_on_its_background() -> None:
    x = scenes.render(scene(0, "black", side=36, x=30, y=26), FAKE)
    assert x.shape == (1, 3, SIZE, SIZE)
    inside = (x[0, 0] + 1) / 2
    assert inside.sum().item() == pytest.approx(36**2, rel=0.01)
    grid = torch.arange(SIZE) + 0.5
    assert float((inside.sum(0) * grid).sum() / inside.sum()) == pytest.approx(30, abs=0.05)
    assert float((inside.sum(1) * grid).sum() / inside.sum()) == pytest.approx(26, abs=0.05)
    assert (x[0, 1:] == -1).all()


def test_transparent_glyphs_are_blended_with_the_background() -> None:
    x = scenes.render(scene(1, "white"), FAKE)
    torch.testing.assert_close(x[0, :, 32, 32], torch.tensor([0.6, 0.6, 1.0]), rtol=0, atol=1e-5)
    assert (x[0, :, 0, 0] == 1).all()


def test_scenes_use_allowed_combinations_and_are_not_cropped() -> None:
    pairs = torch.zeros(2, len(BACKGROUNDS), dtype=torch.bool)
    pairs[0, 3] = pairs[1, 5] = pairs[1, 6] = True
    batch = scenes.sample(3000, make_rng(0), pairs)
    combinations = set(zip(batch.glyph[:, 0].tolist(), batch.background.tolist(), strict=True))
    assert combinations == {(0, 3), (1, 5), (1, 6)}
    assert (batch.glyph == 0).float().mean().item() == pytest.approx(1 / 3, abs=0.03)
    for place in (batch.x, batch.y):
        assert (place - batch.side / 2).min() >= -1e-4
        assert (place + batch.side / 2).max() <= SIZE + 1e-4


def test_held_out_combinations_are_few_and_do_not_depend_on_the_other_names() -> None:
    names = [f"emoji {i}" for i in range(400)]
    out = scenes.holdout_backgrounds(names)
    assert out.float().mean().item() == pytest.approx(1 / scenes.HOLDOUT_PERIOD, abs=4 * math.sqrt(0.05 / 4800))
    assert torch.equal(out[7:9], scenes.holdout_backgrounds(names[7:9]))


def test_two_emoji_do_not_overlap() -> None:
    allowed = Combinations(torch.ones(5, len(BACKGROUNDS), dtype=torch.bool), torch.ones(5, 5, dtype=torch.bool))
    allowed.orders[3, 4] = False
    allowed.backgrounds[2, 7] = False
    two = scenes.sample_pairs(2000, make_rng(0), allowed)
    assert two.glyph.shape == two.x.shape == (2000, 2)
    first, second = two.glyph.T
    assert (first != second).all()
    assert not ((first == 3) & (second == 4)).any()
    assert ((first == 4) & (second == 3)).any()
    assert not ((two.glyph == 2).any(1) & (two.background == 7)).any()
    for place in (two.x, two.y):
        assert (place - two.side / 2).min() >= 0
        assert (place + two.side / 2).max() <= SIZE
    gaps = torch.stack([place.diff(dim=1)[:, 0] - two.side.mean(1) for place in (two.x, two.y)])
    assert (gaps.max(0).values >= 0).all()
    assert (gaps[0] > gaps[1]).float().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("pair_share", [0.0, 1 / 3, 0.5])
def test_mixed_scenes_contain_the_given_share_of_pairs(pair_share: float) -> None:
    allowed = Combinations(torch.ones(5, len(BACKGROUNDS), dtype=torch.bool), torch.ones(5, 5, dtype=torch.bool))
    mixed = scenes.sample_mixed(30, make_rng(0), allowed, pair_share)
    assert ((mixed.glyph[:, 1] == NONE).sum().item(), len(mixed.glyph)) == (30 - round(30 * pair_share), 30)
    assert (mixed.glyph[:, 0] != NONE).all()


def test_pairs_and_single_emoji_are_rendered() -> None:
    glyph = torch.tensor([[0, 1], [0, NONE]])
    paths = torch.tensor([[16.0, 48.0], [16.0, 0.0]]), torch.tensor([[32.0, 32.0], [32.0, 0.0]])
    x = scenes.render(Scenes(glyph, torch.tensor([2, 2]), torch.tensor([[28.0, 28.0], [28.0, 0.0]]), *paths), FAKE)
    red, blue = (colour_at(x, 16), colour_at(x, 48))
    torch.testing.assert_close(red, torch.tensor([[1.0, -1, -1], [1, -1, -1]]))
    torch.testing.assert_close(blue, torch.tensor([[-1.0, -1, -0.6], [-1, -1, -1]]))


def colour_at(x: Tensor, column: int) -> Tensor:
    return x[:, :, 32, column]


def test_training_combinations_exclude_the_holdout() -> None:
    names = [f"emoji {i}" for i in range(60)]
    allowed = scenes.training_combinations(names)
    assert not (allowed.backgrounds & scenes.holdout_backgrounds(names)).any()
    assert not (allowed.orders & scenes.holdout_orders(names)).any()
    assert scenes.holdout_orders(names).float().mean().item() == pytest.approx(0.05, abs=0.015)
