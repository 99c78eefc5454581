"""The recipe of `flow-digits`: a normalizing flow trained on the exact likelihood of digits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from playground.datasets import mnist
from playground.families import normalizing_flow
from playground.families.normalizing_flow.layers import initialize_actnorms
from playground.runtime import checkpoint, pictures
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from train import device
from train.checks import check_shapes
from train.evaluation.results import Measurement
from train.fit import fit, publish
from train.optimizers import Optimizer
from train.options import Options
from train.processes import main_process_first
from train.run import Run


@dataclass(frozen=True)
class Recipe(Options):
    """Fourteen epochs of 60,000 digits of 28x28 pixels and 8 bits."""

    name: str = "flow-digits"
    steps: int = 13_118
    batch_size: int = 64
    lr: float = 3e-3
    decay: float = 0.9
    optimizer: Optimizer = "muon"
    save_every: int = 937
    # Checkpoint of a smaller flow to start from, by a function-preserving expansion; none by default.
    narrower: Path | None = None
    config: normalizing_flow.Config = field(default_factory=normalizing_flow.Config)  # Settings of the model.

    @property
    def data_description(self) -> str:
        return mnist.DESCRIPTION


RECIPES = [Recipe()]
DRAWS = 16  # samples of the dequantization noise for each test digit


def train(recipe: Recipe, images: Tensor | None = None, test: Tensor | None = None) -> Path | None:
    """Start or resume training; return the path of the finished checkpoint. Images for training and validation are (N,
    C, H, W) in [-1, 1]; MNIST by default."""
    caller_data = images is not None
    if images is None:
        images, test = main_process_first(lambda: (_digits(recipe.data, "train"), _digits(recipe.data, "test")))
    first_batch = images[: recipe.batch_size]
    check_shapes(recipe.config, images)
    run = Run(recipe, lambda: build_model(recipe.config, first_batch, recipe.narrower), caller_data=caller_data)
    for step in fit(run, _picture, _loss, () if test is None else (test,)):
        (x,) = step.batch(images)
        step.minimize(_loss(run.model, x, step.rng))
    return publish(run)


def _loss(model: nn.Module, x: Tensor, rng: torch.Generator) -> Tensor:
    """Return the mean negative log-likelihood of images (B, C, H, W) in bits per dimension, a scalar."""
    return model(x, torch.randn(x.shape, generator=rng).to(x)).mean()


def _digits(data: Path, split: str) -> Tensor:
    return mnist.crop(mnist.load(data, split, download=True)[0]).contiguous()


def build_model(config: normalizing_flow.Config, x: Tensor, narrower: Path | None = None) -> normalizing_flow.Model:
    """Build a model whose actnorms are initialized on a first batch (B, C, H, W), or one expanded from a checkpoint;
    raise UserError if that cannot be expanded."""
    model, eps = normalizing_flow.Model(config), torch.randn(x.shape, generator=make_rng(0))
    if narrower:
        grow(model, device.load(narrower).cpu(), x, eps)
    else:
        initialize_actnorms(model, model, x, eps)
    return model


@torch.no_grad()
def grow(model: normalizing_flow.Model, narrower: normalizing_flow.Model, x: Tensor, eps: Tensor) -> None:
    """Make a flow compute the same function as one with narrower networks or fewer pairs of steps.

    Shared weights are copied, new channels do not contribute to old ones yet, and a new pair of steps is the identity,
    since each of the two reverses the order of the channels. Chen 2016, "Net2Net".

    Args:
        x, eps: A batch (B, C, H, W) on which both are compared.

    Raises:
        UserError: The two functions differ.
    """
    weights = model.state_dict()
    for name, weight in narrower.state_dict().items():
        if name not in weights or any(n > m for n, m in zip(weight.shape, weights[name].shape, strict=True)):
            raise UserError(f"this flow has no room for {name} of the one that it should grow from")
        if weight.dim() > 1:
            weights[name][: len(weight)] = 0
        weights[name][tuple(map(slice, weight.shape))] = weight
    if not torch.allclose(model(x, eps), narrower(x, eps), atol=1e-3):
        raise UserError("this flow does not grow from that one: steps can be added only in pairs")


def _picture(model: normalizing_flow.Model) -> Image.Image:
    """Sample forty digits, the lower twenty at a temperature of 0.7."""
    runs = [normalizing_flow.sample(model, normalizing_flow.Settings(20, temperature)) for temperature in (1.0, 0.7)]
    x = torch.cat([normalizing_flow.logits_to_images(last_frame(run).x) for run in runs])
    return pictures.to_pil(pictures.make_grid(pictures.to_uint8(x), columns=10))


def measurements(path: Path, data: Path, n: int, judges: Path) -> Iterator[Measurement]:
    """Yield the measurement of the likelihood of test digits."""
    identity = {"table": "flow", "checkpoint": path.stem, "sha256": checkpoint.sha256(path), "seed": 0,
                "row": "test digits", "settings": f"{DRAWS} draws", "n": min(n, mnist.DATASET.n_test)}  # fmt: skip
    yield Measurement(identity, lambda: measure(path, _digits(data, "test")[:n]))


@torch.no_grad()
def measure(path: Path, x: Tensor, batch: int = 250) -> dict[str, float]:
    """Measure the likelihood of images (N, C, H, W), unpadded, and the error of the inverse.

    Returns:
        In bits per dimension, the bound of one draw of the dequantization noise ("bits"), and the tighter one of
        `DRAWS` draws ("bits_tight"; Burda 2016, "Importance weighted autoencoders", eq. 8); and the largest error of a
        dequantized picture, in [-1, 1], taken to z and back, in double precision ("round_trip") and in single
        ("round_trip_single").
    """
    model: normalizing_flow.Model = device.load(path)
    precise, rng = normalizing_flow.to_double(model), make_rng(3)
    bits, errors = list[Tensor](), list[tuple[float, float]]()
    for part in x.to(device.DEVICE).split(batch):
        noise = [torch.randn(part.shape, generator=rng).to(part) for _ in range(DRAWS)]
        bits.append(torch.stack([model(part, eps) for eps in noise]).double().cpu())
        errors.append((round_trip(precise, part.double(), noise[0].double()), round_trip(model, part, noise[0])))
    bits_per_draw = torch.cat(bits, dim=1)  # (DRAWS, N)
    scale = math.log(2) * x[0].numel()
    double_errors, single_errors = zip(*errors, strict=True)
    tighter = (math.log(DRAWS) - (-bits_per_draw * scale).logsumexp(0)) / scale
    return {
        "bits": bits_per_draw.mean().item(),
        "bits_tight": tighter.mean().item(),
        "round_trip": max(double_errors),
        "round_trip_single": max(single_errors),
    }


def round_trip(model: normalizing_flow.Model, x: Tensor, eps: Tensor) -> float:
    """Return the largest error of pictures (B, C, H, W) that are dequantized by eps ~ N(0, I), taken to z and back."""
    frames = list(model.encode_steps(model.dequantize(x, eps).y))
    frames.append(last_frame(model.decode_steps(frames[-1].x)))
    before, after = (normalizing_flow.logits_to_images(frame.x) for frame in (frames[0], frames[-1]))
    return (after - before).abs().max().item()
