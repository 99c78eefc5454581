"""The recipes of the variational autoencoders."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from tqdm import tqdm

from playground import checkpoint, pictures
from playground.data import digits, emoji, scenes, shapes
from playground.models import vae
from playground.models.vae import Config, Objective
from playground.sampling import generator, last
from train import device, disentanglement, loop
from train.results import MEASURED, Entry

Batches = Callable[[int, torch.Generator], Tensor]  # step, generator of this process -> images (B, C, H, W)
DIGITS = Config(latent=20, width=48, multipliers=(1,), blocks=2, patch=4, components=100, kept=2000)
SHAPES = Config(size=64, channels=3, latent=10, width=48, multipliers=(1,), blocks=2, patch=8, broadcast=True,
                kept=2000)  # fmt: skip
EMOJI = Config(size=64, channels=3, latent=48, width=48, multipliers=(1, 1), blocks=2, patch=4,
               likelihood="learned gaussian", sigma=0.2, kept=1000)  # fmt: skip


@dataclass(frozen=True)
class Recipe(loop.Options):
    """23,400 steps: fifty epochs of 60,000 digits of 28x28, or three million pictures drawn as they are needed.

    Attributes:
        dataset: one of `DATASETS`.
        config: of the model.
        objective: what is minimised.
        binarize: draw a binary image from each grey one, afresh each time (Burda 2016).
    """

    name: str = "vae-digits"
    steps: int = 23_400
    lr: float = 1e-3
    decay: float = 0.5
    dataset: Literal["digits", "shapes", "emoji"] = "digits"
    config: Config = DIGITS
    objective: Objective = field(default_factory=Objective)
    binarize: bool = False

    @property
    def learns_from(self) -> str:
        return DATASETS[self.dataset].about


def _binary(latent: int) -> Recipe:
    config = replace(DIGITS, latent=latent, components=0, kept=0)
    return Recipe(name=f"vae-binary-{latent}", config=config, binarize=True, out=MEASURED)


def _shapes(name: str, objective: Objective, seed: int = 0, out: Path = MEASURED) -> Recipe:
    return Recipe(name=name, dataset="shapes", config=SHAPES, objective=objective, seed=seed, out=out)


PLAIN, TC = Objective(), Objective("tc", beta=6, n=shapes.N)
RECIPES = [
    Recipe(),
    Recipe(name="vae-digits-2d", config=replace(DIGITS, latent=2)),
    *(
        Recipe(name=f"vae-digits-beta{beta:g}", config=replace(DIGITS, components=0), objective=Objective(beta=beta))
        for beta in (0.5, 4, 10)
    ),
    _shapes("vae-shapes", TC, out=checkpoint.WEIGHTS),
    Recipe(name="vae-emoji", steps=12_000, dataset="emoji", config=EMOJI),
    # measured for the tables of weights/README.md, not shipped
    *(_binary(latent) for latent in (2, 5, 10, 20, 40)),
    *(_shapes(f"vae-shapes-seed{seed}", TC, seed) for seed in (1, 2)),
    *(_shapes(f"vae-shapes-plain-seed{seed}", PLAIN, seed) for seed in (0, 1, 2)),
]

SAMPLES = 5_000  # of an image, for its likelihood
FACTORED = 50_000  # pictures of known factors
FITTED = 468  # batches whose codes the mixture is fitted to: an epoch of digits


def evaluated(config: Config) -> dict[str, vae.Settings]:
    """The rows that `train.evaluate` fills in for samples of a model, and the settings that each samples with."""
    rows = {"normal": vae.Settings()}
    return rows | {"mixture": vae.Settings(prior="mixture")} if config.components else rows


def train(recipe: Recipe, images: Tensor | None = None) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done.

    Args:
        images: (N, C, H, W) in [-1, 1]; those of the recipe's data set by default.
    """
    run = loop.Run(recipe, lambda: vae.Model(recipe.config))
    batches = DATASETS[recipe.dataset].batches(recipe, run) if images is None else _batches_of(images, run)

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        x = batches(step, generator)
        if recipe.binarize:
            x = binarized(x, generator)
        return vae.loss(model, x, generator, recipe.objective, step)

    def finish(path: Path) -> None:
        shares = range(FITTED * run.accelerator.num_processes)  # of batches: those of one process
        some = (batches(step, generator(recipe.seed, step)) for step in shares)
        test = (images, torch.zeros(len(images))) if images is not None else DATASETS[recipe.dataset].test(recipe)
        complete(path, some, *test)

    return loop.follow(run, run.train(loss=loss), _picture, finish)


