"""The recipe of `autoencoder-emoji`: the pictures of latent diffusion to latents and back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torchmetrics.functional.image import structural_similarity_index_measure as ssim

from playground import checkpoint, compute, pictures
from playground.data import emoji, scenes
from playground.models import autoencoder
from playground.sampling import generator
from train import device, loop
from train.results import Entry


@dataclass(frozen=True)
class Recipe(loop.Options):
    """A million scenes, drawn as they are needed.

    Attributes:
        config: of the model.
        core: learn the emoji of `emoji.CORE` alone; else all of the font.
        kl_weight: of the KL divergence of a value of the latents.
    """

    name: str = "autoencoder-emoji"
    steps: int = 15_600
    batch_size: int = 64
    lr: float = 1e-3
    decay: float = 0.7
    picture_every: int = 2_000
    config: autoencoder.Config = field(default_factory=autoencoder.Config)
    core: bool = True
    kl_weight: float = 1e-4

    @property
    def learns_from(self) -> str:
        return scenes.ABOUT


RECIPES = [Recipe()]
MEASURED_ON = 10_000  # scenes, for the variance of the latents
TESTED = 1_000  # scenes of held-out pairs


def train(recipe: Recipe, glyphs: emoji.Glyphs | None = None) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done.

    Args:
        glyphs: those of the recipe by default.
    """
    run = loop.Run(recipe, lambda: autoencoder.Model(recipe.config))
    shown = glyphs or emoji.learned(recipe.data, recipe.core)
    shown = shown._replace(colours=shown.colours.to(run.accelerator.device))
    allowed, n = scenes.for_training(shown.names), recipe.batch_size // run.accelerator.num_processes

    def draw(random: torch.Generator, n: int = n) -> Tensor:
        return scenes.draw(scenes.sample_both(n, random, allowed), shown)

    def loss(model: nn.Module, step: int, random: torch.Generator) -> Tensor:
        return autoencoder.loss(model, draw(random), random, recipe.kl_weight)

    def picture(model: autoencoder.Model, path: Path) -> None:
        x = draw(generator(0), 20)
        both = torch.cat([x, model.decode(model.encode(x))])
        pictures.image(pictures.grid(pictures.to_uint8(both), columns=10)).save(path)

    def finish(path: Path) -> None:
        complete(path, (draw(generator(1, i), 100) for i in range(MEASURED_ON // 100)))

    return loop.follow(run, run.train(loss=loss), picture, finish)


@torch.no_grad()
def complete(path: Path, batches: Iterator[Tensor]) -> None:
    """Put into a checkpoint the mean and the standard deviation of each channel of the latents of some pictures."""
    model: autoencoder.Model = device.load(path)
    latents = torch.cat([model.posterior(x)[0] for x in batches])
    model.shift.copy_(latents.mean((0, 2, 3)))
    model.scale.copy_(latents.std((0, 2, 3)))
    checkpoint.save(path, model, checkpoint.header(path).provenance)


def entries(path: Path, data: Path, n: int) -> Iterator[Entry]:
    """How well held-out scenes come back."""
    identity = {"table": "autoencoder", "checkpoint": path.stem, "sha256": checkpoint.sha256(path), "seed": 0,
                "row": "held-out pairs", "settings": "", "n": TESTED}  # fmt: skip
    core = checkpoint.header(path).provenance["flags"]["core"]
    yield Entry(identity, lambda: measure(path, emoji.learned(data, core)))


@torch.no_grad()
def measure(path: Path, glyphs: emoji.Glyphs, n: int = TESTED) -> dict[str, float]:
    """Of scenes of one emoji on a ground that it was not trained with: PSNR in dB, of values in [0, 255], the mean over
    pictures, and SSIM (Wang 2004); and how long it takes to decode one, in milliseconds."""
    model: autoencoder.Model = device.load(path)
    shown = scenes.sample(n, generator(2), scenes.held_out(glyphs.names))
    found = []
    for start in range(0, n, 100):
        x = scenes.draw(scenes.Scenes(*(part[start : start + 100] for part in shown)), glyphs).to(device.DEVICE)
        found.append(similarity(x, model.decode(model.encode(x)).clamp(-1, 1)))
    means = {name: torch.cat([part[name] for part in found]).mean().item() for name in found[0]}
    z = model.encode(x[:1])
    with compute.fast(z):
        return means | {"decode_ms": 1000 * compute.seconds(lambda: model.decode(z).cpu(), runs=50)}


def similarity(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """PSNR in dB and SSIM of each pair of pictures (B, C, H, W) in [-1, 1]."""
    each = ssim(y, x, reduction="none", data_range=2.0)
    assert isinstance(each, Tensor)
    return {"psnr": pictures.psnr(y, x), "ssim": each}
