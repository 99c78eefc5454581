"""Sets of prompts for text to image: scenes of one or two emoji, and captions of them in different words."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from playground.datasets import captions, scenes
from playground.datasets.emoji import Glyphs
from playground.datasets.scenes import Scenes
from playground.runtime.rng import make_rng

CAPTIONS = 1_000  # of a set


class PromptSet(NamedTuple):
    """Scenes to draw, and their captions."""

    scenes: Scenes
    prompts: list[str]


def select(scene_batch: Scenes, part: slice) -> Scenes:
    """Return a slice of a batch of scenes."""
    return Scenes(*(field[part] for field in scene_batch))


def every_emoji(glyphs: Glyphs) -> PromptSet:
    """Return a plain prompt for each emoji, on the backgrounds in turn, without those held out."""
    n, n_backgrounds = _seen_pairs(glyphs).shape
    in_turn = (torch.arange(n)[:, None] + torch.arange(n_backgrounds)) % n_backgrounds
    first_seen = _seen_pairs(glyphs).gather(1, in_turn).int().argmax(1, keepdim=True)
    middle = torch.full((n, 1), scenes.SIZE / 2)
    background = in_turn.gather(1, first_seen)[:, 0]
    scene_batch = Scenes(torch.arange(n)[:, None], background, torch.full((n, 1), 46.0), middle, middle)
    return _with_captions(scene_batch, glyphs)


def _seen_pairs(glyphs: Glyphs) -> Tensor:
    return scenes.training_combinations(glyphs.names).backgrounds


def _seen_orders(glyphs: Glyphs) -> Tensor:
    return scenes.training_combinations(glyphs.names).orders


def _pairs_with_synonyms(glyphs: Glyphs) -> Tensor:
    has_synonyms = torch.tensor([len(synonyms) > 1 for synonyms in captions.list_synonyms(glyphs.names)])
    return _seen_pairs(glyphs) & has_synonyms[:, None]


def _one_emoji(glyphs: Glyphs, pairs: Tensor, **choices: float) -> PromptSet:
    return _with_captions(scenes.sample(CAPTIONS, make_rng(3), pairs), glyphs, **choices)


def _two_emoji(glyphs: Glyphs, orders: Tensor, **choices: float) -> PromptSet:
    combinations = scenes.Combinations(_seen_pairs(glyphs), orders)
    return _with_captions(scenes.sample_pairs(CAPTIONS, make_rng(3), combinations), glyphs, **choices)


def _with_captions(scene_batch: Scenes, glyphs: Glyphs, **choices: float) -> PromptSet:
    synonyms = captions.list_synonyms(glyphs.names)
    return PromptSet(scene_batch, captions.make_plain_captions(scene_batch, synonyms, **choices))


PROMPT_SETS: dict[str, Callable[[Glyphs], PromptSet]] = {
    "seen pairs": lambda glyphs: _one_emoji(glyphs, _seen_pairs(glyphs)),
    "the, not a": lambda glyphs: _one_emoji(glyphs, _seen_pairs(glyphs), article=0.5),
    "no article": lambda glyphs: _one_emoji(glyphs, _seen_pairs(glyphs), article=0.9),
    "held-out pairs": lambda glyphs: _one_emoji(glyphs, scenes.holdout_backgrounds(glyphs.names)),
    "by name": lambda glyphs: _one_emoji(glyphs, _pairs_with_synonyms(glyphs)),
    "by alias": lambda glyphs: _one_emoji(glyphs, _pairs_with_synonyms(glyphs), first=0.999),
    "two emoji": lambda glyphs: _two_emoji(glyphs, _seen_orders(glyphs)),
    "two, right of or under": lambda glyphs: _two_emoji(glyphs, _seen_orders(glyphs), template=0.999),
    "held-out orders": lambda glyphs: _two_emoji(glyphs, scenes.holdout_orders(glyphs.names)),
}
