"""The recipes of the variational autoencoders."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from tqdm import tqdm

from playground.datasets import shapes
from playground.datasets.dataset import Dataset
from playground.datasets.registry import dataset_of
from playground.families import vae
from playground.families.vae import Config, Objective
from playground.runtime import checkpoint, pictures
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UsageError
from train import device
from train.checks import check_config
from train.evaluation import disentanglement
from train.evaluation.results import MEASURED_FOLDER, Measurement
from train.fit import N_VALIDATION, fit, publish
from train.options import ImageOptions
from train.processes import main_process_first
from train.run import Run

Batches = Callable[[int, torch.Generator], Tensor]  # (batch, rng of this process) -> images (B, C, H, W)
DIGITS = Config(latent=20, width=48, multipliers=(1,), blocks=2, patch=4, components=100, n_test=2000)
SHAPES = Config(size=64, channels=3, latent=10, width=48, multipliers=(1,), blocks=2, patch=8, broadcast=True,
                n_test=2000)  # fmt: skip
EMOJI = Config(size=64, channels=3, latent=48, width=48, multipliers=(1, 1), blocks=2, patch=4,
               likelihood="learned gaussian", sigma=0.2, n_test=1000)  # fmt: skip


@dataclass(frozen=True)
class Recipe(ImageOptions):
    """Fifty epochs of 60,000 digits of 28x28 pixels, or three million pictures that are rendered when needed."""

    name: str = "vae-digits"
    steps: int = 23_400
    lr: float = 1e-3
    decay: float = 0.5
    config: Config = DIGITS  # Settings of the model.
    objective: Objective = field(default_factory=Objective)  # The loss to minimize.
    binarize: bool = False  # Sample a binary image from each grey one, anew for each batch (Burda 2016).

    @property
    def image_shape(self) -> tuple[int, int]:
        return self.config.channels, self.config.size


def _binary(latent: int) -> Recipe:
    config = replace(DIGITS, latent=latent, components=0, n_test=0)
    return Recipe(name=f"vae-binary-{latent}", config=config, binarize=True, out=MEASURED_FOLDER)


def _shapes(name: str, objective: Objective, seed: int = 0, out: Path = MEASURED_FOLDER) -> Recipe:
    return Recipe(name=name, dataset="shapes", config=SHAPES, objective=objective, seed=seed, out=out)


PLAIN, TC = Objective(), Objective("tc", beta=6, n=shapes.N_COMBINATIONS)
RECIPES = [
    Recipe(),
    Recipe(name="vae-digits-2d", config=replace(DIGITS, latent=2)),
    *(
        Recipe(name=f"vae-digits-beta{beta:g}", config=replace(DIGITS, components=0), objective=Objective(beta=beta))
        for beta in (0.5, 4, 10)
    ),
    _shapes("vae-shapes", TC, out=checkpoint.WEIGHTS),
    Recipe(name="vae-emoji", steps=12_000, dataset="emoji", config=EMOJI),
    # Measured for the tables of weights/README.md, but not shipped.
    *(_binary(latent) for latent in (2, 5, 10, 20, 40)),
    *(_shapes(f"vae-shapes-seed{seed}", TC, seed) for seed in (1, 2)),
    *(_shapes(f"vae-shapes-plain-seed{seed}", PLAIN, seed) for seed in (0, 1, 2)),
]

SAMPLES = 5_000  # importance samples of an image's likelihood
N_FACTOR_IMAGES = 50_000  # pictures of known factors
MAX_CLASSES = 256  # that `vae.Model.test_classes` can tell apart
N_FIT_BATCHES = 468  # batches whose codes the mixture is fitted to: an epoch of digits


def evaluation_settings(config: Config) -> dict[str, vae.Settings]:
    """Return the rows of samples to evaluate, and the settings of each."""
    rows = {"normal": vae.Settings()}
    return rows | {"mixture": vae.Settings(prior="mixture")} if config.components else rows


def train(recipe: Recipe, images: Tensor | None = None) -> Path | None:
    """Start or resume training; return the path of the finished checkpoint. Images are (N, C, H, W) in [-1, 1]; those
    of the recipe's data set by default."""
    if images is None:
        dataset = recipe.training_data
        channels, size = dataset.shape[0], dataset.shape[1] - 2 * dataset.padding
        _check_test_images(recipe)
    else:
        channels, size = images.shape[1:3]
    check_config(recipe.config, channels=channels, size=size)
    run = Run(recipe, lambda: vae.Model(recipe.config), caller_data=images is not None)
    batches = _dataset_batches(recipe, run) if images is None else _tensor_batches(images, run)
    test = main_process_first(lambda: _load(recipe, "test", N_VALIDATION)[:1]) if images is None else ()

    def loss(model: nn.Module, x: Tensor, rng: torch.Generator) -> Tensor:
        return vae.loss(model, binarize(x, rng) if recipe.binarize else x, rng, recipe.objective, run.step)

    for step in fit(run, _picture, loss, test):
        step.minimize(loss(run.model, batches(step.batch_index, step.rng), step.rng))

    def finalize_checkpoint(path: Path) -> None:
        indices = range(N_FIT_BATCHES * run.accelerator.num_processes)  # a process draws only its part of a batch
        first_batches = (batches(index, make_rng(recipe.seed, index)) for index in indices)
        test = (images, torch.zeros(len(images))) if images is not None else _load(recipe, "test", recipe.config.n_test)
        finalize(path, first_batches, *test)

    return publish(run, finalize_checkpoint)


