"""The recipe of `clip-emoji`: scenes and their captions, told apart by each other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from playground import checkpoint
from playground.data import captions, emoji, scenes
from playground.data.scenes import Scenes
from playground.models import clip
from playground.sampling import generator
from train import device, loop
from train.results import Entry


@dataclass(frozen=True)
class Recipe(loop.Options):
    """Three cycles of 1,500 steps, 300,000 scenes each, every one with a caption phrased by chance.

    Attributes:
        config: of the model; its vocabulary is that of the captions.
        core: learn the emoji of `emoji.CORE` alone; else all of the font.
        of_two: share of the scenes that have two emoji, whose order is learned from exchanged captions.
    """

    name: str = "clip-emoji"
    steps: int = 4_500
    batch_size: int = 200
    lr: float = 1e-3
    decay: float = 0.7
    cycles: int = 3
    weight_decay: float = 0.1
    config: clip.Config = field(default_factory=clip.Config)
    core: bool = True
    of_two: float = 0.5

    @property
    def learns_from(self) -> str:
        return f"{scenes.ABOUT}, with captions"


RECIPES = [Recipe()]
EXCHANGED = [*range(len(captions.CHOICES) - 2), -1, -2]  # each emoji keeps its name in the exchanged caption
TESTED, AMONG = 1_000, 100  # captions, and how many are told apart at once


def train(recipe: Recipe, glyphs: emoji.Glyphs | None = None) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done.

    Args:
        glyphs: those of the recipe by default.
    """
    shown = glyphs or emoji.learned(recipe.data, recipe.core)
    called, allowed = captions.words(shown.names), scenes.for_training(shown.names)
    tokens = clip.occurring(list(captions.corpus(called)))
    config = replace(recipe.config, vocabulary=len(tokens))

    def build() -> clip.Model:
        model = clip.Model(config)
        model.tokens.copy_(tokens)
        return model

    run = loop.Run(recipe, build)
    accelerator = run.accelerator
    shown = shown._replace(colours=shown.colours.to(accelerator.device))
    inner = cast(clip.Model, accelerator.unwrap_model(run.model))
    n, place = recipe.batch_size // accelerator.num_processes, (accelerator.process_index, accelerator.num_processes)

    def loss(model: nn.Module, step: int, random: torch.Generator) -> Tensor:
        drawn = scenes.sample_both(n, random, allowed, recipe.of_two)
        choices = torch.rand(n, len(captions.CHOICES), generator=random)
        first, second = drawn.glyph.T
        two = (second != scenes.NONE).nonzero()[:, 0]
        two = two[allowed.orders[second[two], first[two]]]  # what is held out is not even seen as wrong
        right = inner.tokenize(captions.phrased(drawn, called, choices))
        wrong = inner.tokenize(captions.phrased(exchanged(drawn, two), called, choices[two][:, EXCHANGED]))
        return clip.loss(model, scenes.draw(drawn, shown), right, (two, wrong), *place)

    @torch.no_grad()
    def bound(model: nn.Module) -> None:
        cast(clip.Model, model).clip.logit_scale.clamp_(0, clip.LARGEST_SCALE)

    run.after_turn(bound)
    return loop.follow(run, run.train(loss=loss))


def exchanged(shown: Scenes, two: Tensor) -> Scenes:
    """Some scenes of two emoji, by their places or a mask, with each emoji in the other's place."""
    return Scenes(shown.glyph[two].flip(1), *(part[two] for part in shown[1:]))


def entries(path: Path, data: Path, n: int) -> Iterator[Entry]:
    """How well held-out scenes and their captions find each other."""
    identity = {"table": "clip", "checkpoint": path.stem, "sha256": checkpoint.sha256(path), "seed": 0, "n": TESTED}
    core = checkpoint.header(path).provenance["flags"]["core"]

    def measured(measure: Callable[[Path, emoji.Glyphs], dict[str, float]]) -> dict[str, float]:
        return measure(path, emoji.learned(data, core))

    for row, settings, measure in (
        ("held-out pairs", f"the nearest of {AMONG}", retrieval),
        ("held-out orders", "or with the names exchanged", order),
    ):
        yield Entry({**identity, "row": row, "settings": settings}, partial(measured, measure))


@torch.no_grad()
def retrieval(path: Path, glyphs: emoji.Glyphs, n: int = TESTED, among: int = AMONG) -> dict[str, float]:
    """Of scenes of one emoji on a ground that it was not trained with, and their plainest captions: how often the
    nearest picture to a caption, and the nearest caption to a picture, shows or names that emoji, and that ground."""
    model: clip.Model = device.load(path)
    shown = scenes.sample(n, generator(2), scenes.held_out(glyphs.names))
    said = captions.plain(shown, captions.words(glyphs.names))
    glyph, ground, right = shown.glyph[:, 0], shown.ground, dict[str, list[Tensor]]()
    for some in torch.arange(n).split(among):
        x = scenes.draw(Scenes(*(part[some] for part in shown)), glyphs).to(device.DEVICE)
        likeness = (model.image(x) @ model.text(model.tokenize([said[i] for i in some])).T).cpu()
        for way, nearest in (("image_to_text", likeness.argmax(1)), ("text_to_image", likeness.argmax(0))):
            for name, part in (("name", glyph[some]), ("ground", ground[some])):
                right.setdefault(f"{way}_{name}", []).append(part[nearest] == part)
    return {name: torch.cat(parts).float().mean().item() for name, parts in right.items()}


@torch.no_grad()
def order(path: Path, glyphs: emoji.Glyphs, n: int = TESTED) -> dict[str, float]:
    """How often a scene of two emoji is nearer to its caption than to the same with the names exchanged."""
    model: clip.Model = device.load(path)
    called, pairs = captions.words(glyphs.names), scenes.for_training(glyphs.names).pairs
    shown = scenes.sample_two(n, generator(2), scenes.Allowed(pairs, scenes.held_out_orders(glyphs.names)))
    both = shown, exchanged(shown, torch.ones(n, dtype=torch.bool))
    image = model.image(scenes.draw(shown, glyphs).to(device.DEVICE))
    found = {}
    for name, template in (("left of, above", 0.0), ("right of, under", 0.999)):
        right, wrong = (model.text(model.tokenize(captions.plain(each, called, template=template))) for each in both)
        found[name] = ((image * (right - wrong)).sum(1) > 0).float().mean().item()
    return found
