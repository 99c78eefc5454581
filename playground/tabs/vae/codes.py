"""What the views of the VAE tab share: its models, the image that is looked at, and what the decoder makes of codes."""

import itertools
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from playground.datasets import mnist
from playground.datasets.dataset import TEST_NUMBERS, Dataset
from playground.datasets.registry import class_names_of, dataset_of
from playground.families import vae
from playground.runtime import checkpoint, pictures, validation
from playground.runtime.checkpoint import Header
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError
from playground.web import image_picker, palette
from playground.web.checkpoint_picker import CheckpointPicker, nested_value
from playground.web.image_picker import NO_SOURCES, Sources

PRIOR = "From the prior"
KINDS = (PRIOR, image_picker.TEST_IMAGE, image_picker.DRAWING, image_picker.UPLOAD)
ENDS = (PRIOR, image_picker.TEST_IMAGE)  # of a path from the chosen image
MAP_MODEL = "vae-digits-2d"
FIRST_DIGIT = 18  # test digit whose reconstruction differs visibly
# Of the view of gradients: samples of an estimate, where (z - a)^2 is 0, and the standard deviation of z.
MAX_SAMPLES, MAX_A, MIN_SIGMA, MAX_SIGMA = 20, 5.0, 0.05, 3.0
LABELS = validation.LABELS | {"sigma": "σ", "samples": "samples per estimate"}
LIMIT = 10.0  # of a coordinate of any code; the prior's standard deviation is 1


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a view: the model, the image, the seed of a code from the prior, and settings of single views. They
    do not hold a drawing or an upload.
    """

    model: str = ""
    picture: str = PRIOR
    number: int = 0
    seed: int = 0
    # Of Interpolate: the other end of the path, where from, and which.
    to: str = PRIOR
    to_number: int = 1
    # Of Gradients: where (z - a)^2 is 0, the standard deviation of z, and the samples of an estimate.
    a: float = 2.0
    sigma: float = 1.0
    samples: int = 1

    def __post_init__(self) -> None:
        validation.check_choice("picture", self.picture, KINDS)
        validation.check_choice("other end", self.to, ENDS)
        to_numbers = TEST_NUMBERS if self.to == image_picker.TEST_IMAGE else (0, validation.MAX_SEED)
        integers = {"number": TEST_NUMBERS, "seed": (0, validation.MAX_SEED), "to_number": to_numbers,
                    "samples": (1, MAX_SAMPLES)}  # fmt: skip
        numbers = {"a": (-MAX_A, MAX_A), "sigma": (MIN_SIGMA, MAX_SIGMA)}
        validation.check_bounds(self, integers, numbers, labels=LABELS)


class EncodedImage(NamedTuple):
    """The chosen image, and its code."""

    params: ViewParams  # what was chosen
    x: Tensor  # the image (1, C, H, W)
    # Of q(z|x), (Z,); mu is kept within `LIMIT`.
    mu: Tensor
    log_var: Tensor
    z: Tensor  # the code that is shown first (Z,): mu, or the code that the prior gave


def first_params(paths: Paths, params: ViewParams) -> ViewParams:
    """Return the parameters of the first image of a model: a test digit if it learned digits, of which some come with
    the page, otherwise a code from the prior."""
    if about(paths, params.model).dataset is mnist.DATASET:
        return replace(params, picture=image_picker.TEST_IMAGE, number=FIRST_DIGIT)
    return params


def default_model(paths: Paths, view: str) -> str:
    """Return the name of the model that a view shows until one is chosen: a map shows all of a code of two numbers."""
    return MAP_MODEL if view == "map" and MAP_MODEL in CHECKPOINTS.names(paths) else CHECKPOINTS.first_name(paths)


def about(paths: Paths, name: object) -> "About":
    """Return what a model's header tells of it."""
    path = CHECKPOINTS.path(paths, name)
    return About.of(path.stem, checkpoint.read_header(path))


