"""The normalizing flow: an invertible network from images to noise, with the exact likelihood of its inputs.

Dinh 2017, "Density estimation using Real NVP"; Kingma 2018, "Glow"; Durkan 2019, "Neural Spline Flows". An image x of
integers 0 ... 255 is dequantized by noise u in [0, 1) in each pixel (Ho 2019, "Flow++"), v = (x + u) / 256, and the
layers map y = logit v to z, whose target distribution is N(0, I). Shapes: B batch, C channels.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.families.normalizing_flow.layers import ActNorm, Coupling, InvertibleConv1x1, Layer, transforms
from playground.nn.blocks import zero_init
from playground.nn.normal import log_normal
from playground.runtime import validation
from playground.runtime.run import Frame

LEVELS = 256  # brightness levels of a pixel
MARGIN = 1e-5  # distance that the arguments of logits keep from 0 and 1


@dataclass(frozen=True)
class Config:
    """Configuration of a flow."""

    size: int = 28  # Width and height of the images in pixels.
    channels: int = 1  # Channels of the images.
    # Flow steps (activation normalization, 1x1 convolution, coupling) of each scale; from a scale to the next the
    # resolution halves and half of the numbers are factored out.
    steps: Sequence[int] = (8, 8)
    widths: Sequence[int] = (96, 128)  # Width of the coupling networks of each scale.
    coupling: str = "spline"  # "affine" or "spline".
    bins: int = 8  # Bins of a spline.
    noise_steps: int = 5  # Steps of the flow that samples u given the image; 0 for uniform u.
    noise_width: int = 32  # Width of that flow's networks.

    def __post_init__(self) -> None:
        validation.check_bounds(self, _BOUNDS)
        for name, bounds in (("steps", (1, 64)), ("widths", (1, 1024))):
            values = getattr(self, name)
            if not isinstance(values, (list, tuple)) or not 1 <= len(values) <= 4:
                raise validation.UserError(f"{name} must be a list of 1 to 4 whole numbers")
            integers = tuple(validation.check_integer(name, value, *bounds) for value in values)
            validation.set_frozen(self, **{name: integers})
        validation.check_choice("coupling", self.coupling, transforms(2))
        if len(self.steps) != len(self.widths):
            raise validation.UserError("steps and widths must have the same length: one number for each scale")
        if self.size % (factor := 2 ** len(self.steps)):
            raise validation.UserError(f"size must be a multiple of {factor}, not {self.size}")


_BOUNDS = {"size": (2, 256), "channels": (1, 16), "bins": (2, 64), "noise_steps": (0, 32), "noise_width": (1, 1024)}


class Dequantized(NamedTuple):
    """Dequantized images."""

    y: Tensor  # logits of the pixels with noise u (B, C, H, W)
    log_q: Tensor  # log q(u | x) (B,)
    logit_log_det: Tensor  # log |det dy/dv| (B,)

    def log_p(self, frame: Frame) -> Tensor:
        """Return the log-density of v = (x + u) / 256 (B,), as if the flow ended at a frame on the way to z."""
        return log_normal(frame.x) + frame.extras["log_det"] + self.logit_log_det

    def bits(self, frame: Frame) -> Tensor:
        """Return the bits per dimension (B,), as if the flow ended at a frame. Theis 2016, eq. 3; Ho 2019, sec. 3.1."""
        dimensions = self.y[0].numel()
        return (self.log_q - self.log_p(frame) + dimensions * math.log(LEVELS)) / (dimensions * math.log(2))


class FlowBlock(nn.ModuleList):
    """Flow steps at one resolution, each an activation normalization, a 1x1 convolution and a coupling.

    Args:
        channels, width: Channels of the items and width of the coupling networks.
        context: Channels of the context of the couplings; 0 for none.
    """

    def __init__(self, config: Config, steps: int, channels: int, width: int, context: int = 0):
        transform = transforms(config.bins)[config.coupling]
        half = channels // 2
        super().__init__(
            layer
            for _ in range(steps)
            for layer in (
                ActNorm(channels),
                InvertibleConv1x1(channels),
                Coupling(transform, coupling_network(half + context, width, half * transform.count)),
            )
        )

    def forward(self, x: Tensor, context: Tensor | None = None) -> Iterator[tuple[nn.Module, Tensor, Tensor]]:
        """Yield each layer, its output (B, C, H, W) for x (B, C, H, W), with a context (B, K, H, W), and its log |det|
        (B,)."""
        for layer in self:
            x, log_det = layer(x, context) if isinstance(layer, Coupling) else layer(x)
            yield layer, x, log_det


def coupling_network(c_in: int, width: int, c_out: int) -> nn.Sequential:
    """Return a network (B, c_in, H, W) -> (B, c_out, H, W) whose output starts at 0, so that couplings start as the
    identity. Kingma 2018, sections 3.3 and 5."""
    last = zero_init(nn.Conv2d(width, c_out, 3, padding=1))
    return nn.Sequential(nn.Conv2d(c_in, width, 3, padding=1), nn.SiLU(), nn.Conv2d(width, width, 1), nn.SiLU(), last)


class Model(nn.Module):
    """Normalizing flow of several scales, with a flow that samples the dequantization noise."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.scales = nn.ModuleList()
        channels = 4 * config.channels
        for steps, width in zip(config.steps, config.widths, strict=True):
            self.scales.append(FlowBlock(config, steps, channels, width))
            channels *= 2  # half of them are factored out, 2x2 positions of the other half become channels
        if config.noise_steps:
            c, width = 4 * config.channels, config.noise_width
            self.context_net = coupling_network(c, width, width)
            self.noise = FlowBlock(config, config.noise_steps, c, width, context=width)

    def forward(self, x: Tensor, eps: Tensor) -> Tensor:
        """Return the bits per dimension (B,) of images x (B, C, H, W) in [-1, 1], for u sampled from eps ~ N(0, I).

        In expectation they are an upper bound of the exact ones. Theis 2016, "A note on the evaluation of generative
        models", eq. 3.
        """
        dequantized = self.dequantize(x, eps)
        *_, end = self.encode_steps(dequantized.y)
        return dequantized.bits(end)

    def dequantize(self, x: Tensor, eps: Tensor) -> Dequantized:
        """Dequantize images x (B, C, H, W) in [-1, 1] by noise u sampled from eps ~ N(0, I)."""
        k = ((x + 1) * (LEVELS - 1) / 2).round()
        u, log_q = self.sample_dequantization(k, eps)
        y, log_det = logit((k + u) / LEVELS)
        return Dequantized(y, log_q, log_det)

    def sample_dequantization(self, k: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
        """Sample noise u (B, C, H, W) in (0, 1) for integers k from eps ~ N(0, I); return it and log q(u | k) (B,)."""
        if not self.config.noise_steps:
            return torch.special.ndtr(eps), torch.zeros(len(eps), device=eps.device)
        context = self.context_net(F.pixel_unshuffle(2 * k / (LEVELS - 1) - 1, 2))
        h, log_q = F.pixel_unshuffle(eps, 2), log_normal(eps)
        for _, after, log_det in self.noise(h, context):
            h, log_q = after, log_q - log_det
        h = F.pixel_shuffle(h, 2)
        return h.sigmoid(), log_q - (F.logsigmoid(h) + F.logsigmoid(-h)).flatten(1).sum(1)

    def encode(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map logits of pixels y (B, C, H, W) to z (B, C, H, W) and log |det dz/dy| (B,)."""
        *_, end = self.encode_steps(y)
        return end.x, end.extras["log_det"]

    def encode_steps(self, y: Tensor) -> Iterator[Frame]:
        """Map logits y to z, a frame after each layer.

        Yields:
            Frames whose `x` holds all numbers at their positions in the image (B, C, H, W), those factored out as well;
            the extra "log_det" (B,) is the log |det| of all layers so far.
        """
        h, factored_out, log_det = y, list[Tensor](), torch.zeros(len(y), device=y.device)
        yield Frame(0, 0, y, extras={"log_det": log_det}, layer="the image")
        step = 0
        for scale in self.scales:
            h = F.pixel_unshuffle(h, 2)
            for layer, after, more in cast(FlowBlock, scale)(h):
                h, step, log_det = after, step + 1, log_det + more
                yield _frame(step, layer, _unfold(h, factored_out), log_det)
            h, out = h.chunk(2, dim=1)
            factored_out.append(out)

    def decode_steps(self, z: Tensor) -> Iterator[Frame]:
        """Map z to logits y, likewise; the log-determinants are those of this direction."""
        h, factored_out, log_det = z, list[Tensor](), torch.zeros(len(z), device=z.device)
        for _ in self.scales:
            h, out = F.pixel_unshuffle(h, 2).chunk(2, dim=1)
            factored_out.append(out)
        yield Frame(0, 0, z, extras={"log_det": log_det}, layer="the noise")
        step = 0
        for scale in reversed(self.scales):
            h = torch.cat([h, factored_out.pop()], dim=1)
            for layer in reversed(cast(FlowBlock, scale)):
                h, more = cast(Layer, layer).inverse(h)
                step, log_det = step + 1, log_det + more
                yield _frame(step, layer, _unfold(h, factored_out), log_det)
            h = F.pixel_shuffle(h, 2)


def _frame(step: int, layer: nn.Module, x: Tensor, log_det: Tensor) -> Frame:
    return Frame(step, 0, x, extras={"log_det": log_det}, layer=type(layer).__name__)


def logits_to_images(y: Tensor) -> Tensor:
    """Return logits y (B, C, H, W) of dequantized pixels as images in [-1, 1]; rounding them to whole levels removes
    the dequantization noise."""
    v = (y.sigmoid() - MARGIN) / (1 - 2 * MARGIN)
    return ((2 * LEVELS * v - 1) / (LEVELS - 1) - 1).clamp(-1, 1)


def _unfold(h: Tensor, factored_out: Sequence[Tensor]) -> Tensor:
    """Return all numbers at their positions in the image: those of the current scale and those factored out."""
    for out in reversed(factored_out):
        h = torch.cat([F.pixel_shuffle(h, 2), out], dim=1)
    return F.pixel_shuffle(h, 2)


def logit(v: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logit of v (B, C, H, W) in [0, 1], moved away from 0 and 1 by `MARGIN`, and its log |det| (B,)."""
    inner = MARGIN + (1 - 2 * MARGIN) * v
    log_derivative = math.log(1 - 2 * MARGIN) - inner.log() - torch.log1p(-inner)
    return inner.logit(), log_derivative.flatten(1).sum(1)