class Dataset(NamedTuple):
    """What is learned from, in words, what makes its batches, and test images with their classes."""

    about: str
    batches: Callable[[Recipe, loop.Run], Batches]
    test: Callable[[Recipe], tuple[Tensor, Tensor]]


def _digits(recipe: Recipe, run: loop.Run) -> Batches:
    images, _ = loop.fetched(lambda: digits.load(recipe.data, "train", download=True))
    return _batches_of(digits.crop(images).contiguous(), run)


def _test_digits(recipe: Recipe) -> tuple[Tensor, Tensor]:
    images, labels = digits.load(recipe.data, "test", download=True)
    return digits.crop(images), labels


def _drawn_shapes(recipe: Recipe, run: loop.Run) -> Batches:
    """Pictures drawn as they are needed, each process its share."""
    n = recipe.batch_size // run.accelerator.num_processes
    return lambda step, g: shapes.draw(shapes.sample(n, g)).to(run.accelerator.device)


def _test_shapes(recipe: Recipe) -> tuple[Tensor, Tensor]:
    factors = shapes.tests(slice(recipe.config.kept))
    return shapes.draw(factors), factors.shape


def _drawn_emoji(recipe: Recipe, run: loop.Run) -> Batches:
    """Pictures drawn as they are needed, each process its share; of pairs that are not held out."""
    n = recipe.batch_size // run.accelerator.num_processes
    glyphs = emoji.load(recipe.data, download=True)
    pairs = ~scenes.held_out(glyphs.names)
    glyphs = glyphs._replace(colours=glyphs.colours.to(run.accelerator.device))
    return lambda step, g: scenes.draw(scenes.sample(n, g, pairs), glyphs)


def _test_emoji(recipe: Recipe) -> tuple[Tensor, Tensor]:
    glyphs = emoji.load(recipe.data, download=True)
    shown = scenes.tests(glyphs, slice(recipe.config.kept))
    return scenes.draw(shown, glyphs), shown.ground


def _batches_of(images: Tensor, run: loop.Run) -> Batches:
    images = images.to(run.accelerator.device)
    return lambda step, g: images[run.batch(len(images), step)]


DATASETS = {
    "digits": Dataset(digits.TRAINING, _digits, _test_digits),
    "shapes": Dataset(shapes.ABOUT, _drawn_shapes, _test_shapes),
    "emoji": Dataset(scenes.ABOUT, _drawn_emoji, _test_emoji),
}


def binarized(x: Tensor, generator: torch.Generator) -> Tensor:
    """Binary images -1 or 1, each pixel white with its grey value as the probability."""
    return (torch.rand(x.shape, generator=generator).to(x) < (x + 1) / 2).to(x) * 2 - 1


def _picture(model: vae.Model, path: Path) -> None:
    """Forty samples."""
    x = last(vae.sample(model, vae.Settings(n=40))).x
    pictures.image(pictures.grid(pictures.to_uint8(x), columns=10)).save(path)


@torch.no_grad()
def complete(path: Path, batches: Iterator[Tensor], test: Tensor, classes: Tensor) -> None:
    """Put into a checkpoint what is measured after training: the mixture, and the codes and bounds of test images.

    Args:
        batches: of training images, that the mixture is fitted to.
        test, classes: test images (N, C, H, W) and their classes (N,).
    """
    model: vae.Model = device.load(path)
    if model.config.components:
        _fit_mixture(model, torch.cat(list(batches)))
    kept = model.config.kept
    if kept:
        kl, elbo = _bound(model, test[:kept], generator(0))
        model.kl.copy_(kl.mean(0))
        model.kept_elbo.copy_(elbo)
        model.kept_mu.copy_(_encode(model, test[:kept])[0])
        model.kept_class.copy_(classes[:kept])
    checkpoint.save(path, model, checkpoint.header(path).provenance)


