"""The recipe of `text-to-image-emoji`: latents of scenes, told by the states of their captions.

The autoencoder and the text encoder are trained before, and stay as they are. The latents are computed once and kept
beside the run; captions are phrased afresh each time.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from playground import checkpoint, compute, pictures
from playground.data import captions, emoji, scenes
from playground.data.scenes import Scenes
from playground.models import clip, text_to_image
from playground.models.text_to_image import Config, Parts, Settings
from playground.sampling import generator, last
from train import device, loop, prompted
from train.optimizers import Optimizer
from train.results import Entry


@dataclass(frozen=True)
class Recipe(loop.Options):
    """Eight cycles of 2,500 steps, 320,000 scenes each: what stands at the end of any of them is fit to ship.

    Attributes:
        config: of the U-Net.
        core: learn the emoji of `emoji.CORE` alone; else all of the font.
        scenes: how many are drawn and encoded.
        of_two: share of the scenes that have two emoji, which are harder to learn.
        dropout: share of the captions hidden.
        clip: an architecture of OpenCLIP, whose text encoder is used instead of `clip-emoji`.
        clip_weights: of that, such as laion2b_s34b_b79k, or the path of a file.
        parts: the folder of the autoencoder and of `clip-emoji`.
    """

    name: str = "text-to-image-emoji"
    steps: int = 20_000
    optimizer: Optimizer = "muon"
    lr: float = 2e-3
    warmup: int = 200
    decay: float = 0.6
    cycles: int = 8
    config: Config = field(default_factory=Config)
    core: bool = True
    scenes: int = 200_000
    of_two: float = 0.5
    dropout: float = 0.1
    clip: str = ""
    clip_weights: str = ""
    parts: Path = checkpoint.WEIGHTS

    @property
    def learns_from(self) -> str:
        return f"{scenes.ABOUT}, with captions"


RECIPES = [Recipe()]
PROMPTS = ("a pizza on a blue background", "a small owl on a red background", "a dog to the left of a rocket",
           "a big green apple on white", "a robot above a cactus on a yellow background")  # fmt: skip


def train(recipe: Recipe, glyphs: emoji.Glyphs | None = None) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done.

    Args:
        glyphs: those of the recipe by default.
    """
    config, parts = stood_on(recipe)
    recipe = replace(recipe, config=config)  # a run does not go on with other parts
    run = loop.Run(recipe, lambda: text_to_image.Model(config))
    target = run.accelerator.device
    shown = glyphs or emoji.learned(recipe.data, recipe.core)
    called, allowed = captions.words(shown.names), scenes.for_training(shown.names)
    drawn = scenes.sample_both(recipe.scenes, generator(recipe.seed), allowed, recipe.of_two)
    latents = loop.fetched(lambda: encoded(recipe, parts, shown, drawn))
    for part in parts:
        cast(nn.Module, part).to(target)
    empty = parts.encoder.context(parts.encoder.tokenize([""]))

    def loss(model: nn.Module, step: int, random: torch.Generator) -> Tensor:
        index = run.batch(recipe.scenes, step).cpu()
        said = captions.captions(Scenes(*(part[index] for part in drawn)), called, random)
        with torch.no_grad():
            context = parts.encoder.context(parts.encoder.tokenize(said))
        z0 = torch.from_numpy(latents[index.numpy()]).to(target).float()
        return text_to_image.loss(model, z0, context, empty, random, recipe.dropout)

    def picture(model: text_to_image.Model, path: Path) -> None:
        model.parts = parts
        rows = [last(text_to_image.sample(model, Settings(n=4, prompt=prompt))).x for prompt in PROMPTS]
        pictures.image(pictures.grid(pictures.to_uint8(torch.cat(cast(list[Tensor], rows))), columns=4)).save(path)

    return loop.follow(run, run.train(loss=loss), picture)


def stood_on(recipe: Recipe) -> tuple[Config, Parts]:
    """The config with the names of the two other parts in it, and the parts."""
    paths = {name: recipe.parts / f"{getattr(recipe.config, name)}.safetensors" for name in ("autoencoder", "encoder")}
    autoencoder = device.load(paths["autoencoder"], expect="autoencoder")
    config = replace(recipe.config, autoencoder_sha256=checkpoint.sha256(paths["autoencoder"]))
    if recipe.clip:
        name = f"{recipe.clip}/{recipe.clip_weights}"
        encoder = clip.pretrained(name)
        return replace(config, encoder=name, context_dim=encoder.clip.positional_embedding.shape[1]), Parts(
            autoencoder, encoder
        )
    own = device.load(paths["encoder"], expect="clip")
    config = replace(config, encoder_sha256=checkpoint.sha256(paths["encoder"]), context_dim=own.config.text_width)
    return config, Parts(autoencoder, own)


@torch.no_grad()
def encoded(recipe: Recipe, parts: Parts, glyphs: emoji.Glyphs, drawn: Scenes, batch: int = 250) -> np.ndarray:
    """The latents (N, c, h, w) of scenes, in half precision; kept on the disk beside the run."""
    made_of = recipe.config.autoencoder_sha256, recipe.seed, recipe.scenes, recipe.of_two, recipe.core, glyphs.sha256
    path = recipe.folder / f"latents-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = np.empty((len(drawn.glyph), *parts.autoencoder.config.shape), np.float16)
        for start in tqdm(range(0, len(made), batch), desc="latents"):
            x = scenes.draw(Scenes(*(part[start : start + batch] for part in drawn)), glyphs).to(device.DEVICE)
            with compute.fast(x):
                made[start : start + batch] = parts.autoencoder.encode(x).float().cpu().numpy()
        partial = path.with_suffix(".partial.npy")
        np.save(partial, made)
        partial.replace(path)
    return np.load(path, mmap_mode="r")


def entries(path: Path, data: Path, n: int) -> Iterator[Entry]:
    """How well it draws what it is asked for."""
    return prompted.entries(path, data, n)
