"""How text to image is measured: emoji are recognized by their nearest renders, and prompts compared with them."""

import pytest
import torch
from torch import Tensor

from playground.datasets import emoji, scenes
from playground.datasets.scenes import Combinations, Scenes
from playground.families.clip.model import tokenizer
from playground.runtime.rng import make_rng
from train.evaluation import prompt_fidelity, prompt_sets
from train.evaluation.recognition import Recognizer, explained_energy, render_sizes, sort_scene

N = 40


@pytest.fixture(scope="module")
def glyphs() -> emoji.Glyphs:
    if not any(path.exists() for path in emoji.SYSTEM_FONTS):
        pytest.skip("the font Noto Color Emoji is not installed")
    every = emoji.load_training_glyphs("nowhere", core=True)
    return every._replace(names=every.names[:N], colours=every.colours[:N])


@pytest.fixture(scope="module")
def recognize(glyphs: emoji.Glyphs) -> Recognizer:
    return Recognizer(glyphs)


def every(glyphs: emoji.Glyphs) -> Combinations:
    n = len(glyphs.names)
    return Combinations(torch.ones(n, len(scenes.BACKGROUNDS), dtype=torch.bool), torch.ones(n, n, dtype=torch.bool))


def test_one_emoji_is_recognized_in_its_place(recognize: Recognizer, glyphs: emoji.Glyphs) -> None:
    scene_batch = scenes.sample(50, make_rng(0), every(glyphs).backgrounds)
    found = recognize(scenes.render(scene_batch, glyphs), 1)
    assert found.glyph.equal(scene_batch.glyph)
    assert found.background.equal(scene_batch.background)
    for name, tolerance in (("side", 3), ("x", 2), ("y", 2)):
        torch.testing.assert_close(getattr(found, name), getattr(scene_batch, name), atol=tolerance, rtol=0)


def test_two_emoji_are_recognized_in_order(recognize: Recognizer, glyphs: emoji.Glyphs) -> None:
    scene_batch = scenes.sample_pairs(20, make_rng(0), every(glyphs))
    found = recognize(scenes.render(scene_batch, glyphs), 2)
    assert found.glyph.equal(scene_batch.glyph)
    assert found.background.equal(scene_batch.background)


def test_a_render_explains_all_of_itself(glyphs: emoji.Glyphs) -> None:
    renders, ground = render_sizes(glyphs, 40.0, 40.0), torch.tensor([0.5, -0.2, 0.1])
    part = renders.parts[3, 0]
    picture = part[:3] + ground[:, None, None] * part[3]
    gain = explained_energy(torch.roll(picture, (2, -1), (1, 2)), ground, renders)
    at = torch.unravel_index(gain.argmax(), gain.shape)
    assert [int(i) for i in at] == [3, 0, 18, 15]
    torch.testing.assert_close(gain.max(), picture.square().sum())


def test_the_left_or_upper_emoji_comes_first() -> None:
    neighbours = torch.tensor([[1.0, 2.0], [30.0, 30.0], [50.0, 10.0], [30.0, 35.0]])
    assert sort_scene(neighbours)[0].tolist() == [2, 1]
    above = torch.tensor([[1.0, 2.0], [30.0, 30.0], [20.0, 10.0], [10.0, 50.0]])
    assert sort_scene(above)[0].tolist() == [1, 2]


def pair(glyph: list[list[int]], x: list[list[float]], y: list[list[float]]) -> Scenes:
    n = len(glyph)
    return Scenes(torch.tensor(glyph), torch.zeros(n, dtype=torch.long), torch.full((n, 2), 28.0),
                  torch.tensor(x), torch.tensor(y))  # fmt: skip


def test_agreement_counts_names_and_of_these_relations() -> None:
    expected = pair([[1, 2]] * 4, [[16, 48]] * 4, [[32, 32]] * 4)
    found = pair([[1, 2], [2, 1], [1, 2], [1, 3]], [[16, 48], [16, 48], [32, 32], [16, 48]],
                 [[32, 30], [32, 32], [16, 48], [32, 32]])  # fmt: skip
    # as in the prompt, the other way round, above each other, another emoji
    figures = prompt_fidelity.agreement(expected, found)
    assert figures == {"name": 0.75, "ground": 1.0, "relation": pytest.approx(1 / 3)}


def test_the_tokens_of_a_name_are_found_in_its_prompt() -> None:
    prompt, names = "a small hot dog to the left of a dog on a red background", ["dog", "hot dog"]
    tokens: Tensor = tokenizer()([prompt, *names], 24)
    found = prompt_fidelity.token_slices(tokens[1:], tokens[0])
    assert [tokenizer().decode(tokens[0][place].tolist()).strip() for place in found] == names
    assert found[0].start > found[1].stop, "the dog, and not that of the hot dog"


def test_near_copies_are_at_no_distance() -> None:
    training = torch.rand(50, 12)
    x = torch.cat([training[7:9], torch.full((1, 12), 3.0)])
    found = prompt_fidelity.nearest_distance(x, training, chunk=20)
    torch.testing.assert_close(found[:2], torch.zeros(2), atol=1e-3, rtol=0)
    assert found[2] > 1


@pytest.mark.parametrize("kind", prompt_sets.PROMPT_SETS)
def test_captions_of_every_kind_name_what_is_asked(kind: str, glyphs: emoji.Glyphs) -> None:
    prompt_set = prompt_sets.PROMPT_SETS[kind](glyphs)
    assert len(prompt_set.prompts) == len(prompt_set.scenes.glyph) == prompt_sets.CAPTIONS
    if kind != "by alias":
        names = [[glyphs.names[i] for i in row] for row in prompt_set.scenes.glyph.tolist()]
        assert all(name in prompt for row, prompt in zip(names, prompt_set.prompts, strict=True) for name in row)


def test_fewer_captions_are_the_first_of_all(glyphs: emoji.Glyphs) -> None:
    evaluator = object.__new__(prompt_fidelity.PromptEvaluator)
    evaluator.glyphs = glyphs
    full_set, part = (evaluator.prompt_set("seen pairs", n) for n in (prompt_sets.CAPTIONS, 7))
    assert part.prompts == full_set.prompts[:7]
    assert all(a.equal(b[:7]) for a, b in zip(part.scenes, full_set.scenes, strict=True))
