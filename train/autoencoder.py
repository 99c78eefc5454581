"""The recipe of `autoencoder-emoji`, which encodes the pictures of latent diffusion as latents and decodes them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure as ssim

from playground.datasets import emoji, scenes
from playground.families import autoencoder
from playground.runtime import checkpoint, inference, pictures, validation
from playground.runtime.rng import make_rng
from train import device
from train.checks import check_config
from train.evaluation.results import Measurement
from train.fit import fit, publish
from train.options import SceneOptions
from train.run import Run


@dataclass(frozen=True)
class Recipe(SceneOptions):
    """Training on a million scenes, each rendered when it is needed."""

    name: str = "autoencoder-emoji"
    steps: int = 15_600
    batch_size: int = 64
    lr: float = 1e-3
    decay: float = 0.7
    picture_every: int = 2_000
    config: autoencoder.Config = field(default_factory=autoencoder.Config)  # Settings of the model.
    kl_weight: float = 1e-4  # Weight of the KL divergence, per value of the latents.

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.check_bounds(self, {}, {"kl_weight": (0.0, 1e6)})


RECIPES = [Recipe()]
N_LATENT_SCENES = 10_000  # for the mean and the variance of the latents
N_TEST = 1_000  # scenes of held-out pairs


def train(recipe: Recipe, glyphs: emoji.Glyphs | None = None) -> Path | None:
    """Start or resume training on glyphs, by default those of the recipe; return the path of the finished
    checkpoint."""
    check_config(recipe.config, channels=3, size=scenes.SIZE)
    run = Run(recipe, lambda: autoencoder.Model(recipe.config), caller_data=glyphs is not None)
    glyph_set = glyphs or emoji.load_training_glyphs(recipe.data, recipe.core)
    glyph_set = glyph_set._replace(colours=glyph_set.colours.to(run.accelerator.device))
    allowed, n = scenes.training_combinations(glyph_set.names), recipe.batch_size // run.accelerator.num_processes

    def draw(rng: torch.Generator, n: int = n) -> Tensor:
        return scenes.render(scenes.sample_mixed(n, rng, allowed), glyph_set)

    def picture(model: autoencoder.Model) -> Image.Image:
        x = draw(make_rng(0), 20)
        with_reconstructions = torch.cat([x, model.decode(model.encode(x))])
        return pictures.to_pil(pictures.make_grid(pictures.to_uint8(with_reconstructions), columns=10))

    for step in fit(run, picture):
        step.minimize(autoencoder.loss(run.model, draw(step.rng), step.rng, recipe.kl_weight))
    return publish(run, lambda path: finalize(path, (draw(make_rng(1, i), 100) for i in range(N_LATENT_SCENES // 100))))


@torch.no_grad()
def finalize(path: Path, batches: Iterator[Tensor]) -> None:
    """Store in a checkpoint the mean and the standard deviation of each channel of the latents of some pictures."""
    model: autoencoder.Model = device.load(path)
    latents = torch.cat([model.posterior(x)[0] for x in batches])
    model.shift.copy_(latents.mean((0, 2, 3)))
    model.scale.copy_(latents.std((0, 2, 3)))
    checkpoint.save(path, model, checkpoint.read_header(path).provenance)


def measurements(path: Path, data: Path, n: int, judges: Path) -> Iterator[Measurement]:
    """Yield the measurement of the reconstruction of held-out scenes."""
    identity = {"table": "autoencoder", "checkpoint": path.stem, "sha256": checkpoint.sha256(path), "seed": 0,
                "row": "held-out pairs", "settings": "", "n": N_TEST}  # fmt: skip
    core = checkpoint.read_header(path).flags.get("core", True)
    yield Measurement(identity, lambda: measure(path, emoji.load_training_glyphs(data, core)))


@torch.no_grad()
def measure(path: Path, glyphs: emoji.Glyphs, n: int = N_TEST) -> dict[str, float]:
    """Measure the reconstruction of held-out scenes of one emoji, and the time of decoding.

    Returns:
        Means over n pictures: "psnr" in dB, of values in [0, 255]; "ssim" (Wang 2004); and "decode_ms", the time in
        milliseconds of decoding one picture.
    """
    model: autoencoder.Model = device.load(path)
    scene_batch = scenes.sample(n, make_rng(2), scenes.holdout_backgrounds(glyphs.names))
    rows = []
    for start in range(0, n, 100):
        x = scenes.render(scenes.Scenes(*(part[start : start + 100] for part in scene_batch)), glyphs).to(device.DEVICE)
        rows.append(similarity(x, model.decode(model.encode(x)).clamp(-1, 1)))
    means = {name: torch.cat([part[name] for part in rows]).mean().item() for name in rows[0]}
    z = model.encode(x[:1])
    with inference.fast_mode(z):
        return means | {"decode_ms": 1000 * inference.median_seconds(lambda: model.decode(z).cpu(), runs=50)}


def similarity(x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Return PSNR in dB and SSIM of each pair of pictures (B, C, H, W) in [-1, 1]."""
    ssim_values = ssim(y, x, reduction="none", data_range=2.0)
    assert isinstance(ssim_values, Tensor)
    return {"psnr": pictures.psnr(y, x), "ssim": ssim_values}
