"""The recipe of `clip-emoji`: contrastive learning on scenes and their captions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from playground.datasets import captions, emoji, scenes
from playground.datasets.scenes import Scenes
from playground.families import clip
from playground.runtime import checkpoint, validation
from playground.runtime.rng import make_rng
from train import device
from train.checks import check_config
from train.evaluation.results import Measurement
from train.fit import fit, publish
from train.options import SceneOptions
from train.run import Run


@dataclass(frozen=True)
class Recipe(SceneOptions):
    """Three cycles of 1,500 steps on 300,000 scenes each, with captions phrased at random."""

    name: str = "clip-emoji"
    steps: int = 4_500
    batch_size: int = 200
    lr: float = 1e-3
    warmup: int = 100
    decay: float = 0.7
    cycles: int = 3
    weight_decay: float = 0.1
    # Settings of the model; its vocabulary is that of the captions.
    config: clip.Config = field(default_factory=clip.Config)
    # Fraction of the scenes that have two emoji, whose order is learned from captions with exchanged names.
    of_two: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.check_bounds(self, {}, {"of_two": (0.0, 1.0)})

    @property
    def data_description(self) -> str:
        return f"{scenes.DESCRIPTION}, with captions"


RECIPES = [Recipe()]
EXCHANGED_CHOICES = [*range(len(captions.CHOICES) - 2), -1, -2]  # each emoji keeps its name in the exchanged caption
N_TEST, N_CANDIDATES = 1_000, 100  # captions in all, and among how many the right one is found


def train(recipe: Recipe, glyphs: emoji.Glyphs | None = None) -> Path | None:
    """Start or resume training on glyphs, by default those of the recipe; return the path of the finished
    checkpoint."""
    glyph_set = glyphs or emoji.load_training_glyphs(recipe.data, recipe.core)
    synonyms, allowed = captions.list_synonyms(glyph_set.names), scenes.training_combinations(glyph_set.names)
    tokens = clip.vocabulary_of(list(captions.vocabulary_texts(synonyms)))
    config = replace(recipe.config, vocabulary=len(tokens))
    check_config(config, size=scenes.SIZE)

    def build() -> clip.Model:
        model = clip.Model(config)
        model.tokens.copy_(tokens)
        return model

    run = Run(recipe, build, caller_data=glyphs is not None)
    accelerator = run.accelerator
    glyph_set = glyph_set._replace(colours=glyph_set.colours.to(accelerator.device))
    inner = cast(clip.Model, accelerator.unwrap_model(run.model))
    n, rank = recipe.batch_size // accelerator.num_processes, (accelerator.process_index, accelerator.num_processes)

    run.after_update(_clamp_logit_scale)
    for step in fit(run):
        scene_batch = scenes.sample_mixed(n, step.rng, allowed, recipe.of_two)
        choices = torch.rand(n, len(captions.CHOICES), generator=step.rng)
        first, second = scene_batch.glyph.T
        pairs = (second != scenes.NONE).nonzero()[:, 0]
        pairs = pairs[allowed.orders[second[pairs], first[pairs]]]  # held-out orders are no negatives either
        texts = captions.captions_from_choices(scene_batch, synonyms, choices)
        exchanged = exchange_emoji(scene_batch, pairs), synonyms, choices[pairs][:, EXCHANGED_CHOICES]
        positives = inner.tokenize(texts)
        negatives = pairs, inner.tokenize(captions.captions_from_choices(*exchanged))
        x = scenes.render(scene_batch, glyph_set)
        step.minimize(clip.loss(run.model, x, positives, negatives, *rank))
    return publish(run)


@torch.no_grad()
def _clamp_logit_scale(model: nn.Module) -> None:
    cast(clip.Model, model).clip.logit_scale.clamp_(0, clip.MAX_LOGIT_SCALE)


def exchange_emoji(scene_batch: Scenes, index: Tensor) -> Scenes:
    """Return the scenes that an index or a mask selects, all of two emoji, with the emoji exchanged."""
    return Scenes(scene_batch.glyph[index].flip(1), *(part[index] for part in scene_batch[1:]))


def measurements(path: Path, data: Path, n: int, judges: Path) -> Iterator[Measurement]:
    """Yield the measurements of retrieval between held-out scenes and captions."""
    identity = {"table": "clip", "checkpoint": path.stem, "sha256": checkpoint.sha256(path), "seed": 0, "n": N_TEST}
    core = checkpoint.read_header(path).flags.get("core", True)

    def with_glyphs(measure: Callable[[Path, emoji.Glyphs], dict[str, float]]) -> dict[str, float]:
        return measure(path, emoji.load_training_glyphs(data, core))

    for row, settings, measure in (
        ("held-out pairs", f"the nearest of {N_CANDIDATES}", retrieval),
        ("held-out orders", "or with the names exchanged", order),
    ):
        yield Measurement({**identity, "row": row, "settings": settings}, partial(with_glyphs, measure))


@torch.no_grad()
def retrieval(path: Path, glyphs: emoji.Glyphs, n: int = N_TEST, among: int = N_CANDIDATES) -> dict[str, float]:
    """Measure retrieval between held-out scenes of one emoji and their plainest captions.

    Returns:
        Fractions in [0, 1]: how often the nearest caption names the emoji of a picture ("image_to_text_name") and its
        background ("image_to_text_ground"), and how often the nearest picture shows those of a caption.
    """
    model: clip.Model = device.load(path)
    scene_batch = scenes.sample(n, make_rng(2), scenes.holdout_backgrounds(glyphs.names))
    texts = captions.make_plain_captions(scene_batch, captions.list_synonyms(glyphs.names))
    glyph, ground, positives = scene_batch.glyph[:, 0], scene_batch.background, dict[str, list[Tensor]]()
    for indices in torch.arange(n).split(among):
        x = scenes.render(Scenes(*(part[indices] for part in scene_batch)), glyphs).to(device.DEVICE)
        similarity = (model.encode_image(x) @ model.encode_text(model.tokenize([texts[i] for i in indices])).T).cpu()
        for direction, nearest in (("image_to_text", similarity.argmax(1)), ("text_to_image", similarity.argmax(0))):
            for name, part in (("name", glyph[indices]), ("ground", ground[indices])):
                positives.setdefault(f"{direction}_{name}", []).append(part[nearest] == part)
    return {name: torch.cat(parts).float().mean().item() for name, parts in positives.items()}


@torch.no_grad()
def order(path: Path, glyphs: emoji.Glyphs, n: int = N_TEST) -> dict[str, float]:
    """Measure how often a scene of two emoji is nearer to its caption than to that caption with exchanged names."""
    model: clip.Model = device.load(path)
    synonyms, pairs = captions.list_synonyms(glyphs.names), scenes.training_combinations(glyphs.names).backgrounds
    scene_batch = scenes.sample_pairs(n, make_rng(2), scenes.Combinations(pairs, scenes.holdout_orders(glyphs.names)))
    both_orders = scene_batch, exchange_emoji(scene_batch, torch.ones(n, dtype=torch.bool))
    image = model.encode_image(scenes.render(scene_batch, glyphs).to(device.DEVICE))
    figures = {}
    for name, template in (("left of, above", 0.0), ("right of, under", 0.999)):
        positives, negatives = (
            model.encode_text(model.tokenize(captions.make_plain_captions(ordered, synonyms, template=template)))
            for ordered in both_orders
        )
        figures[name] = ((image * (positives - negatives)).sum(1) > 0).float().mean().item()
    return figures
