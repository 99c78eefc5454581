"""A small adversarial training in the plane, step by step: two perceptrons, and data whose density is known."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from playground import adversarial, validation
from playground.adversarial import MinibatchDiscrimination, Objective
from playground.data.densities import Density
from playground.labs import CALLED, averaged, descend, falling, seeded
from playground.sampling import generator

SLOWEST = 20 * 1024  # points that D sees in a step, in thought as well
LARGEST = 2**22  # distances between points of a batch, by all kernels, that are kept at once


@dataclass(frozen=True)
class Settings:
    """Of a training; checked when made, so that page, API and command line refuse alike.

    Attributes:
        objective: what both minimise.
        spectral: whether D is normalised spectrally.
        kernels: of minibatch discrimination; 0 for none.
        k: steps of D for each of G.
        lr_d, lr_g: learning rates of Adam, which fall to 0 on a line.
        momentum: Adam's beta_1.
        latent: dimensions of the noise z.
        width: of the three hidden layers of each network.
        batch: points a step.
        steps: of the whole training.
        average: decay of the moving average of G, whose points are shown; 0 for G as it is.
        seed: of the weights, the data and the noise.
    """

    objective: Objective = field(default_factory=Objective)
    spectral: bool = False
    kernels: int = 0
    k: int = 1
    lr_d: float = 5e-3
    lr_g: float = 5e-3
    momentum: float = 0.0
    latent: int = 2
    width: int = 64
    batch: int = 256
    steps: int = 8_000
    average: float = 0.998
    seed: int = 0

    def __post_init__(self) -> None:
        whole = {"kernels": (0, 64), "k": (1, 20), "latent": (1, 256), "width": (4, 256), "batch": (8, 1024),
                 "steps": (1, 50_000), "seed": (0, validation.MAX_SEED)}  # fmt: skip
        real = {"lr_d": (1e-6, 1.0), "lr_g": (1e-6, 1.0), "momentum": (0.0, 0.99), "average": (0.0, 0.9999)}
        validation.flag("spectral", self.spectral)
        validation.bound(self, whole, real, CALLED)
        if self.spectral and self.objective.clip:
            raise validation.UserError("a spectral norm undoes what clipping the weights does: choose one of them")
        unrolled = 1 + self.objective.unroll
        if self.k * unrolled * self.batch > SLOWEST or self.kernels * unrolled * self.batch**2 > LARGEST:
            raise validation.UserError(
                "so many points a step need too much time or memory with so many kernels, unrolled steps, steps of D: "
                "lower one of them"
            )


class Generator(nn.Sequential):
    """z (B, Z) -> points (B, 2)."""

    def __init__(self, latent: int, width: int):
        super().__init__(*_layers([latent, width, width, width]), nn.Linear(width, 2))


class Discriminator(nn.Module):
    """Points (B, 2) -> logits (B,)."""

    def __init__(self, width: int, kernels: int = 0):
        super().__init__()
        self.hidden = nn.Sequential(*_layers([2, width, width, width]))
        if kernels:
            self.hidden.append(MinibatchDiscrimination(width, kernels))
        self.read = nn.Linear(width + kernels, 1)

    def features(self, x: Tensor) -> Tensor:
        """The last hidden layer: (B, F)."""
        return self.hidden(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.features(x))[:, 0]


def _layers(widths: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return layers


class Lab:
    """Both networks in training."""

    def __init__(self, data: Density, settings: Settings):
        self.data, self.settings = data, settings
        self.random = generator(settings.seed)
        with seeded(settings.seed):
            self.g = Generator(settings.latent, settings.width)
            self.d = Discriminator(settings.width, settings.kernels)
            if settings.spectral:
                adversarial.normalize_spectrally(self.d)
        self.average = averaged(self.g, settings.average)
        betas = settings.momentum, 0.99
        self.adam_d = torch.optim.Adam(self.d.parameters(), lr=settings.lr_d, betas=betas, fused=True)
        self.adam_g = torch.optim.Adam(self.g.parameters(), lr=settings.lr_g, betas=betas, fused=True)
        self.steps = 0

    @property
    def limit(self) -> int:
        """Steps of the whole training."""
        return self.settings.steps

    def step(self) -> dict[str, float]:
        """k steps of D and one of G; the last loss of each.

        Raises:
            Diverged: one of them, or its gradient, is not a finite number.
        """
        for _ in range(self.settings.k):
            loss_d = self.step_d()
        return {"D": loss_d, "G": self.step_g()}

    def step_d(self) -> float:
        """One step of D."""
        real, u = self._batch()
        with torch.no_grad():
            fake = self._fake(len(real))
        loss = adversarial.discriminator_loss(self.d, real, fake, self.settings.objective, u)
        self._descend(self.adam_d, self.settings.lr_d, loss)
        if self.settings.objective.clip:
            adversarial.clip_weights(self.d, self.settings.objective.clip)
        return loss.item()

    def step_g(self) -> float:
        """One step of G, by which the training is counted."""
        real, u = self._batch()
        with adversarial.frozen(self.d):
            loss = adversarial.generator_loss(self.d, real, self._fake(len(real)), self.settings.objective, u)
            self._descend(self.adam_g, self.settings.lr_g, loss)
        self.steps += 1
        self.average.update_parameters(self.g)
        return loss.item()

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Points (n, 2) of the averaged generator, always of the same noise; training goes on as if none were drawn."""
        return self.average(torch.randn(n, self.settings.latent, generator=generator(self.settings.seed, 1)))

    def _descend(self, adam: torch.optim.Adam, lr: float, loss: Tensor) -> None:
        descend(adam, loss, falling(lr, self.steps, self.settings.steps))

    def _fake(self, n: int) -> Tensor:
        return self.g(torch.randn(n, self.settings.latent, generator=self.random))

    def _batch(self) -> tuple[Tensor, Tensor]:
        n = self.settings.batch
        return self.data.sample(n, self.random), torch.rand(n, generator=self.random)