def _fit_mixture(model: vae.Model, images: Tensor) -> None:
    """Fit a Gaussian mixture to codes of the images. Ghosh 2020, "From Variational to Deterministic", section 4."""
    mu, log_var = _encode(model, images)
    z = mu + (log_var / 2).exp() * torch.randn(mu.shape, generator=generator(0))
    mixture = GaussianMixture(model.config.components, random_state=0).fit(z.numpy())
    model.mixture_weights.copy_(torch.from_numpy(mixture.weights_))
    model.mixture_means.copy_(torch.from_numpy(mixture.means_))
    model.mixture_roots.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))


@torch.no_grad()
def _encode(model: vae.Model, images: Tensor) -> tuple[Tensor, Tensor]:
    """mu and log sigma^2 of many images, each (N, Z), on the CPU."""
    parts = [torch.stack(model.encode(x.to(device.DEVICE))).cpu() for x in images.split(1000)]
    mu, log_var = torch.cat(parts, dim=1)
    return mu, log_var


@torch.no_grad()
def _bound(model: vae.Model, images: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """KL of each dimension (N, Z) and ELBO (N,) of many images, from one code each, on the CPU."""
    parts = []
    for x in images.split(500):
        x, eps = (part.to(device.DEVICE) for part in (x, torch.randn(1, len(x), model.config.latent, generator=g)))
        parts.append(vae.terms(model, x, model(x, eps)))
    return torch.cat([part.kl for part in parts]).cpu(), torch.cat([part.elbo for part in parts]).cpu()


def entries(path: Path, data: Path, n: int) -> Iterator[Entry]:
    """What is measured besides samples: the likelihood of binary digits, and how far a code is disentangled."""
    flags = checkpoint.header(path).provenance["flags"]
    identity = {"checkpoint": path.stem, "sha256": checkpoint.sha256(path), "seed": 0}
    if flags["binarize"]:
        settings = f"test digits binarised once, seed 0, {SAMPLES} samples of each"
        n = min(n, digits.COUNTS["test"])
        identity |= {"table": "likelihood", "row": "importance sampling", "settings": settings, "n": n}
        yield Entry(identity, lambda: likelihood(path, _spread(data, n)))
    if flags["dataset"] == "shapes":
        identity |= {"table": "factors", "row": "factors", "settings": "pictures drawn with seed 1", "n": FACTORED}
        yield Entry(identity, lambda: factors(path))


def _spread(data: Path, n: int) -> Tensor:
    """Some test digits (n, 1, 28, 28), from all of them: the first half is the easier one."""
    images = digits.load(data, "test", download=True)[0]
    return digits.crop(images[:: len(images) // n][:n])


def likelihood(path: Path, images: Tensor, samples: int = SAMPLES, batch: int = 50) -> dict[str, float]:
    """Mean negative log-likelihood of binarised images, its bound and the terms of that, in nats an image."""
    model, g = device.load(path), generator(0)
    x = binarized(images, g)
    parts = tqdm(x.split(batch), leave=False)
    nll = -torch.cat([vae.importance_bound(model, part.to(device.DEVICE), samples, g).cpu() for part in parts])
    kl, elbo = _bound(model, x, g)
    return {"nll": nll.mean().item(), "elbo": elbo.mean().item(), "kl": kl.sum(1).mean().item(),
            "used_dimensions": float((kl.mean(0) > vae.DEAD).sum())}  # fmt: skip


def factors(path: Path, n: int = FACTORED, votes: int = 10_000) -> dict[str, float]:
    """The three measures of disentanglement, on n pictures of known factors."""
    model, true = device.load(path), shapes.sample(n, generator(1))
    parts = (shapes.Factors(*part) for part in torch.stack(true).split(1000, dim=1))
    codes = torch.cat([_encode(model, shapes.draw(part))[0] for part in parts]).numpy()
    columns = np.stack(true, axis=1)
    scores: dict[str, Any] = {
        "factor_vae": disentanglement.factor_vae(codes, columns, votes),
        "dci": disentanglement.dci(codes, columns),
        "mig": disentanglement.mig(codes, columns),
    }
    return scores
