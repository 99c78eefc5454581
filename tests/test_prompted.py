"""How text to image is measured: emoji are recognised by their nearest renders, and prompts compared with them."""

import pytest
import torch
from torch import Tensor

from playground.data import emoji, scenes
from playground.data.scenes import Allowed, Scenes
from playground.models import clip
from playground.sampling import generator
from train import prompted
from train.recognition import Recogniser, explained, in_order, rendered

N = 40


@pytest.fixture(scope="module")
def glyphs() -> emoji.Glyphs:
    if not any(path.exists() for path in emoji.SYSTEM):
        pytest.skip("the font Noto Color Emoji is not installed")
    every = emoji.learned("data", core=True)
    return every._replace(names=every.names[:N], colours=every.colours[:N])


@pytest.fixture(scope="module")
def recognise(glyphs: emoji.Glyphs) -> Recogniser:
    return Recogniser(glyphs)


def every(glyphs: emoji.Glyphs) -> Allowed:
    n = len(glyphs.names)
    return Allowed(torch.ones(n, len(scenes.GROUNDS), dtype=torch.bool), torch.ones(n, n, dtype=torch.bool))


def test_one_emoji_is_recognised_in_its_place(recognise: Recogniser, glyphs: emoji.Glyphs) -> None:
    shown = scenes.sample(50, generator(0), every(glyphs).pairs)
    found = recognise(scenes.draw(shown, glyphs), 1)
    assert found.glyph.equal(shown.glyph)
    assert found.ground.equal(shown.ground)
    for name, tolerance in (("side", 3), ("x", 2), ("y", 2)):
        torch.testing.assert_close(getattr(found, name), getattr(shown, name), atol=tolerance, rtol=0)


def test_two_emoji_are_recognised_in_order(recognise: Recogniser, glyphs: emoji.Glyphs) -> None:
    shown = scenes.sample_two(20, generator(0), every(glyphs))
    found = recognise(scenes.draw(shown, glyphs), 2)
    assert found.glyph.equal(shown.glyph)
    assert found.ground.equal(shown.ground)


def test_a_render_explains_all_of_itself(glyphs: emoji.Glyphs) -> None:
    renders, ground = rendered(glyphs, 40.0, 40.0), torch.tensor([0.5, -0.2, 0.1])
    part = renders.parts[3, 0]
    picture = part[:3] + ground[:, None, None] * part[3]
    gain = explained(torch.roll(picture, (2, -1), (1, 2)), ground, renders)
    at = torch.unravel_index(gain.argmax(), gain.shape)
    assert [int(i) for i in at] == [3, 0, 18, 15]
    torch.testing.assert_close(gain.max(), picture.square().sum())


def test_the_left_or_upper_emoji_comes_first() -> None:
    beside = torch.tensor([[1.0, 2.0], [30.0, 30.0], [50.0, 10.0], [30.0, 35.0]])
    assert in_order(beside)[0].tolist() == [2, 1]
    above = torch.tensor([[1.0, 2.0], [30.0, 30.0], [20.0, 10.0], [10.0, 50.0]])
    assert in_order(above)[0].tolist() == [1, 2]


def pair(glyph: list[list[int]], x: list[list[float]], y: list[list[float]]) -> Scenes:
    n = len(glyph)
    return Scenes(torch.tensor(glyph), torch.zeros(n, dtype=torch.long), torch.full((n, 2), 28.0),
                  torch.tensor(x), torch.tensor(y))  # fmt: skip


def test_agreement_counts_names_and_of_these_relations() -> None:
    wanted = pair([[1, 2]] * 4, [[16, 48]] * 4, [[32, 32]] * 4)
    found = pair([[1, 2], [2, 1], [1, 2], [1, 3]], [[16, 48], [16, 48], [32, 32], [16, 48]],
                 [[32, 30], [32, 32], [16, 48], [32, 32]])  # fmt: skip
    figures = prompted.agreement(wanted, found)  # as asked, the other way round, above each other, another emoji
    assert figures == {"name": 0.75, "ground": 1.0, "relation": pytest.approx(1 / 3)}


def test_the_tokens_of_a_name_are_found_in_its_prompt() -> None:
    prompt, names = "a small hot dog to the left of a dog on a red background", ["dog", "hot dog"]
    tokens: Tensor = clip.tokenizer()([prompt, *names], 24)
    found = prompted.places(tokens[1:], tokens[0])
    assert [clip.tokenizer().decode(tokens[0][place].tolist()).strip() for place in found] == names
    assert found[0].start > found[1].stop, "the dog, and not that of the hot dog"


def test_near_copies_are_at_no_distance() -> None:
    known = torch.rand(50, 12)
    x = torch.cat([known[7:9], torch.full((1, 12), 3.0)])
    found = prompted.nearest(x, known, chunk=20)
    torch.testing.assert_close(found[:2], torch.zeros(2), atol=1e-3, rtol=0)
    assert found[2] > 1


@pytest.mark.parametrize("kind", prompted.KINDS)
def test_captions_of_every_kind_name_what_is_asked(kind: str, glyphs: emoji.Glyphs) -> None:
    asked = prompted.KINDS[kind](glyphs)
    assert len(asked.prompts) == len(asked.scenes.glyph) == prompted.CAPTIONS
    if kind != "by alias":
        names = [[glyphs.names[i] for i in row] for row in asked.scenes.glyph.tolist()]
        assert all(name in prompt for row, prompt in zip(names, asked.prompts, strict=True) for name in row)


def test_fewer_captions_are_the_first_of_all(glyphs: emoji.Glyphs) -> None:
    bench = object.__new__(prompted.Bench)
    bench.glyphs = glyphs
    whole, part = (bench.asked("seen pairs", n) for n in (prompted.CAPTIONS, 7))
    assert part.prompts == whole.prompts[:7]
    assert all(a.equal(b[:7]) for a, b in zip(part.scenes, whole.scenes, strict=True))
