"""The recipe of `flow-digits`: a normalizing flow that learns the exact likelihood of digits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from playground import checkpoint, pictures
from playground.data import digits
from playground.invertible import initialize
from playground.models import flow
from playground.sampling import generator, last
from playground.validation import UserError
from train import device, loop
from train.optimizers import Optimizer
from train.results import Entry


@dataclass(frozen=True)
class Recipe(loop.Options):
    """Fourteen epochs of 60,000 digits of 28x28 and 8 bits.

    Attributes:
        narrower: the checkpoint of a smaller flow to begin as, or none; what is new then learns to make it better.
        config: of the model.
    """

    name: str = "flow-digits"
    steps: int = 13_118
    batch_size: int = 64
    lr: float = 3e-3
    decay: float = 0.9
    optimizer: Optimizer = "muon"
    save_every: int = 937
    narrower: Path | None = None
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

    @cache
    def learned() -> Tensor:
        return loop.fetched(lambda: _digits(recipe.data, "train")) if images is None else images

    def build() -> flow.Model:
        return begun(recipe.config, learned()[: recipe.batch_size], recipe.narrower)

    run = loop.Run(recipe, build)
    shown = learned().to(run.accelerator.device)

    def loss(model: nn.Module, step: int, random: torch.Generator) -> Tensor:
        x = shown[run.batch(len(shown), step)]
        return model(x, torch.randn(x.shape, generator=random).to(x)).mean()

    return loop.follow(run, run.train(loss=loss), _picture)


def _digits(data: Path, split: str) -> Tensor:
    return digits.crop(digits.load(data, split, download=True)[0]).contiguous()


def begun(config: flow.Config, x: Tensor, narrower: Path | None = None) -> flow.Model:
    """A model whose activations are normalised on a first batch (B, C, H, W), or one grown from a checkpoint.

    Raises:
        UserError: the checkpoint is of a flow that this one cannot grow from.
    """
    model, eps = flow.Model(config), torch.randn(x.shape, generator=generator(0))
    if narrower:
        grow(model, device.load(narrower).cpu(), x, eps)
    else:
        initialize(model, model, x, eps)
    return model


@torch.no_grad()
def grow(model: flow.Model, narrower: flow.Model, x: Tensor, eps: Tensor) -> None:
    """Let a flow do what one with fewer channels in its networks, or fewer pairs of steps, does: what they share is
    copied, new channels have no say yet in old ones, and a new pair of steps is the identity, each turning the order of
    the channels around. Chen 2016, "Net2Net".

    Args:
        x, eps: a batch on which both are compared.

    Raises:
        UserError: they do not do the same.
    """
    mine = model.state_dict()
    for name, weight in narrower.state_dict().items():
        if name not in mine or any(less > more for less, more in zip(weight.shape, mine[name].shape, strict=True)):
            raise UserError(f"this flow has no room for {name} of the one that it should grow from")
        if weight.dim() > 1:
            mine[name][: len(weight)] = 0
        mine[name][tuple(map(slice, weight.shape))] = weight
    if not torch.allclose(model(x, eps), narrower(x, eps), atol=1e-3):
        raise UserError("this flow does not grow from that one: steps can be added only in pairs")


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