@torch.no_grad()
def encode_choice(paths: Paths, params: ViewParams, sources: Sources) -> EncodedImage:
    """Return the chosen image with its code, or raise UserError if there is no such image or no such model."""
    params = replace(params, model=CHECKPOINTS.path(paths, params.model).stem)
    model = CHECKPOINTS.load(paths, params.model)
    z = None
    if params.picture == PRIOR:
        z = from_prior(model, params.seed)
        x = decode(model, z)
    else:
        x = load_image(paths, params, sources)
    check(model, x)
    mu, log_var = model.encode(x)
    mu = mu.clamp(-LIMIT, LIMIT)
    return EncodedImage(params, x, mu[0], log_var[0], (mu if z is None else z)[0])


def check(model: vae.Model, x: Tensor) -> None:
    """Refuse images (B, C, H, W) of another size than the model's."""
    config = model.config
    if x.shape[1:] != (config.channels, config.size, config.size):
        size = pictures.describe_size(config.size, config.channels)
        raise UserError(f"the model knows images of {size}, and this is not one: choose {PRIOR}")


@torch.no_grad()
def encode_path_end(paths: Paths, params: ViewParams) -> Tensor:
    """Return the code at the other end of a path, (Z,), or raise UserError if there is no such test image."""
    model = CHECKPOINTS.load(paths, params.model)
    if params.to == PRIOR:
        return from_prior(model, params.to_number)[0]
    x = load_image(paths, replace(params, picture=image_picker.TEST_IMAGE, number=params.to_number), NO_SOURCES)
    check(model, x)
    return model.encode(x)[0][0]


def from_prior(model: vae.Model, seed: int) -> Tensor:
    """Return a code from the prior, (1, Z)."""
    return vae.sample_prior(model, vae.Settings(n=1, seed=seed))


@torch.no_grad()
def decode(model: vae.Model, z: Tensor) -> Tensor:
    """Decode codes (B, Z) into images (B, C, H, W) in [-1, 1]."""
    return model.mean(model.decode(z)).clamp(-1, 1)


def load_image(paths: Paths, params: ViewParams, sources: Sources) -> Tensor:
    """Return the chosen test image, drawing or upload (1, C, H, W), without the padding of the data set; raise
    UserError if there is none."""
    dataset = CHECKPOINTS.dataset(paths, params.model)
    x = image_picker.load_image(params.picture, params.number, sources, dataset, paths.data)
    return dataset.remove_padding(x)


CAVEATS = {  # of what is shipped: where it is poor, a sentence
    "vae-digits": "",
    "vae-digits-2d": "Two numbers are few, so its drawings are blurred.",
    "vae-digits-beta0.5": "",
    "vae-digits-beta4": "",
    "vae-digits-beta10": "",
    "vae-shapes": "Shape and rotation share two dimensions.",
    "vae-emoji": "48 numbers are few for emoji: test images come out blurred, and codes from the prior as smears.",
}


