"""The recipes of the adversarial networks: every loss on the same digits, in the same order, from the same weights.

Three need more than the two networks: a spectral norm, an input for classes, an output at every size.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from playground import checkpoint, history, pictures
from playground.adversarial import Objective, clip_weights, settle_spectral_norm
from playground.data import digits
from playground.models import gan
from playground.models.gan import Config, Stage
from playground.sampling import last
from playground.validation import UserError
from train import arena, device, loop
from train.judging import JUDGE, Judge, draw
from train.results import MEASURED, Entry

Turn = Callable[[gan.Model, Tensor, Tensor, Objective, torch.Generator, Stage | None], Tensor]


@dataclass(frozen=True)
class Recipe(loop.Options):
    """Twenty epochs of 60,000 digits, one step of D for each of G.

    Attributes:
        config: of both networks.
        objective: what they minimise.
        stacked: three digits in the three channels of a picture, of which there are 1,000 modes (Metz 2017, 3.3).
        judge: the checkpoint that reads the samples of the history.
    """

    name: str = "gan-digits-nonsaturating"
    steps: int = 9_360
    lr: float = 2e-4
    warmup: int = 0
    betas: tuple[float, float] = (0.0, 0.99)
    weight_decay: float = 0.0
    clip_norm: float = 1e6
    save_every: int = 200
    config: Config = field(default_factory=Config)
    objective: Objective = field(default_factory=Objective)
    stacked: bool = False
    judge: Path = JUDGE

    @property
    def learns_from(self) -> str:
        return digits.TRAINING + (", three in a picture" if self.stacked else "")


def _of(variant: str, objective: Objective, **config: Any) -> Recipe:
    return Recipe(name=f"gan-digits-{variant}", objective=objective, config=Config(**config))


def _stacked(variant: str, objective: Objective, **config: Any) -> Recipe:
    """A short run: enough to see which losses keep their modes."""
    name = f"gan-stacked-{variant}"
    return Recipe(name, steps=3_000, objective=objective, stacked=True, config=Config(3, **config), out=MEASURED)


R3 = Objective("relativistic", r1=1.0, r2=1.0)
PENALTY = Objective("wasserstein", gp=10.0)
RECIPES = [
    _of("nonsaturating", Objective("nonsaturating")),
    _of("minimax", Objective("minimax")),
    _of("leastsquares", Objective("leastsquares")),
    _of("hinge", Objective("hinge"), spectral=True),
    _of("wasserstein-clip", Objective("wasserstein", clip=0.01)),
    _of("wasserstein-gp", PENALTY),
    _of("r3gan", R3),
    _of("conditional", R3, classes=10),
    _of("progressive", PENALTY, progressive=True),
    # measured for the tables of weights/README.md, not shipped
    _stacked("nonsaturating", Objective("nonsaturating")),
    _stacked("hinge", Objective("hinge"), spectral=True),
    _stacked("wasserstein-gp", PENALTY),
    _stacked("r3gan", R3),
]


def evaluated(config: Config) -> dict[str, gan.Settings]:
    """The rows that `train.evaluate` fills in for samples of a model, and the settings that each samples with."""
    return {"samples": gan.Settings()}


def train(recipe: Recipe, data: tuple[Tensor, Tensor] | None = None) -> Path | None:
    """Train, or go on training; the path of the checkpoint when the last step is done. Its history is put beside it.

    Args:
        data: images (N, C, H, W) in [-1, 1] and labels (N,); MNIST by default.
    """
    run = loop.Run(recipe, lambda: gan.Model(recipe.config))
    if run.accelerator.num_processes > 1:
        raise UserError("adversarial networks train in one process here: start one without a launcher")
    if recipe.start:
        raise UserError("adversarial networks are trained from the first step on, for their history: leave out --start")
    both = data or loop.fetched(lambda: digits.load(recipe.data, "train", download=True))
    images, labels = (part.to(run.accelerator.device) for part in both)

    def turn(loss: Turn) -> loop.Loss:
        def of_step(model: nn.Module, step: int, random: torch.Generator) -> Tensor:
            index, stage = run.batch(len(images), step), gan.grown(recipe.config, step / recipe.steps)
            x = stack(images, index, random) if recipe.stacked else images[index]
            with run.accelerator.autocast():
                return loss(cast(gan.Model, model), x, labels[index], recipe.objective, random, stage)

        return of_step

    if recipe.objective.clip:
        run.after_turn(lambda model: clip_weights(cast(gan.Model, model).discriminator, recipe.objective.clip))
    records = run.train(discriminator=turn(gan.discriminator_loss), generator=turn(gan.generator_loss))
    if recipe.stacked:
        return loop.follow(run, records, _picture)
    test, _ = data or digits.load(recipe.data, "test", download=True)
    path = loop.follow(run, arena.snapshots(run, records), _picture, lambda exported: complete(exported, test))
    if path:
        made = arena.look_back(recipe, Judge(recipe.judge, test), images, labels)
        history.save(path.with_suffix(".history.npz"), made)
    return path


def stack(images: Tensor, index: Tensor, random: torch.Generator) -> Tensor:
    """Digits (N, 1, H, W) as pictures of three, (B, 3, H, W): the one at index (B,), and two by chance."""
    others = torch.randint(len(images), (2, len(index)), generator=random).to(index)
    return torch.cat([images[index], images[others[0]], images[others[1]]], dim=1)


def complete(path: Path, images: Tensor) -> None:
    """Put into a checkpoint what its discriminator says of images (N, C, H, W), N >= KEPT, and of samples, sorted."""
    model: gan.Model = device.load(path)
    settle_spectral_norm(model.discriminator)
    fakes = last(gan.sample(model, gan.Settings(n=gan.KEPT))).x
    model.kept_real.copy_(gan.verdicts(model, images[: gan.KEPT].to(device.DEVICE)).sort().values)
    model.kept_fake.copy_(gan.verdicts(model, fakes).sort().values)
    checkpoint.save(path, model, checkpoint.header(path).provenance)


def _picture(model: gan.Model, path: Path) -> None:
    """Forty samples."""
    x = last(gan.sample(model, gan.Settings(n=40))).x
    pictures.image(pictures.grid(pictures.to_uint8(x), columns=10)).save(path)


SAMPLES = 26_000  # as many as the literature counts the modes of (Metz 2017; Lin 2018, "PacGAN")


def entries(path: Path, data: Path, n: int) -> Iterator[Entry]:
    """What is measured besides samples of digits: the modes of stacked ones."""
    header = checkpoint.header(path)
    if header.provenance["flags"]["stacked"]:
        identity = {"table": "stacked", "checkpoint": path.stem, "sha256": checkpoint.sha256(path), "row": "modes",
                    "settings": f"{header.provenance['steps']} steps", "n": SAMPLES, "seed": 0}  # fmt: skip
        yield Entry(identity, lambda: modes(path, Judge(JUDGE, digits.load(data, "test", download=True)[0])))


def modes(path: Path, judge: Judge, n: int = SAMPLES) -> dict[str, float]:
    """How many of the 1,000 modes samples fall on, and the KL divergence from all being equally frequent, in nats."""
    x = draw(path, gan.Settings(n=n), torch.zeros(0)).images
    read = sum(10**k * judge.look(channel)[1] for k, channel in enumerate(x.split(1, dim=1)))
    return counted(cast(Tensor, read).bincount(minlength=digits.CLASSES**3))


def counted(counts: Tensor) -> dict[str, float]:
    """Of counts (K,): those that are not 0, and the KL divergence of their distribution from the uniform one."""
    p = counts.double() / counts.sum()
    return {"modes": float((counts > 0).sum()), "reverse_kl": torch.special.xlogy(p, p * len(p)).sum().item()}
