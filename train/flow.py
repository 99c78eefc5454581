"""The recipe of `flow-digits`: a normalizing flow that learns the exact likelihood of digits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from playground import checkpoint, pictures
from playground.data import digits
from playground.invertible import initialize
from playground.models import flow
from playground.sampling import generator, last
from train import device, loop
from train.results import Entry


@dataclass(frozen=True)
class Recipe(loop.Options):
    """Sixteen epochs of 60,000 digits of 28x28 and 8 bits, in two cycles of the learning rate, the second of which is
    lower: the rate that the first one bears throws the trained flow off.

    Attributes:
        config: of the model.
    """

    name: str = "flow-digits"
    steps: int = 14_992
    batch_size: int = 64
    lr: float = 5e-3
    decay: float = 0.8
    cycles: int = 2
    gamma: float = 0.4
    save_every: int = 937
    config: flow.Config = field(default_factory=flow.Config)

    @property
    def learns_from(self) -> str:
        return digits.TRAINING


RECIPES = [Recipe()]
DRAWS = 16  # of the dequantising noise of a test digit


def train(recipe: Recipe, images: Tensor | None = None) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done.

    Args:
        images: instead of the digits, (N, C, H, W) in [-1, 1].
    """
    shown = _digits(recipe.data, "train") if images is None else images
    run = loop.Run(recipe, lambda: begun(recipe.config, shown[: recipe.batch_size]))
    shown = shown.to(run.accelerator.device)

    def loss(model: nn.Module, step: int, random: torch.Generator) -> Tensor:
        x = shown[run.batch(len(shown), step)]
        return model(x, torch.randn(x.shape, generator=random).to(x)).mean()

    return loop.follow(run, run.train(loss=loss), _picture)


def _digits(data: Path, split: str) -> Tensor:
    return digits.crop(digits.load(data, split, download=True)[0]).contiguous()


def begun(config: flow.Config, x: Tensor) -> flow.Model:
    """A model whose activations are normalised on a first batch (B, C, H, W)."""
    model = flow.Model(config)
    initialize(model, model, x, torch.randn(x.shape, generator=generator(0)))
    return model


def _picture(model: flow.Model, path: Path) -> None:
    """Forty samples, the lower twenty at a temperature of 0.7."""
    x = torch.cat([last(flow.sample(model, flow.Settings(n=20, temperature=each))).x for each in (1.0, 0.7)])
    pictures.image(pictures.grid(pictures.to_uint8(x), columns=10)).save(path)


def entries(path: Path, data: Path, n: int) -> Iterator[Entry]:
    """The likelihood of test digits."""
    identity = {"table": "flow", "checkpoint": path.stem, "sha256": checkpoint.sha256(path), "seed": 0,
                "row": "test digits", "settings": f"{DRAWS} draws", "n": min(n, 10_000)}  # fmt: skip
    yield Entry(identity, lambda: measure(path, _digits(data, "test")[:n]))


@torch.no_grad()
def measure(path: Path, x: Tensor, batch: int = 250) -> dict[str, float]:
    """Bits per dimension of images (N, C, H, W), unpadded: the mean bound of one draw of the dequantising noise, and
    the tighter one of `DRAWS` draws (Burda 2016, "Importance weighted autoencoders", eq. 8); and how far a picture with
    its noise is at most from itself, in [-1, 1], after the way to z and back, in double precision and in single."""
    model: flow.Model = device.load(path)
    precise, bits, errors, random = flow.precise(model), list[Tensor](), list[tuple[float, float]](), generator(3)
    for part in x.to(device.DEVICE).split(batch):
        noise = [torch.randn(part.shape, generator=random).to(part) for _ in range(DRAWS)]
        bits.append(torch.stack([model(part, eps) for eps in noise]).double().cpu())
        errors.append((round_trip(precise, part.double(), noise[0].double()), round_trip(model, part, noise[0])))
    found = torch.cat(bits, dim=1)  # (DRAWS, N)
    scale = math.log(2) * x[0].numel()
    double, single = zip(*errors, strict=True)
    tighter = (math.log(DRAWS) - (-found * scale).logsumexp(0)) / scale
    return {
        "bits": found.mean().item(),
        "bits_tight": tighter.mean().item(),
        "round_trip": max(double),
        "round_trip_single": max(single),
    }


def round_trip(model: flow.Model, x: Tensor, eps: Tensor) -> float:
    """The largest error of pictures (B, C, H, W), dequantised by noise of eps ~ N(0, I), taken to z and back."""
    way = list(model.forth(model.numbers(x, eps).y))
    return (last(model.back(way[-1].y)).x - way[0].x).abs().max().item()