def _load(recipe: Recipe, split: str, n: int | None = None) -> tuple[Tensor, Tensor]:
    """Load images (N, C, H, W) without padding and their labels (N,)."""
    dataset = recipe.training_data
    images, labels = dataset.load(recipe.data, split, download=True, subset=slice(n))
    return dataset.remove_padding(images), labels


def _check_test_images(recipe: Recipe) -> None:
    """Check that a folder of images has enough of them for tests, and no more classes than those are stored with, or
    raise UsageError."""
    if recipe.config.n_test and (n := len(recipe.training_data.classes)) > MAX_CLASSES:
        raise UsageError(f"config.n_test must be 0, since {n} classes are more than the {MAX_CLASSES} that are stored")
    if recipe.data_folder is not None and (n := len(_load(recipe, "test")[1])) < recipe.config.n_test:
        raise UsageError(f"config.n_test must be at most {n}, the number of test images in {recipe.data_folder}")


def _dataset_batches(recipe: Recipe, run: Run) -> Batches:
    """Return the batches of the data set, drawn from its training images or rendered, each process its part."""
    make_sample = recipe.training_data.make_sample
    if make_sample is None:
        return _tensor_batches(main_process_first(lambda: _load(recipe, "train")[0].contiguous()), run)
    n = recipe.batch_size // run.accelerator.num_processes
    sample = make_sample(recipe.data, run.accelerator.device)
    return lambda batch, rng: sample(n, rng)


def _tensor_batches(images: Tensor, run: Run) -> Batches:
    return lambda batch, rng: images[run.indices(len(images), batch)].to(run.accelerator.device)


def binarize(x: Tensor, rng: torch.Generator) -> Tensor:
    """Sample binary images of -1 or 1 for x (B, C, H, W), each pixel white with its grey value as the probability."""
    return (torch.rand(x.shape, generator=rng).to(x) < (x + 1) / 2).to(x) * 2 - 1


def _picture(model: vae.Model) -> Image.Image:
    x = last_frame(vae.sample(model, vae.Settings(n=40))).x
    return pictures.to_pil(pictures.make_grid(pictures.to_uint8(x), columns=10))


@torch.no_grad()
def finalize(path: Path, batches: Iterator[Tensor], test: Tensor, classes: Tensor) -> None:
    """Store in a checkpoint the fitted mixture, and the codes and ELBOs of test images.

    Args:
        batches: Training images, each (B, C, H, W), to whose codes the mixture is fitted.
        test, classes: Test images (N, C, H, W) and their classes (N,).
    """
    model: vae.Model = device.load(path)
    if model.config.components:
        _fit_mixture(model, torch.cat(list(batches)))
    n_test = model.config.n_test
    if n_test:
        kl, elbo = _compute_elbo(model, test[:n_test], make_rng(0))
        model.kl.copy_(kl.mean(0))
        model.test_elbo.copy_(elbo)
        model.test_mu.copy_(_encode(model, test[:n_test])[0])
        model.test_classes.copy_(classes[:n_test])
    checkpoint.save(path, model, checkpoint.read_header(path).provenance)