class Preset(NamedTuple):
    """Settings worth trying, their name, and what they show."""

    title: str
    settings: Settings
    why: str


PRESETS = {
    "r3gan": Preset(
        "Relativistic, R1 and R2",
        Settings(Objective("relativistic", r1=0.02, r2=0.02)),
        "Each real point must stand above the fake beside it, and D stays flat around both: nothing circles, and no "
        "mode is dropped.",
    ),
    "wasserstein-gp": Preset(
        "Wasserstein, gradient penalty",
        Settings(Objective("wasserstein", gp=0.1)),
        "The penalty asks for a slope of 1 between real and fake: G is told the way from anywhere.",
    ),
    "wasserstein-clip": Preset(
        "Wasserstein, clipped weights",
        Settings(Objective("wasserstein", clip=0.1), k=3),
        "Clipping bounds the slope too, but makes D coarse, and slow to follow.",
    ),
    "minimax": Preset(
        "Minimax (saturating)",
        Settings(Objective("minimax")),
        "Where D is sure of a fake, the loss is flat and G learns nothing there.",
    ),
    "nonsaturating": Preset(
        "Non-saturating",
        Settings(Objective("nonsaturating")),
        "Steep where D is sure of a fake; but nothing holds D back, and modes come and go.",
    ),
    "leastsquares": Preset(
        "Least squares",
        Settings(Objective("leastsquares")),
        "The further a fake's logit is from 1, the harder the pull.",
    ),
    "hinge": Preset(
        "Hinge",
        Settings(Objective("hinge")),
        "D stops caring about what it already tells apart.",
    ),
    "minibatch": Preset(
        "Minibatch discrimination",
        Settings(Objective("nonsaturating"), kernels=8, batch=128),
        "D sees how alike the points of a batch are: a collapsed G gives itself away.",
    ),
    "unrolled": Preset(
        "Unrolled",
        Settings(Objective("nonsaturating", unroll=3, unroll_lr=0.005), batch=128),
        "G foresees how D will answer, so crowding on one mode should not pay; here it helps little.",
    ),
    "collapse": Preset(
        "Cause collapse",
        Settings(Objective("nonsaturating"), lr_d=5e-5, momentum=0.9, average=0.0),
        "D learns 100 times as slowly as G, and both have momentum: G rushes to wherever D's score is highest, all its "
        "points in one heap, and chases it from mode to mode.",
    ),
    "mend": Preset(
        "Fix it",
        Settings(Objective("nonsaturating", r1=0.02, r2=0.02)),
        "The same loss, but D learns as fast as G, without momentum, and R1 and R2 keep it flat around its points.",
    ),
}
