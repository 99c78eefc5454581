"""The recipes of the variational autoencoders of digits."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, cast

import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from tqdm import tqdm

from playground import checkpoint, pictures
from playground.data import digits
from playground.models import vae
from playground.models.vae import Config, Objective
from playground.sampling import generator, last
from train import loop
from train.results import Entry


@dataclass(frozen=True)
class Recipe(loop.Options):
    """A hundred epochs of 60,000 digits of 28x28.

    Attributes:
        config: of the model.
        objective: what is minimised.
        binarize: draw a binary image from each grey one, afresh each time (Burda 2016).
    """

    DATA: ClassVar[str] = digits.TRAINING

    name: str = "vae-digits"
    steps: int = 46_800
    lr: float = 1e-3
    decay: float = 0.5
    config: Config = field(default_factory=lambda: Config(latent=20, components=100))
    objective: Objective = field(default_factory=Objective)
    binarize: bool = False


def _beta(beta: float) -> Recipe:
    return Recipe(name=f"vae-digits-beta{beta:g}", objective=Objective(beta=beta))


def _binary(latent: int) -> Recipe:
    config = Config(latent=latent, width=64)
    return Recipe(
        name=f"vae-binary-{latent}", config=config, objective=Objective(kind="iwae", samples=8), binarize=True
    )


RECIPES = [
    Recipe(),
    Recipe(name="vae-digits-2d", config=Config(latent=2, components=100)),
    *(_beta(beta) for beta in (0.5, 4, 10)),
    *(_binary(latent) for latent in (2, 5, 10, 20, 40)),
]

# The rows that `train.evaluate` fills in for this family: each names the settings that it samples with.
EVALUATED = {"normal": vae.Settings(), "mixture": vae.Settings(prior="mixture")}
USED = 0.01  # nats of KL, above which a dimension is used (Burda 2016, section 5.2, has another measure)
SAMPLES = 5_000  # of an image, for its likelihood


def train(recipe: Recipe, images: Tensor | None = None) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done.

    Args:
        images: (N, C, H, W) in [-1, 1]; MNIST's training digits by default.
    """
    run = loop.Run(recipe, lambda: vae.Model(recipe.config))
    if images is None:
        images = digits.crop(digits.load(recipe.data, "train", download=True)[0]).contiguous()
    images = images.to(run.accelerator.device)

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        x = images[run.batch(len(images), step)]
        if recipe.binarize:
            x = binarized(x, generator)
        return vae.loss(model, x, generator, recipe.objective, step)

    path = loop.follow(run, run.train(loss), _picture)
    if path and recipe.config.components:
        _fit_mixture(path, images, recipe.seed)
    return path


def binarized(x: Tensor, generator: torch.Generator) -> Tensor:
    """Binary images -1 or 1, each pixel white with its grey value as the probability."""
    return (torch.rand(x.shape, generator=generator).to(x) < (x + 1) / 2).to(x) * 2 - 1


def _picture(model: vae.Model, path: Path) -> None:
    """Forty samples."""
    x = last(vae.sample(model, vae.Settings(n=40))).x
    pictures.image(pictures.grid(pictures.to_uint8(x), columns=10)).save(path)


@torch.no_grad()
def _fit_mixture(path: Path, images: Tensor, seed: int) -> None:
    """Fit a Gaussian mixture to codes of the images and keep it in the checkpoint. Ghosh 2020, section 4."""
    model, g = cast(vae.Model, checkpoint.load(path)), generator(seed)
    parts = []
    for x in images.cpu().split(1000):
        mu, log_var = model.encode(x)
        parts.append(mu + (log_var / 2).exp() * torch.randn(mu.shape, generator=g))
    mixture = GaussianMixture(model.config.components, random_state=seed).fit(torch.cat(parts).numpy())
    model.mixture_weights.copy_(torch.from_numpy(mixture.weights_))
    model.mixture_means.copy_(torch.from_numpy(mixture.means_))
    model.mixture_roots.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))
    checkpoint.save(path, model, checkpoint.header(path).provenance)


def entries(path: Path, data: Path, n: int) -> Iterator[Entry]:
    """The likelihood of n test digits, of a model of binary images."""
    header = checkpoint.header(path)
    if not header.provenance["flags"]["binarize"]:
        return
    identity = {"table": "likelihood", "checkpoint": path.stem, "sha256": checkpoint.sha256(path)}
    settings = f"test digits binarised once, seed 0, {SAMPLES} samples of each"
    yield Entry(
        {**identity, "row": "importance sampling", "settings": settings, "n": n, "seed": 0},
        lambda: likelihood(path, digits.crop(digits.load(data, "test", download=True)[0][:n])),
    )


def likelihood(path: Path, images: Tensor, samples: int = SAMPLES, batch: int = 50) -> dict[str, float]:
    """Mean negative log-likelihood of binarised images, its bound and the terms of that, in nats an image."""
    model = cast(vae.Model, checkpoint.load(path))
    g = generator(0)
    x = binarized(images, g)
    nll = torch.cat([-vae.importance_bound(model, part, samples, g) for part in tqdm(x.split(batch), leave=False)])
    with torch.no_grad():
        eps = torch.randn(1, len(x), model.config.latent, generator=g)
        parts = vae.terms(model, x, model(x, eps))
    kl = parts.kl.mean(0)
    return {"nll": nll.mean().item(), "elbo": parts.elbo.mean().item(), "kl": kl.sum().item(),
            "used_dimensions": float((kl > USED).sum())}  # fmt: skip