def _fit_mixture(model: vae.Model, images: Tensor) -> None:
    """Fit a Gaussian mixture to codes of the images. Ghosh 2020, "From Variational to Deterministic", section 4."""
    mu, log_var = _encode(model, images)
    z = mu + (log_var / 2).exp() * torch.randn(mu.shape, generator=make_rng(0))
    mixture = GaussianMixture(model.config.components, random_state=0).fit(z.numpy())
    model.mixture_weights.copy_(torch.from_numpy(mixture.weights_))
    model.mixture_means.copy_(torch.from_numpy(mixture.means_))
    model.mixture_scale_tril.copy_(torch.linalg.cholesky(torch.from_numpy(mixture.covariances_)))


@torch.no_grad()
def _encode(model: vae.Model, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return mu and log sigma^2 of many images, each (N, Z), on the CPU."""
    parts = [torch.stack(model.encode(x.to(device.DEVICE))).cpu() for x in images.split(1000)]
    mu, log_var = torch.cat(parts, dim=1)
    return mu, log_var


@torch.no_grad()
def _compute_elbo(model: vae.Model, images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the KL of each dimension (N, Z) and the ELBO (N,) of many images, from one code each, on the CPU."""
    parts = []
    for x in images.split(500):
        x, eps = (part.to(device.DEVICE) for part in (x, torch.randn(1, len(x), model.config.latent, generator=rng)))
        parts.append(vae.compute_terms(model, x, model(x, eps)))
    return torch.cat([part.kl for part in parts]).cpu(), torch.cat([part.elbo for part in parts]).cpu()


def measurements(path: Path, data: Path, n: int, judges: Path) -> Iterator[Measurement]:
    """Yield the measurements of the likelihood of binary images, and of disentanglement."""
    header = checkpoint.read_header(path)
    dataset = dataset_of(header.provenance)
    identity = {"checkpoint": path.stem, "sha256": checkpoint.sha256(path), "seed": 0}
    if header.flags.get("binarize") and dataset:
        settings = f"test {dataset.name} binarised once, seed 0, {SAMPLES} samples of each"
        n = min(n, dataset.n_test)
        identity |= {"table": "likelihood", "row": "importance sampling", "settings": settings, "n": n}
        yield Measurement(identity, lambda: likelihood(path, _spread(dataset, data, n)))
    if dataset is shapes.DATASET:
        identity |= {
            "table": "factors",
            "row": "factors",
            "settings": "pictures drawn with seed 1",
            "n": N_FACTOR_IMAGES,
        }
        yield Measurement(identity, lambda: factors(path))


def _spread(dataset: Dataset, data: Path, n: int) -> Tensor:
    """Return n test images (n, C, H, W), evenly spread over the set, since MNIST's first half is the easier one."""
    images = dataset.load(data, "test", download=True)[0]
    return dataset.remove_padding(images[:: len(images) // n][:n])


def likelihood(path: Path, images: Tensor, samples: int = SAMPLES, batch: int = 50) -> dict[str, float]:
    """Measure the likelihood of images (N, C, H, W) after binarization, in nats an image.

    Returns:
        Means of the negative log-likelihood by importance sampling ("nll"), in expectation an upper bound, of the ELBO
        and of its KL term; and the number of dimensions that are not collapsed ("used_dimensions").
    """
    model, rng = device.load(path), make_rng(0)
    x = binarize(images, rng)
    parts = tqdm(x.split(batch), leave=False)
    nll = -torch.cat(
        [vae.importance_weighted_bound(model, part.to(device.DEVICE), samples, rng).cpu() for part in parts]
    )
    kl, elbo = _compute_elbo(model, x, rng)
    return {"nll": nll.mean().item(), "elbo": elbo.mean().item(), "kl": kl.sum(1).mean().item(),
            "used_dimensions": float((kl.mean(0) > vae.INACTIVE_NATS).sum())}  # fmt: skip


def factors(path: Path, n: int = N_FACTOR_IMAGES, votes: int = 10_000) -> dict[str, float]:
    """Measure disentanglement by three scores in [0, 1], on n pictures of known factors."""
    model, true_factors = device.load(path), shapes.sample(n, make_rng(1))
    parts = (shapes.Factors(*part) for part in torch.stack(true_factors).split(1000, dim=1))
    codes = torch.cat([_encode(model, shapes.render(part))[0] for part in parts]).numpy()
    columns = np.stack(true_factors, axis=1)
    return {
        "factor_vae": disentanglement.factor_vae(codes, columns, votes),
        "dci": disentanglement.dci(codes, columns),
        "mig": disentanglement.mig(codes, columns),
    }
