"""The recipe of `text-to-image-emoji`: a diffusion model of the latents of scenes, conditioned on their captions.

The autoencoder and the text encoder are trained before and stay frozen. The latents are computed once and stored in
the folder of the run; captions are phrased anew for each batch.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import nn
from tqdm import tqdm

from playground.datasets import captions, emoji, scenes
from playground.datasets.scenes import Scenes
from playground.families import clip, latent_diffusion
from playground.families.latent_diffusion import Components, Config, Settings
from playground.runtime import checkpoint, files, inference, pictures, validation
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from train import device
from train.checks import check_config
from train.evaluation import prompt_fidelity
from train.evaluation.results import Measurement
from train.fit import fit, publish
from train.optimizers import Optimizer
from train.options import SceneOptions
from train.processes import main_process_first
from train.run import Run


@dataclass(frozen=True)
class Recipe(SceneOptions):
    """Eight cycles of 2,500 steps on 320,000 scenes each: the model is fit to ship at the end of any cycle."""

    name: str = "text-to-image-emoji"
    steps: int = 20_000
    optimizer: Optimizer = "muon"
    lr: float = 2e-3
    warmup: int = 200
    decay: float = 0.6
    cycles: int = 8
    config: Config = field(default_factory=Config)  # Settings of the U-Net.
    scenes: int = 200_000  # Number of scenes that are rendered and encoded.
    of_two: float = 0.5  # Fraction of the scenes that have two emoji, which are harder to learn.
    dropout: float = 0.1  # Fraction of the captions dropped in training, for classifier-free guidance.
    clip: str = ""  # Architecture of OpenCLIP whose text encoder replaces `clip-emoji`; none by default.
    clip_weights: str = ""  # Weights of that architecture, such as laion2b_s34b_b79k, or the path of a file.
    parts: Path = checkpoint.WEIGHTS  # Folder of the autoencoder and of `clip-emoji`.

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.check_bounds(self, {"scenes": (1, 10**8)}, {"of_two": (0.0, 1.0), "dropout": (0.0, 1.0)})

    @property
    def data_description(self) -> str:
        return f"{scenes.DESCRIPTION}, with captions"


RECIPES = [Recipe()]
PROMPTS = ("a pizza on a blue background", "a small owl on a red background", "a dog to the left of a rocket",
           "a big green apple on white", "a robot above a cactus on a yellow background")  # fmt: skip


def train(recipe: Recipe, glyphs: emoji.Glyphs | None = None) -> Path | None:
    """Start or resume training on glyphs, by default those of the recipe; return the path of the finished
    checkpoint."""
    config, parts = load_components(recipe)
    recipe = replace(recipe, config=config)  # a run cannot resume with other components
    run = Run(recipe, lambda: latent_diffusion.Model(config), caller_data=glyphs is not None)
    target_device = run.accelerator.device
    glyph_set = glyphs or emoji.load_training_glyphs(recipe.data, recipe.core)
    synonyms, allowed = captions.list_synonyms(glyph_set.names), scenes.training_combinations(glyph_set.names)
    scene_pool = scenes.sample_mixed(recipe.scenes, make_rng(recipe.seed), allowed, recipe.of_two)
    latents = main_process_first(lambda: encode_scenes(recipe, parts, glyph_set, scene_pool))
    for part in parts:
        cast(nn.Module, part).to(target_device)
    empty = parts.encoder.context(parts.encoder.tokenize([""]))

    def picture(model: latent_diffusion.Model) -> Image.Image:
        model.parts = parts
        runs = [latent_diffusion.sample(model, Settings(n=4, prompt=prompt)) for prompt in PROMPTS]
        rows = [latent_diffusion.decode_frame(model, last_frame(run)) for run in runs]
        return pictures.to_pil(pictures.make_grid(pictures.to_uint8(torch.cat(rows)), columns=4))

    for step in fit(run, picture):
        index = step.indices(recipe.scenes)
        texts = captions.write_captions(Scenes(*(part[index] for part in scene_pool)), synonyms, step.rng)
        with torch.no_grad():
            context = parts.encoder.context(parts.encoder.tokenize(texts))
        z0 = torch.from_numpy(latents[index.numpy()]).to(target_device).float()
        step.minimize(latent_diffusion.loss(run.model, z0, context, empty, step.rng, recipe.dropout))
    return publish(run)


def load_components(recipe: Recipe) -> tuple[Config, Components]:
    """Load the autoencoder and the text encoder; return the config with the digests of both, and the two models."""
    paths = {name: recipe.parts / f"{getattr(recipe.config, name)}.safetensors" for name in ("autoencoder", "encoder")}
    autoencoder = device.load(paths["autoencoder"], family="autoencoder")
    channels, size, _ = autoencoder.config.latent_shape
    check_config(recipe.config, channels=channels, size=size)
    config = replace(recipe.config, autoencoder_digest=checkpoint.digest(paths["autoencoder"]))
    if recipe.clip:
        name = f"{recipe.clip}/{recipe.clip_weights}"
        encoder = clip.load_pretrained(name)
        config = replace(config, encoder=name, context_dim=encoder.clip.positional_embedding.shape[1])
        return config, Components(autoencoder, encoder)
    encoder = device.load(paths["encoder"], family="clip")
    config = replace(config, encoder_digest=checkpoint.digest(paths["encoder"]), context_dim=encoder.config.text_width)
    return config, Components(autoencoder, encoder)


@torch.no_grad()
def encode_scenes(
    recipe: Recipe, parts: Components, glyphs: emoji.Glyphs, scene_pool: Scenes, batch: int = 250
) -> np.ndarray:
    """Encode scenes as latents (N, c, h, w) in half precision, or read those that the folder of the run has."""
    inputs = recipe.config.autoencoder_digest, recipe.seed, recipe.scenes, recipe.of_two, recipe.core, glyphs.sha256
    path = recipe.folder / f"latents-{hashlib.sha256(repr(inputs).encode()).hexdigest()[:12]}.npy"
    if not path.exists():
        encoded = np.empty((len(scene_pool.glyph), *parts.autoencoder.config.latent_shape), np.float16)
        for start in tqdm(range(0, len(encoded), batch), desc="latents"):
            x = scenes.render(Scenes(*(part[start : start + batch] for part in scene_pool)), glyphs).to(device.DEVICE)
            with inference.fast_mode(x):
                encoded[start : start + batch] = parts.autoencoder.encode(x).float().cpu().numpy()
        with files.atomic_write(path) as file:
            np.save(file, encoded)
    return np.load(path, mmap_mode="r")


def measurements(path: Path, data: Path, n: int, judges: Path) -> Iterator[Measurement]:
    """Yield the measurements of how faithful the pictures are to their prompts."""
    return prompt_fidelity.measurements(path, data, n)
