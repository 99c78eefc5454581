"""Generative adversarial networks. Goodfellow 2014, "Generative Adversarial Nets".

A generator makes a picture of a code z ~ N(0, I); a discriminator gives a logit, high for data. Both are small
convolutional networks after DCGAN (Radford 2016), the same for every loss of `playground.adversarial`. Shapes:
B batch, Z dimensions of z, classes y (B,).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground import adversarial, compute, validation
from playground.adversarial import MinibatchDiscrimination, Objective
from playground.nets import GROUPS
from playground.sampling import Noise

LOWEST = 4  # pixels a side of the first feature map
KEPT = 256  # logits that a checkpoint keeps


@dataclass(frozen=True)
class Config:
    """What rebuilds both networks.

    Attributes:
        channels: of the pictures.
        latent: dimensions of z.
        widths: channels at 4x4, 8x8, ...; the pictures have twice the last resolution.
        classes: of the pictures, if they are conditions; 0 for none.
        progressive: whether there are outputs at every resolution (Karras 2018).
        spectral: whether D is normalised spectrally.
        kernels: of minibatch discrimination; 0 for none.
    """

    channels: int = 1
    latent: int = 32
    widths: Sequence[int] = (88, 64, 32)
    classes: int = 0
    progressive: bool = False
    spectral: bool = False
    kernels: int = 0

    def __post_init__(self) -> None:
        """A config may come from a file of unknown origin: what it asks for is bounded before anything is built."""
        if not isinstance(self.widths, (list, tuple)) or not 1 <= len(self.widths) <= 6:
            raise validation.UserError("widths must be a list of 1 to 6 whole numbers")
        widths = tuple(validation.integer("widths", width, GROUPS, 1024) for width in self.widths)
        if any(width % GROUPS for width in widths):
            raise validation.UserError(f"widths must be multiples of {GROUPS}")
        validation.keep(
            self,
            widths=widths,
            channels=validation.integer("channels", self.channels, 1, 16),
            latent=validation.integer("latent", self.latent, 1, 1024),
            classes=validation.integer("classes", self.classes, 0, 1000),
            progressive=validation.flag("progressive", self.progressive),
            spectral=validation.flag("spectral", self.spectral),
            kernels=validation.integer("kernels", self.kernels, 0, 256),
        )

    @property
    def stages(self) -> int:
        """The number of resolutions, from 4x4 to that of the pictures."""
        return len(self.widths) + 1

    @property
    def size(self) -> int:
        """Pixels a side of the pictures."""
        return LOWEST * 2 ** len(self.widths)


class Stage(NamedTuple):
    """How far a network has grown: its resolution, 0 for 4x4, and how far that one is faded in, from 0 to 1."""

    level: int
    share: float = 1.0


class Generator(nn.Module):
    """Codes and classes -> pictures; each block doubles the resolution, and so does the last output."""

    def __init__(self, config: Config):
        super().__init__()
        self.classes, self.full = config.classes, Stage(len(config.widths))
        first = config.widths[0]
        self.start = nn.Sequential(
            nn.Linear(config.latent + config.classes, first * LOWEST**2), nn.Unflatten(1, (first, LOWEST, LOWEST)),
            nn.GroupNorm(GROUPS, first), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.blocks = nn.ModuleList(_up(*pair) for pair in pairwise(config.widths))
        smaller = [nn.Conv2d(width, config.channels, 1) for width in config.widths if config.progressive]
        last = nn.ConvTranspose2d(config.widths[-1], config.channels, 4, stride=2, padding=1)
        self.outputs = nn.ModuleList([*smaller, last])

    def forward(self, z: Tensor, y: Tensor | None = None, stage: Stage | None = None) -> Tensor:
        """z (B, Z), y (B,) -> pictures (B, C, H, W) in [-1, 1], of a smaller size at an early stage."""
        if self.classes:
            z = torch.cat([z, F.one_hot(_given(y), self.classes).to(z)], dim=1)
        level, share = stage or self.full
        maps = [self.start(z)]  # (B, widths[i], 4 * 2^i, 4 * 2^i)
        for block in self.blocks[:level]:
            maps.append(block(maps[-1]))
        x = self.outputs[level - self.full.level - 1](maps[-1])
        if share < 1:
            before = self.outputs[level - self.full.level - 2](maps[level - 1])
            x = torch.lerp(F.interpolate(before, scale_factor=2), x, share)
        return torch.tanh(x)


class Discriminator(nn.Module):
    """Pictures and classes -> logits; the generator's mirror, but without norms.

    Those over a batch would spoil a penalty on the gradient of each picture (Gulrajani 2017, section 4).
    """

    def __init__(self, config: Config):
        super().__init__()
        widths, self.full = config.widths, Stage(len(config.widths))
        smaller = [
            nn.Sequential(nn.Conv2d(config.channels, width, 1), nn.LeakyReLU(0.2))
            for width in widths
            if config.progressive
        ]
        first = nn.Sequential(nn.Conv2d(config.channels, widths[-1], 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        self.inputs = nn.ModuleList([*smaller, first])
        self.blocks = nn.ModuleList(_down(b, a) for a, b in pairwise(widths))
        features = widths[0] * LOWEST**2
        self.flat = nn.Sequential(nn.Flatten())
        if config.kernels:
            self.flat.append(MinibatchDiscrimination(features, config.kernels))
        self.read = nn.Linear(features + config.kernels, 1)
        self.embed = nn.Linear(config.classes, features + config.kernels, bias=False) if config.classes else None
        if config.spectral:
            adversarial.normalize_spectrally(self)

    def features(self, x: Tensor, stage: Stage | None = None) -> Tensor:
        """The penultimate layer: pictures (B, C, H, W) -> (B, F)."""
        level, share = stage or self.full
        h = self.inputs[level - self.full.level - 1](x)
        if 0 < level < self.full.level:
            h = self.blocks[level - 1](h)
        if share < 1:
            before = self.inputs[level - self.full.level - 2](F.avg_pool2d(x, 2))
            h = torch.lerp(before, h, share)
        for i in reversed(range(level - 1)):
            h = self.blocks[i](h)
        return self.flat(h)

    def forward(self, x: Tensor, y: Tensor | None = None, stage: Stage | None = None) -> Tensor:
        """x (B, C, H, W), y (B,) -> logits (B,).

        A class is judged by projection: Miyato and Koyama 2018, "cGANs with Projection Discriminator", eq. 3.
        """
        f = self.features(x, stage)
        logits = self.read(f)[:, 0]
        if self.embed is not None:
            rows = self.embed(F.one_hot(_given(y), self.embed.in_features).to(f))
            logits = logits + (rows * f).sum(1)
        return logits.float()


class Given(nn.Module):
    """A discriminator at a stage, for classes y (B,): a function of pictures alone."""

    def __init__(self, d: Discriminator, y: Tensor | None, stage: Stage | None):
        super().__init__()
        self.d, self.y, self.stage = d, y, stage

    def features(self, x: Tensor) -> Tensor:
        return self.d.features(x, self.stage)

    def forward(self, x: Tensor) -> Tensor:
        return self.d(x, self.y, self.stage)


def _given(y: Tensor | None) -> Tensor:
    if y is None:
        raise validation.UserError("this model needs a class for every picture")
    return y


def _up(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1), nn.GroupNorm(GROUPS, c_out), nn.LeakyReLU(0.2),
        nn.Conv2d(c_out, c_out, 3, padding=1), nn.GroupNorm(GROUPS, c_out), nn.LeakyReLU(0.2),
    )  # fmt: skip


def _down(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_in, 3, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(c_in, c_out, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
    )  # fmt: skip


class Model(nn.Module):
    """Generator and discriminator.

    Attributes:
        kept_real, kept_fake: logits of test images and of samples, sorted, each (KEPT,); measured after training.
    """

    kept_real: Tensor
    kept_fake: Tensor

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.generator = Generator(config)
        self.discriminator = Discriminator(config)
        self.register_buffer("kept_real", torch.zeros(KEPT))
        self.register_buffer("kept_fake", torch.zeros(KEPT))


@torch.no_grad()
def verdicts(model: Model, x: Tensor) -> Tensor:
    """D's logits (B,) of pictures (B, C, H, W); of the class that it believes most, if it knows any."""
    if not model.config.classes:
        return model.discriminator(x)
    each = [model.discriminator(x, torch.full((len(x),), y, device=x.device)) for y in range(model.config.classes)]
    return torch.stack(each).amax(0)


