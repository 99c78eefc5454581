"""Scenes of emoji: what is drawn where, and what is held out."""

import math

import pytest
import torch
from torch import Tensor

from playground.data import scenes
from playground.data.emoji import Glyphs
from playground.data.scenes import GROUNDS, NONE, SIZE, Allowed, Scenes
from playground.sampling import generator

# Two glyphs: a red square that fills its box, and a half-transparent blue one.
COLOURS = torch.zeros(2, 4, 64, 64)
COLOURS[0, 0], COLOURS[0, 3] = 1, 1
COLOURS[1, 2], COLOURS[1, 3] = 0.5, 0.5
FAKE = Glyphs(["red square", "blue glass"], COLOURS, "")


def scene(glyph: int, ground: str, side: float = 40.0, x: float = 32.0, y: float = 32.0) -> Scenes:
    values = (torch.tensor([[float(value)]]) for value in (side, x, y))
    return Scenes(torch.tensor([[glyph]]), torch.tensor([list(GROUNDS).index(ground)]), *values)


def test_an_emoji_lies_on_its_ground_at_its_place() -> None:
    x = scenes.draw(scene(0, "black", side=36, x=30, y=26), FAKE)
    assert x.shape == (1, 3, SIZE, SIZE)
    inside = (x[0, 0] + 1) / 2
    assert inside.sum().item() == pytest.approx(36**2, rel=0.01)
    grid = torch.arange(SIZE) + 0.5
    assert float((inside.sum(0) * grid).sum() / inside.sum()) == pytest.approx(30, abs=0.05)
    assert float((inside.sum(1) * grid).sum() / inside.sum()) == pytest.approx(26, abs=0.05)
    assert (x[0, 1:] == -1).all()


def test_glass_shows_half_of_the_ground() -> None:
    x = scenes.draw(scene(1, "white"), FAKE)
    torch.testing.assert_close(x[0, :, 32, 32], torch.tensor([0.0, 0.0, 1.0]), rtol=0, atol=1e-5)
    assert (x[0, :, 0, 0] == 1).all()


def test_scenes_keep_to_the_allowed_pairs_and_stay_whole() -> None:
    pairs = torch.zeros(2, len(GROUNDS), dtype=torch.bool)
    pairs[0, 3] = pairs[1, 5] = pairs[1, 6] = True
    shown = scenes.sample(3000, generator(0), pairs)
    drawn = set(zip(shown.glyph[:, 0].tolist(), shown.ground.tolist(), strict=True))
    assert drawn == {(0, 3), (1, 5), (1, 6)}
    assert (shown.glyph == 0).float().mean().item() == pytest.approx(1 / 3, abs=0.03)
    for place in (shown.x, shown.y):
        assert (place - shown.side / 2).min() >= -1e-4
        assert (place + shown.side / 2).max() <= SIZE + 1e-4


def test_the_held_out_pairs_are_few_and_always_the_same() -> None:
    names = [f"emoji {i}" for i in range(400)]
    out = scenes.held_out(names)
    assert out.float().mean().item() == pytest.approx(1 / scenes.HELD_OUT, abs=4 * math.sqrt(0.05 / 4800))
    assert torch.equal(out[7:9], scenes.held_out(names[7:9]))


def test_two_emoji_lie_in_their_halves_apart_from_each_other() -> None:
    allowed = Allowed(torch.ones(5, len(GROUNDS), dtype=torch.bool), torch.ones(5, 5, dtype=torch.bool))
    allowed.orders[3, 4] = False
    allowed.pairs[2, 7] = False
    two = scenes.sample_two(2000, generator(0), allowed)
    assert two.glyph.shape == two.x.shape == (2000, 2)
    first, second = two.glyph.T
    assert (first != second).all()
    assert not ((first == 3) & (second == 4)).any()
    assert ((first == 4) & (second == 3)).any()
    assert not ((two.glyph == 2).any(1) & (two.ground == 7)).any()
    for place in (two.x, two.y):
        assert (place - two.side / 2).min() >= 0
        assert (place + two.side / 2).max() <= SIZE
    apart = torch.stack([place.diff(dim=1)[:, 0] - two.side.mean(1) for place in (two.x, two.y)])
    assert (apart.max(0).values >= 0).all()
    assert (apart[0] > apart[1]).float().mean().item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("of_two", [0.0, 1 / 3, 0.5])
def test_the_share_of_scenes_that_are_of_two(of_two: float) -> None:
    allowed = Allowed(torch.ones(5, len(GROUNDS), dtype=torch.bool), torch.ones(5, 5, dtype=torch.bool))
    both = scenes.sample_both(30, generator(0), allowed, of_two)
    assert ((both.glyph[:, 1] == NONE).sum().item(), len(both.glyph)) == (30 - round(30 * of_two), 30)
    assert (both.glyph[:, 0] != NONE).all()


def test_two_emoji_are_drawn_and_one_that_is_not_there_is_not() -> None:
    glyph = torch.tensor([[0, 1], [0, NONE]])
    places = torch.tensor([[16.0, 48.0], [16.0, 0.0]]), torch.tensor([[32.0, 32.0], [32.0, 0.0]])
    x = scenes.draw(Scenes(glyph, torch.tensor([2, 2]), torch.tensor([[28.0, 28.0], [28.0, 0.0]]), *places), FAKE)
    red, blue = (colour_at(x, 16), colour_at(x, 48))
    torch.testing.assert_close(red, torch.tensor([[1.0, -1, -1], [1, -1, -1]]))
    torch.testing.assert_close(blue, torch.tensor([[-1.0, -1, 0], [-1, -1, -1]]))


def colour_at(x: Tensor, column: int) -> Tensor:
    return x[:, :, 32, column]


def test_what_is_held_out_is_not_trained_on() -> None:
    names = [f"emoji {i}" for i in range(60)]
    allowed = scenes.for_training(names)
    assert not (allowed.pairs & scenes.held_out(names)).any()
    assert not (allowed.orders & scenes.held_out_orders(names)).any()
    assert scenes.held_out_orders(names).float().mean().item() == pytest.approx(0.05, abs=0.015)
