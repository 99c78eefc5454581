"""What the views of the VAE tab share: its models, the image that is looked at, and what the decoder makes of codes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from playground import checkpoint, pictures, validation
from playground.data import digits, emoji, scenes, shapes
from playground.models import vae
from playground.tabs import Places
from playground.ui import palette, source
from playground.validation import UserError

BETAS = {"vae-digits-beta0.5": 0.5, "vae-digits": 1.0, "vae-digits-beta4": 4.0, "vae-digits-beta10": 10.0}
PRIOR = "From the prior"
KINDS = (PRIOR, source.TEST, source.DRAWN, source.UPLOADED)
ENDS = (PRIOR, source.TEST)  # of a way from the chosen image
LIMIT = 10.0  # of a coordinate of any code; the prior's standard deviation is 1


@dataclass(frozen=True)
class Settings:
    """What a link restores: the model, the image, the seed of a code from the prior, and the other end of a way: where
    from, and which. A drawing or an upload fits into no link.
    """

    model: str = "vae-digits"
    picture: str = PRIOR
    number: int = 0
    seed: int = 0
    to: str = PRIOR
    other: int = 1

    def __post_init__(self) -> None:
        validation.choice("model", self.model, MODELS)
        validation.choice("picture", self.picture, KINDS)
        validation.keep(
            self,
            number=validation.integer("number of the test image", self.number, 0, 9_999),
            seed=validation.integer("seed", self.seed, 0, validation.MAX_SEED),
        )
        validation.choice("other end", self.to, ENDS)
        last = 9_999 if self.to == source.TEST else validation.MAX_SEED
        validation.keep(self, other=validation.integer("number of the other end", self.other, 0, last))


class Start(NamedTuple):
    """The image that is looked at.

    Attributes:
        settings: what was chosen.
        x: the image (1, C, H, W).
        mu, log_var: of q(z|x), (Z,); mu is kept within `LIMIT`.
        z: the code that is shown first (Z,): mu, or the code that the prior gave.
    """

    settings: Settings
    x: Tensor
    mu: Tensor
    log_var: Tensor
    z: Tensor


def load(places: Places, name: object) -> vae.Model:
    """A model of this tab."""
    name = validation.choice("model", name, [*MODELS, *BETAS])
    return cast(vae.Model, checkpoint.load(places.weights / f"{name}.safetensors", expect="vae"))


@torch.no_grad()
def start(places: Places, settings: Settings, drawing: object, upload: object) -> Start:
    """The chosen image with its code."""
    model = load(places, settings.model)
    z = None
    if settings.picture == PRIOR:
        z = from_prior(model, settings.seed)
        x = decoded(model, z)
    else:
        x = MODELS[settings.model].image(places, settings, drawing, upload)
    mu, log_var = model.encode(x)
    mu = mu.clamp(-LIMIT, LIMIT)
    return Start(settings, x, mu[0], log_var[0], (mu if z is None else z)[0])


@torch.no_grad()
def end(places: Places, settings: Settings) -> Tensor:
    """The code at the other end of a way, (Z,)."""
    model = load(places, settings.model)
    if settings.to == PRIOR:
        return from_prior(model, settings.other)[0]
    other = replace(settings, picture=source.TEST, number=settings.other)
    return model.encode(MODELS[settings.model].image(places, other, None, None))[0][0]


def from_prior(model: vae.Model, seed: int) -> Tensor:
    """A code from the prior, (1, Z)."""
    return vae.codes(model, vae.Settings(n=1, seed=seed))


@torch.no_grad()
def decoded(model: vae.Model, z: Tensor) -> Tensor:
    """What the decoder makes of codes (B, Z): images (B, C, H, W) in [-1, 1]."""
    return model.mean(model.decode(z)).clamp(-1, 1)


# What the models of this tab learned from: the images that can be chosen, (1, C, H, W).


def _digit(places: Places, settings: Settings, drawing: object, upload: object) -> Tensor:
    return digits.crop(source.picture(settings.picture, settings.number, drawing, upload, places.data))


def _shape(places: Places, settings: Settings, drawing: object, upload: object) -> Tensor:
    return shapes.draw(shapes.tests(_numbered(settings)))


def _emoji(places: Places, settings: Settings, drawing: object, upload: object) -> Tensor:
    glyphs = emoji.load(places.data, download=True)
    return scenes.draw(scenes.tests(glyphs, _numbered(settings)), glyphs)


def _numbered(settings: Settings) -> slice:
    if settings.picture != source.TEST:
        raise UserError(f"only a model of digits reads drawings and uploads: choose {source.TEST} or {PRIOR}")
    return slice(settings.number, settings.number + 1)


class About(NamedTuple):
    """A model of this tab.

    Attributes:
        title: of it.
        classes: of its test images, each with its colour.
        image: makes the chosen image.
        factors: the known factors of its first n test images, by name, if there are such; each (n,).
        caveat: where it is poor, a sentence.
    """

    title: str
    classes: dict[str, str]
    image: Callable[[Places, Settings, object, object], Tensor]
    factors: Callable[[int], dict[str, Tensor]] | None = None
    caveat: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it can encode."""
        return KINDS if self.image is _digit else ENDS


