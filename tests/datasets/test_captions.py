"""Tests of the captions of scenes."""

import math

import pytest
import torch

from playground.datasets import captions, emoji, scenes
from playground.datasets.scenes import BACKGROUNDS, NONE, Scenes
from playground.runtime.rng import make_rng

SYNONYMS = [["pizza"], ["dog face", "dog"], ["owl"], ["socks"]]


def scene(*glyphs: int, background: str = "blue", side: float = 45, vertical: bool = False) -> Scenes:
    coordinates = torch.tensor([[16.0, 48.0]]), torch.tensor([[30.0, 33.0]])
    x, y = coordinates[::-1] if vertical else coordinates
    glyph = [*glyphs, NONE][:2]
    return Scenes(
        torch.tensor([glyph]), torch.tensor([list(BACKGROUNDS).index(background)]), torch.tensor([[side, side]]), x, y
    )


def caption(scenes: Scenes, **choices: float) -> str:
    """Return the plain caption of one scene, but for some choices."""
    return captions.make_plain_captions(scenes, SYNONYMS, **choices)[0]


def test_plain_captions() -> None:
    assert caption(scene(0)) == "a pizza on a blue background"
    assert caption(scene(0, side=35)) == "a small pizza on a blue background"
    assert caption(scene(2, side=55, background="orange")) == "a big owl on an orange background"
    assert caption(scene(2)) == "an owl on a blue background"
    assert caption(scene(3)) == "socks on a blue background"
    assert caption(scene(0, 1)) == "a pizza to the left of a dog face on a blue background"
    assert caption(scene(0, 1, vertical=True)) == "a pizza above a dog face on a blue background"


def test_each_choice_changes_one_part_of_the_caption() -> None:
    assert caption(scene(1), first=0.9) == "a dog on a blue background"
    assert caption(scene(0), article=0.5) == "the pizza on a blue background"
    assert caption(scene(0), article=0.9) == "pizza on a blue background"
    assert caption(scene(0, side=35), size=0.9) == "a pizza on a blue background"
    assert caption(scene(0, side=55), word=0.9) == "a large pizza on a blue background"
    assert caption(scene(0), template=0.99) == "a pizza"
    assert caption(scene(0, 1), template=0.99, background=0.99) == "a dog face right of a pizza"
    assert caption(scene(0, 1, vertical=True), template=0.8, article=0.9) == "dog face below pizza on a blue background"


def test_random_captions_depend_on_the_seed_and_use_all_variants() -> None:
    many = Scenes(*(torch.cat([part] * 3000) for part in scene(1, side=35)))
    texts = captions.write_captions(many, SYNONYMS, make_rng(0))
    assert texts == captions.write_captions(many, SYNONYMS, make_rng(0))
    assert len(set(texts)) > 60
    for word, share in (("small", 0.5), ("blue", 7 / 8), ("face", 0.5)):
        expected = pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 3000))
        assert sum(word in text for text in texts) / 3000 == expected


def test_captions_of_pairs_name_the_left_emoji_first_more_often() -> None:
    """The probability is sqrt(1 / 2): the square of a uniform number selects the first two of four templates."""
    many = Scenes(*(torch.cat([part] * 3000) for part in scene(0, 1)))
    texts = captions.write_captions(many, SYNONYMS, make_rng(0))
    expected = math.sqrt(0.5)
    assert sum("left" in text for text in texts) / 3000 == pytest.approx(expected, abs=4 * math.sqrt(0.21 / 3000))
    assert all(("left" in text) == (text.find("pizza") < text.find("dog")) for text in texts)


def test_synonyms_are_unique() -> None:
    synonyms = captions.list_synonyms(emoji.CORE)
    words = [word.lower() for names in synonyms for word in names]
    assert len(set(words)) == len(words)
    assert synonyms[emoji.CORE.index("dog face")] == ["dog face", "dog"]
    assert synonyms[emoji.CORE.index("cooking")] == ["cooking", "fried egg"], "an egg is another emoji"


def test_the_emoji_that_a_text_names() -> None:
    assert captions.find_names("A big OWL left of the dog face, with socks", SYNONYMS) == [2, 1, 3]
    assert captions.find_names("a hotdog on pizzas", SYNONYMS) == []
    synonyms = captions.list_synonyms(emoji.CORE)
    for i, names in enumerate(synonyms):
        assert captions.find_names(", ".join(names), synonyms) == [i] * len(names), names


def test_the_vocabulary_covers_every_caption() -> None:
    names = emoji.CORE
    synonyms, allowed = captions.list_synonyms(names), scenes.training_combinations(names)
    vocabulary = {
        word for text in captions.vocabulary_texts(synonyms) for word in text.replace(",", " ").lower().split()
    }
    texts = captions.write_captions(scenes.sample_mixed(2000, make_rng(0), allowed), synonyms, make_rng(1))
    assert {word for text in texts for word in text.replace(",", " ").lower().split()} <= vocabulary