class About(NamedTuple):
    """Description of a model of this tab from its header, with a caveat where it is a shipped one."""

    name: str
    provenance: dict[str, Any]
    dataset: Dataset | None  # the data set that it learned from; None if it is not known
    beta: float | None  # the weight of the KL in its objective; None if it had another kind of objective
    latent: int | None  # dimensions of its codes
    n_test: int | None  # test images whose codes it keeps
    caveat: str

    @classmethod
    def of(cls, name: str, header: Header) -> "About":
        flags = nested_value(header.provenance, "flags")
        weight = (
            nested_value(flags, "objective", "beta") if nested_value(flags, "objective", "kind") == "elbo" else None
        )
        beta = float(weight) if isinstance(weight, (int, float)) else None
        latent, n_test = (nested_value(header.config, key) for key in ("latent", "n_test"))
        dataset = dataset_of(header.provenance)
        return cls(name, header.provenance, dataset, beta, latent, n_test, CAVEATS.get(name, ""))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds of images that can be chosen."""
        if self.dataset is None:
            return (PRIOR,)
        return KINDS if self.dataset.normalize else ENDS

    def classes(self, n: int) -> dict[str, str]:
        """Return the first n classes of the test images, each with its colour."""
        colours = (self.dataset and self.dataset.class_colours) or palette.CLASSES
        return dict(zip(class_names_of(self.provenance, n), itertools.cycle(colours), strict=False))

    @property
    def title(self) -> str:
        """Return the title; the file is named if it is none of those shipped, which the rest tells apart."""
        if self.dataset is None:
            return self.name
        detail = f"{self.latent} dimensions" if self.beta in (None, 1) else f"β = {self.beta:g}"
        return f"{self.dataset.title}, {detail}{self.file_suffix}"

    @property
    def file_suffix(self) -> str:
        """Return the name of its file, in brackets, if it is none of those shipped."""
        return "" if self.name in CAVEATS else f" ({self.name})"


CHECKPOINTS = CheckpointPicker[vae.Model](
    "vae", "vae-digits", tuple(CAVEATS), lambda name, header: About.of(name, header).title
)
TRACKED = 0.2  # share of a dimension's variance that a factor must explain to be named beside it


def tracked(dataset: Dataset | None, model: vae.Model) -> list[str]:
    """Return for each dimension the known factor that it follows most closely, "" if it follows none or the model keeps
    no codes of test images."""
    if dataset is None or dataset.test_factors is None or not model.config.n_test:
        return [""] * model.config.latent
    factors = dataset.test_factors(slice(model.config.n_test))
    shares = torch.stack([explained(model.test_mu, values) for values in factors.values()])  # (factors, Z)
    best, which = shares.max(0)
    names = list(factors)
    return [names[k] if share > TRACKED else "" for share, k in zip(best.tolist(), which.tolist(), strict=True)]


def explained(mu: Tensor, values: Tensor) -> Tensor:
    """Return the share of the variance of each dimension of mu (N, Z) between the values of a factor (N,): (Z,) in [0,
    1].

    The correlation ratio, Pearson's eta squared.
    """
    groups = F.one_hot(values).to(mu)  # (N, values)
    means = (groups.T @ mu) / groups.sum(0)[:, None].clamp(min=1)  # (values, Z)
    return (groups @ means).var(0, correction=0) / mu.var(0, correction=0).clamp(min=1e-12)


def order(model: vae.Model) -> list[int]:
    """Return the dimensions, those that say most of the images first."""
    return model.kl.argsort(descending=True).tolist()


COLUMNS = 11  # of a traversal
VALUES = [-3 + 6 * k / (COLUMNS - 1) for k in range(COLUMNS)]  # of the dimension that a row moves
ROWS = 10  # of a traversal at most


@torch.no_grad()
def posterior_samples(model: vae.Model, encoded: EncodedImage) -> np.ndarray:
    """Return a row of pictures decoded from codes of q(z|x), always of the same noise: uint8 (H, COLUMNS W, C)."""
    eps = torch.randn(COLUMNS, len(encoded.mu), generator=make_rng(0))
    z = encoded.mu + (encoded.log_var / 2).exp() * eps  # Kingma and Welling 2014, eq. 10
    return pictures.make_grid(pictures.to_uint8(decode(model, z)), columns=COLUMNS)


def traversal(model: vae.Model, z: Tensor) -> np.ndarray:
    """Return pictures with a row for each of the dimensions that say most, which goes from -3 to 3 while the others
    stay at z (Z,): uint8 (rows H, COLUMNS W, C), with at most ROWS rows."""
    rows = order(model)[:ROWS]
    codes = z.repeat(len(rows), COLUMNS, 1)  # (rows, columns, Z)
    for row, dimension in enumerate(rows):
        codes[row, :, dimension] = torch.tensor(VALUES)
    return pictures.make_grid(pictures.to_uint8(decode(model, codes.flatten(0, 1))), columns=COLUMNS)