def _true_factors(n: int) -> dict[str, Tensor]:
    return shapes.tests(slice(n))._asdict()


_DIGITS = {str(digit): colour for digit, colour in enumerate(palette.CLASSES)}
_SHAPES = dict(zip(shapes.SHAPES, palette.CLASSES, strict=False))
_GROUNDS = {name: "#{:02x}{:02x}{:02x}".format(*rgb) for name, rgb in scenes.GROUNDS.items()}
MODELS = {
    "vae-digits": About("Digits, 20 dimensions", _DIGITS, _digit),
    "vae-digits-2d": About(
        "Digits, 2 dimensions", _DIGITS, _digit, caveat="Two numbers are few: its drawings are blurred."
    ),
    "vae-shapes": About(
        "Shapes of six known factors", _SHAPES, _shape, _true_factors, caveat="Shape and rotation share two dimensions."
    ),
    "vae-emoji": About(
        "Emoji, 48 dimensions",
        _GROUNDS,
        _emoji,
        caveat="48 numbers are few for emoji: it draws test images blurred, and codes from the prior as smears.",
    ),
}
TRACKED = 0.2  # share of a dimension's variance that a factor must explain to be named beside it


def tracked(name: str, model: vae.Model) -> list[str]:
    """For each dimension the known factor that it follows most closely, "" if it follows none."""
    known = MODELS[name].factors
    if known is None:
        return [""] * model.config.latent
    factors = known(model.config.kept)
    shares = torch.stack([explained(model.kept_mu, values) for values in factors.values()])  # (factors, Z)
    best, which = shares.max(0)
    names = list(factors)
    return [names[k] if share > TRACKED else "" for share, k in zip(best.tolist(), which.tolist(), strict=True)]


def explained(mu: Tensor, values: Tensor) -> Tensor:
    """The share of the variance of each dimension of mu (N, Z) between the values of a factor (N,): (Z,) in [0, 1].

    The correlation ratio, Pearson's eta squared.
    """
    groups = F.one_hot(values).to(mu)  # (N, values)
    means = (groups.T @ mu) / groups.sum(0)[:, None].clamp(min=1)  # (values, Z)
    return (groups @ means).var(0) / mu.var(0).clamp(min=1e-12)


def order(model: vae.Model) -> list[int]:
    """The dimensions, those that say most of the images first."""
    return model.kl.argsort(descending=True).tolist()


COLUMNS = 11  # of a traversal
VALUES = [-3 + 6 * k / (COLUMNS - 1) for k in range(COLUMNS)]  # of the dimension that a row moves
ROWS = 10  # of a traversal at most


def traversal(model: vae.Model, z: Tensor) -> np.ndarray:
    """A row for each of the dimensions that say most, each from -3 to 3 while the others stay at z (Z,): uint8."""
    rows = order(model)[:ROWS]
    moved = z.repeat(len(rows), COLUMNS, 1)  # (rows, columns, Z)
    for row, dimension in enumerate(rows):
        moved[row, :, dimension] = torch.tensor(VALUES)
    return pictures.grid(pictures.to_uint8(decoded(model, moved.flatten(0, 1))), columns=COLUMNS)