# The losses: what training minimises in its two turns.


def discriminator_loss(
    model: Model, x: Tensor, y: Tensor | None, objective: Objective, random: torch.Generator, stage: Stage | None = None
) -> Tensor:
    """What D minimises on data x (B, C, H, W) in [-1, 1] of classes y (B,), a scalar; G is left alone.

    Args:
        random: on the CPU, the only source of randomness here.
        stage: to which the networks have grown.
    """
    x, u = at_stage(x, stage), torch.rand(len(x), generator=random)
    with torch.no_grad():
        x_fake = _generate(model, len(x), y, random, stage)
    return adversarial.discriminator_loss(Given(model.discriminator, y, stage), x, x_fake, objective, u)


def generator_loss(
    model: Model, x: Tensor, y: Tensor | None, objective: Objective, random: torch.Generator, stage: Stage | None = None
) -> Tensor:
    """What G minimises, a scalar; D is left alone. Arguments as of `discriminator_loss`."""
    x, u = at_stage(x, stage), torch.rand(len(x), generator=random)
    with adversarial.frozen(model.discriminator):
        x_fake = _generate(model, len(x), y, random, stage)
        return adversarial.generator_loss(Given(model.discriminator, y, stage), x, x_fake, objective, u)


def _generate(model: Model, n: int, y: Tensor | None, random: torch.Generator, stage: Stage | None) -> Tensor:
    z = torch.randn(n, model.config.latent, generator=random).to(next(model.parameters()).device)
    return model.generator(z, y, stage).float()


