"""The captions of scenes."""

import math

import pytest
import torch

from playground.data import captions, emoji, scenes
from playground.data.scenes import GROUNDS, NONE, Scenes
from playground.sampling import generator

CALLED = [["pizza"], ["dog face", "dog"], ["owl"], ["socks"]]


def scene(*glyphs: int, ground: str = "blue", side: float = 45, upright: bool = False) -> Scenes:
    places = torch.tensor([[16.0, 48.0]]), torch.tensor([[30.0, 33.0]])
    x, y = places[::-1] if upright else places
    glyph = [*glyphs, NONE][:2]
    return Scenes(
        torch.tensor([glyph]), torch.tensor([list(GROUNDS).index(ground)]), torch.tensor([[side, side]]), x, y
    )


def said(shown: Scenes, **choices: float) -> str:
    """With some choices other than 0."""
    return captions.plain(shown, CALLED, **choices)[0]


def test_the_plainest_captions() -> None:
    assert said(scene(0)) == "a pizza on a blue background"
    assert said(scene(0, side=35)) == "a small pizza on a blue background"
    assert said(scene(2, side=55, ground="orange")) == "a big owl on an orange background"
    assert said(scene(2)) == "an owl on a blue background"
    assert said(scene(3)) == "socks on a blue background"
    assert said(scene(0, 1)) == "a pizza to the left of a dog face on a blue background"
    assert said(scene(0, 1, upright=True)) == "a pizza above a dog face on a blue background"


def test_choices_change_one_thing_each() -> None:
    assert said(scene(1), first=0.9) == "a dog on a blue background"
    assert said(scene(0), article=0.5) == "the pizza on a blue background"
    assert said(scene(0), article=0.9) == "pizza on a blue background"
    assert said(scene(0, side=35), size=0.9) == "a pizza on a blue background"
    assert said(scene(0, side=55), word=0.9) == "a large pizza on a blue background"
    assert said(scene(0), template=0.99) == "a pizza"
    assert said(scene(0, 1), template=0.99, ground=0.99) == "a dog face right of a pizza"
    assert said(scene(0, 1, upright=True), template=0.8, article=0.9) == "dog face below pizza on a blue background"


def test_chance_is_that_of_the_generator_and_says_everything_sometimes() -> None:
    shown = Scenes(*(torch.cat([part] * 3000) for part in scene(1, side=35)))
    made = captions.captions(shown, CALLED, generator(0))
    assert made == captions.captions(shown, CALLED, generator(0))
    assert len(set(made)) > 60
    for word, share in (("small", 0.5), ("blue", 7 / 8), ("face", 0.5)):
        expected = pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 3000))
        assert sum(word in each for each in made) / 3000 == expected


def test_of_two_the_first_is_more_often_on_the_left() -> None:
    """With probability sqrt(1 / 2): the first two of four templates by the square of a uniform number."""
    shown = Scenes(*(torch.cat([part] * 3000) for part in scene(0, 1)))
    made = captions.captions(shown, CALLED, generator(0))
    expected = math.sqrt(0.5)
    assert sum("left" in each for each in made) / 3000 == pytest.approx(expected, abs=4 * math.sqrt(0.21 / 3000))
    assert all(("left" in each) == (each.find("pizza") < each.find("dog")) for each in made)


def test_an_alias_stands_for_one_emoji_alone() -> None:
    called = captions.words(emoji.CORE)
    everything = [word.lower() for each in called for word in each]
    assert len(set(everything)) == len(everything)
    assert called[emoji.CORE.index("dog face")] == ["dog face", "dog"]
    assert called[emoji.CORE.index("cooking")] == ["cooking", "fried egg"], "an egg is another emoji"


def test_the_corpus_has_every_word_of_every_caption() -> None:
    names = emoji.CORE
    called, allowed = captions.words(names), scenes.for_training(names)
    known = {word for text in captions.corpus(called) for word in text.replace(",", " ").lower().split()}
    made = captions.captions(scenes.sample_both(2000, generator(0), allowed), called, generator(1))
    assert {word for text in made for word in text.replace(",", " ").lower().split()} <= known
