"""The normalizing flow: an invertible network from images to noise, with the exact likelihood of what it sees.

Dinh 2017, "Density estimation using Real NVP"; Kingma 2018, "Glow"; Durkan 2019, "Neural Spline Flows". An image x of
whole numbers 0 ... 255 is given noise u in [0, 1) in each pixel (the dequantisation, Ho 2019, "Flow++"), v = (x + u) /
256, and y = logit v goes through the layers to z, which should look like N(0, I). Shapes: B batch, C channels.
"""

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground import validation
from playground.invertible import ActNorm, Coupling, Layer, Mix, transforms
from playground.nets import zero_init
from playground.sampling import Noise

LEVELS = 256  # of brightness
MARGIN = 1e-5  # of the unit interval, that logits stay clear of


@dataclass(frozen=True)
class Config:
    """What rebuilds a flow.

    Attributes:
        size, channels: of the images.
        steps: of each scale (activation normalisation, mixing, coupling); from a scale to the next the resolution
            halves and half of the numbers are factored out.
        widths: of the couplings' networks, at each scale.
        coupling: "affine" or "spline".
        bins: of a spline.
        noise_steps, noise_width: of the flow that draws u, given the image; without any steps u is uniform.
    """

    size: int = 28
    channels: int = 1
    steps: Sequence[int] = (8, 8)
    widths: Sequence[int] = (96, 128)
    coupling: str = "spline"
    bins: int = 8
    noise_steps: int = 5
    noise_width: int = 32

    def __post_init__(self) -> None:
        """A config may come from a file of unknown origin: what it asks for is bounded before anything is built."""
        validation.bound(self, _BOUNDS)
        for name, ends in (("steps", (1, 64)), ("widths", (1, 1024))):
            given = getattr(self, name)
            if not isinstance(given, (list, tuple)) or not 1 <= len(given) <= 4:
                raise validation.UserError(f"{name} must be a list of 1 to 4 whole numbers")
            validation.keep(self, **{name: tuple(validation.integer(name, value, *ends) for value in given)})
        validation.choice("coupling", self.coupling, transforms(2))
        if len(self.steps) != len(self.widths):
            raise validation.UserError("steps and widths must be as many as each other: one for each scale")
        if self.size % (factor := 2 ** len(self.steps)):
            raise validation.UserError(f"size must be a multiple of {factor}, not {self.size}")


_BOUNDS = {"size": (2, 256), "channels": (1, 16), "bins": (2, 64), "noise_steps": (0, 32), "noise_width": (1, 1024)}


class Pass(NamedTuple):
    """A moment on the way through the layers.

    Attributes:
        name: of the layer just gone through.
        y: all numbers, those that are done as well, where they belong in the image (B, C, H, W).
        log_det: of the way so far (B,).
    """

    name: str
    y: Tensor
    log_det: Tensor

    @property
    def x(self) -> Tensor:
        """The numbers as logits of pixels with noise: a picture (B, C, H, W) in [-1, 1], which rounded to whole levels
        is the one without."""
        v = (self.y.sigmoid() - MARGIN) / (1 - 2 * MARGIN)
        return ((2 * LEVELS * v - 1) / (LEVELS - 1) - 1).clamp(-1, 1)


class Numbers(NamedTuple):
    """Pictures as the layers get them.

    Attributes:
        y: logits of their pixels with noise u (B, C, H, W).
        log_q: log q(u | x) (B,).
        log_slope: log |det dy/dv| (B,).
    """

    y: Tensor
    log_q: Tensor
    log_slope: Tensor

    def log_p(self, moment: Pass) -> Tensor:
        """Log density of v = (x + u) / 256 (B,), as if the flow ended at a moment on the way to z."""
        return log_normal(moment.y) + moment.log_det + self.log_slope

    def bits(self, moment: Pass) -> Tensor:
        """Bits per dimension (B,); at z those of the picture. Theis 2016, eq. 3; Ho 2019, eq. 2."""
        dimensions = self.y[0].numel()
        return (self.log_q - self.log_p(moment) + dimensions * math.log(LEVELS)) / (dimensions * math.log(2))


class Steps(nn.ModuleList):
    """Steps of a flow at one resolution: activation normalisation, mixing, coupling, again and again."""

    def __init__(self, config: Config, steps: int, channels: int, width: int, known: int = 0):
        transform = transforms(config.bins)[config.coupling]
        half = channels // 2
        super().__init__(
            layer
            for _ in range(steps)
            for layer in (
                ActNorm(channels),
                Mix(channels),
                Coupling(transform, network(half + known, width, half * transform.count)),
            )
        )

    def forward(self, x: Tensor, known: Tensor | None = None) -> Iterator[tuple[nn.Module, Tensor, Tensor]]:
        """x (B, C, H, W), known (B, K, H, W) -> each layer, what comes out of it, its log |det| (B,)."""
        for layer in self:
            x, log_det = layer(x, known) if isinstance(layer, Coupling) else layer(x)
            yield layer, x, log_det


def network(c_in: int, width: int, c_out: int) -> nn.Sequential:
    """Of a coupling, which starts as the identity, or of the look at an image: (B, c_in, H, W) -> (B, c_out, H, W).
    Kingma 2018, sections 3.3 and 5."""
    last = zero_init(nn.Conv2d(width, c_out, 3, padding=1))
    return nn.Sequential(nn.Conv2d(c_in, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 1), nn.SiLU(), last)