def grown(config: Config, share: float) -> Stage | None:
    """How far the networks of a progressive model have grown after a share of the training, from 0 to 1.

    Over its first half, an equal part for each resolution, which is faded in over the first half of its part; all of
    its second half is for the last one. Karras 2018, "Progressive Growing of GANs", section 2 and appendix A.
    """
    if not config.progressive:
        return None
    part = 2 * share * config.stages
    index = min(int(part), config.stages - 1)
    return Stage(index, min(1.0, 2 * (part - index)) if index else 1.0)


def at_stage(x: Tensor, stage: Stage | None) -> Tensor:
    """Data as the networks of a stage see it: smaller, and as far without detail as the new resolution is faded in."""
    if stage is None:
        return x
    x = F.adaptive_avg_pool2d(x, LOWEST * 2**stage.level)
    if stage.share == 1:
        return x
    return torch.lerp(F.interpolate(F.avg_pool2d(x, 2), scale_factor=2), x, stage.share)


# Samples.


@dataclass(frozen=True)
class Settings:
    """What a user may ask of a run; checked when made, so that page, API and command line refuse alike.

    Attributes:
        n: number of pictures.
        label: the class of all of them, or None for the classes in turn; without meaning for a model of no classes.
        truncation: largest absolute value in z (Brock 2019, "Large Scale GAN Training", section 3.1).
        seed: of the codes; picture i depends on (seed, i) alone.
    """

    n: int = 16
    label: int | None = None
    truncation: float = 4.0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.keep(
            self,
            n=validation.integer("number of pictures", self.n, 1, 1_000_000),
            label=None if self.label is None else validation.integer("label", self.label, 0, 999),
            truncation=validation.number("truncation", self.truncation, 0.05, 4),
            seed=validation.integer("seed", self.seed, 0, validation.MAX_SEED),
        )


class Frame(NamedTuple):
    """The only frame of a run: codes z (B, Z), classes y (B,) if any, and their pictures x (B, C, H, W)."""

    z: Tensor
    y: Tensor | None
    x: Tensor


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0) -> Iterator[Frame]:
    """Codes from the truncated prior, and their pictures.

    Args:
        first: index of the first picture, for runs split into batches.
    """
    device = next(model.parameters()).device
    z = codes(model.config.latent, settings, first).to(device)
    y = labels(model, settings, first)
    y = None if y is None else y.to(device)
    with compute.fast(z):
        x = model.generator(z, y).float()
    yield Frame(z, y, x)


def codes(latent: int, settings: Settings, first: int = 0) -> Tensor:
    """Codes (n, Z) from N(0, I) without its tails, by their quantiles: they move smoothly with the truncation."""
    eps = Noise(settings.seed, settings.n, first)((latent,)).double()
    edge = torch.special.ndtr(torch.tensor(settings.truncation).double())
    inside = (1 - edge) + torch.special.ndtr(eps) * (2 * edge - 1)
    return torch.special.ndtri(inside).float()


def labels(model: Model, settings: Settings, first: int = 0) -> Tensor | None:
    """The classes of the pictures first ... first + n - 1: (n,), of a model that knows classes."""
    classes = model.config.classes
    if not classes:
        return None
    if settings.label is None:
        return torch.arange(first, first + settings.n) % classes
    return torch.full((settings.n,), validation.integer("label", settings.label, 0, classes - 1))