class Model(nn.Module):
    """The layers, scale by scale, and the flow that draws the dequantising noise."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList()
        channels = 4 * config.channels
        for steps, width in zip(config.steps, config.widths, strict=True):
            self.scales.append(Steps(config, steps, channels, width))
            channels *= 2  # half of them are done, the rest is folded
        if config.noise_steps:
            c, width = 4 * config.channels, config.noise_width
            self.look = network(c, width, width)
            self.noise = Steps(config, config.noise_steps, c, width, known=width)

    def forward(self, x: Tensor, eps: Tensor) -> Tensor:
        """Bits per dimension (B,) of images x (B, C, H, W) in [-1, 1] by a draw of u from eps ~ N(0, I): on average at
        least those of the exact likelihood. Theis 2016, "A note on the evaluation of generative models", eq. 3."""
        given = self.numbers(x, eps)
        *_, end = self.forth(given.y)
        return given.bits(end)

    def numbers(self, x: Tensor, eps: Tensor) -> Numbers:
        """Images x (B, C, H, W) in [-1, 1] as the layers get them, u drawn from eps ~ N(0, I)."""
        k = ((x + 1) * (LEVELS - 1) / 2).round()
        u, log_q = self.dequantised(k, eps)
        y, log_slope = logit((k + u) / LEVELS)
        return Numbers(y, log_q, log_slope)

    def dequantised(self, k: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Noise u (B, C, H, W) in (0, 1) for whole numbers k, made of eps ~ N(0, I), and log q(u | k) (B,)."""
        if not self.config.noise_steps:
            return torch.special.ndtr(eps), torch.zeros(len(eps), device=eps.device)
        known = self.look(F.pixel_unshuffle(2 * k / (LEVELS - 1) - 1, 2))
        h, log_q = F.pixel_unshuffle(eps, 2), log_normal(eps)
        for _, after, log_det in self.noise(h, known):
            h, log_q = after, log_q - log_det
        h = F.pixel_shuffle(h, 2)
        return h.sigmoid(), log_q - (F.logsigmoid(h) + F.logsigmoid(-h)).flatten(1).sum(1)

    def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of pixels y (B, C, H, W) -> z (B, C, H, W), log |det dz/dy| (B,)."""
        *_, end = self.forth(y)
        return end.y, end.log_det

    def forth(self, y: Tensor) -> Iterator[Pass]:
        """From y to z, after each layer."""
        h, done, log_det = y, list[Tensor](), torch.zeros(len(y), device=y.device)
        yield Pass("the image", y, log_det)
        for scale in self.scales:
            h = F.pixel_unshuffle(h, 2)
            for layer, after, more in cast(Steps, scale)(h):
                h, log_det = after, log_det + more
                yield Pass(type(layer).__name__, _whole(h, done), log_det)
            h, out = h.chunk(2, dim=1)
            done.append(out)

    def back(self, z: Tensor) -> Iterator[Pass]:
        """From z to y, after each layer."""
        h, done, log_det = z, list[Tensor](), torch.zeros(len(z), device=z.device)
        for _ in self.scales:
            h, out = F.pixel_unshuffle(h, 2).chunk(2, dim=1)
            done.append(out)
        yield Pass("the noise", z, log_det)
        for scale in reversed(self.scales):
            h = torch.cat([h, done.pop()], dim=1)
            for layer in reversed(cast(Steps, scale)):
                h, more = cast(Layer, layer).inverse(h)
                log_det = log_det + more
                yield Pass(type(layer).__name__, _whole(h, done), log_det)
            h = F.pixel_shuffle(h, 2)


def _whole(h: Tensor, done: Sequence[Tensor]) -> Tensor:
    """All numbers where they belong in the image: those in work at the lowest scale, and those that are done."""
    for out in reversed(done):
        h = torch.cat([F.pixel_shuffle(h, 2), out], dim=1)
    return F.pixel_shuffle(h, 2)


def logit(v: Tensor) -> tuple[Tensor, Tensor]:
    """v (B, C, H, W) in [0, 1], drawn in a little at both ends -> its logit, log |det| (B,)."""
    inner = MARGIN + (1 - 2 * MARGIN) * v
    log_slope = math.log(1 - 2 * MARGIN) - inner.log() - torch.log1p(-inner)
    return inner.logit(), log_slope.flatten(1).sum(1)


def log_normal(z: Tensor) -> Tensor:
    """Log density of N(0, I) at z (B, ...): (B,)."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).flatten(1).sum(1)


def precise(model: Model) -> Model:
    """A copy in double precision, for a way there and back: what single precision loses in a flat piece of a spline is
    magnified by the layers after it."""
    return deepcopy(model).double()


@dataclass(frozen=True)
class Settings:
    """What a user may ask of samples; checked when made, so that page, API and command line refuse alike.

    Attributes:
        n: number of pictures.
        temperature: standard deviation of z: below 1, nearer to what is likely.
        seed: of z; picture i depends on (seed, i) alone.
    """

    n: int = 16
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.keep(
            self,
            n=validation.integer("number of pictures", self.n, 1, 1_000_000),
            temperature=validation.number("temperature", self.temperature, 0, 2),
            seed=validation.integer("seed", self.seed, 0, validation.MAX_SEED),
        )


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0) -> Iterator[Pass]:
    """From noise to pictures, layer by layer.

    Args:
        first: index of the first picture, for runs split into batches.
    """
    config = model.config
    noise = Noise(settings.seed, settings.n, first)((config.channels, config.size, config.size))
    yield from model.back(settings.temperature * noise.to(next(model.parameters()).device))
