"""Adversarial training in the plane, step by step: two perceptrons, and data of a known density."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from playground.datasets.densities import Density
from playground.families.gan import losses
from playground.families.gan.losses import MinibatchDiscrimination, Objective
from playground.runtime import validation
from playground.runtime.averaging import ema
from playground.runtime.labs import LABELS, linear_decay, optimizer_step, seeded_init
from playground.runtime.rng import make_rng

MAX_POINTS = 20 * 1024  # evaluations of D in a step, unrolled steps included
MAX_DISTANCES = 2**22  # pairwise distances of minibatch discrimination in memory at once


@dataclass(frozen=True)
class Settings:
    """Settings of a training, checked when made."""

    objective: Objective = field(default_factory=Objective)  # loss and regularizers
    spectral: bool = False  # apply spectral normalization to D
    kernels: int = 0  # kernels of minibatch discrimination; 0 for none
    k: int = 1  # steps of D per step of G
    # Learning rates of Adam, which decay linearly to 0.
    lr_d: float = 5e-3
    lr_g: float = 5e-3
    momentum: float = 0.0  # Adam's beta_1
    latent: int = 2  # dimensions of the noise z
    width: int = 64  # width of the three hidden layers of each network
    batch: int = 256  # points per step
    steps: int = 8_000  # steps of G in the whole training
    ema_decay: float = 0.998  # decay of the moving average of G, whose points are shown; 0 for G itself
    seed: int = 0  # seed of the weights, the data and the noise

    def __post_init__(self) -> None:
        integers = {"kernels": (0, 64), "k": (1, 20), "latent": (1, 256), "width": (4, 256), "batch": (8, 1024),
                    "steps": (1, 50_000), "seed": (0, validation.MAX_SEED)}  # fmt: skip
        numbers = {"lr_d": (1e-6, 1.0), "lr_g": (1e-6, 1.0), "momentum": (0.0, 0.99), "ema_decay": (0.0, 0.9999)}
        validation.check_flag("spectral", self.spectral)
        validation.check_bounds(self, integers, numbers, LABELS)
        if self.spectral and self.objective.clip:
            raise validation.UserError("spectral normalization undoes weight clipping: choose one of them")
        unrolled = 1 + self.objective.unroll
        if self.k * unrolled * self.batch > MAX_POINTS or self.kernels * unrolled * self.batch**2 > MAX_DISTANCES:
            raise validation.UserError(
                "a step needs too much time or memory: lower batch size, kernels, unrolled steps or steps of D"
            )


class Generator(nn.Sequential):
    """Generator: z (B, Z) -> points (B, 2)."""

    def __init__(self, latent: int, width: int):
        super().__init__(*_layers([latent, width, width, width]), nn.Linear(width, 2))


class Discriminator(nn.Module):
    """Discriminator: points (B, 2) -> logits (B,)."""

    def __init__(self, width: int, kernels: int = 0):
        super().__init__()
        self.hidden = nn.Sequential(*_layers([2, width, width, width]))
        if kernels:
            self.hidden.append(MinibatchDiscrimination(width, kernels))
        self.head = nn.Linear(width + kernels, 1)

    def features(self, x: Tensor) -> Tensor:
        """Return the last hidden layer (B, F) for points (B, 2)."""
        return self.hidden(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map points (B, 2) to logits (B,)."""
        return self.head(self.features(x))[:, 0]


def _layers(widths: list[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return layers


class Lab:
    """Training of both networks, step by step."""

    def __init__(self, data: Density, settings: Settings):
        self.data, self.settings = data, settings
        self.rng = make_rng(settings.seed)
        with seeded_init(settings.seed):
            self.g = Generator(settings.latent, settings.width)
            self.d = Discriminator(settings.width, settings.kernels)
            if settings.spectral:
                losses.apply_spectral_norm(self.d)
        self.ema = ema(self.g, settings.ema_decay)
        betas = settings.momentum, 0.99
        self.optimizer_d = torch.optim.Adam(self.d.parameters(), lr=settings.lr_d, betas=betas, fused=True)
        self.optimizer_g = torch.optim.Adam(self.g.parameters(), lr=settings.lr_g, betas=betas, fused=True)
        self.steps, self.limit = 0, settings.steps

    def step(self) -> dict[str, float]:
        """Take k steps of D and one of G, and return the last loss of each; raise DivergenceError at an infinite
        one."""
        for _ in range(self.settings.k):
            loss_d = self.step_d()
        return {"D": loss_d, "G": self.step_g()}

    def step_d(self) -> float:
        """Take one step of D and return its loss."""
        real, u = self._batch()
        with torch.no_grad():
            fake = self._fake(len(real))
        loss = losses.discriminator_loss(self.d, real, fake, self.settings.objective, u)
        self._optimizer_step(self.optimizer_d, self.settings.lr_d, loss)
        if self.settings.objective.clip:
            losses.clip_weights(self.d, self.settings.objective.clip)
        return loss.item()

    def step_g(self) -> float:
        """Take one step of G, by which the training is counted, and return its loss."""
        real, u = self._batch()
        with losses.freeze(self.d):
            loss = losses.generator_loss(self.d, real, self._fake(len(real)), self.settings.objective, u)
            self._optimizer_step(self.optimizer_g, self.settings.lr_g, loss)
        self.steps += 1
        self.ema.update_parameters(self.g)
        return loss.item()

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """Sample points (n, 2) from the averaged generator, always from the same noise; the training is unaffected."""
        return self.ema(torch.randn(n, self.settings.latent, generator=make_rng(self.settings.seed, 1)))

    @torch.no_grad()
    def warp(self, z: Tensor) -> Tensor:
        """Map noise (..., 2) to points (..., 2) by the averaged generator: its first two numbers, the others being 0; a
        generator of one number ignores the second."""
        others = torch.zeros(*z.shape[:-1], max(self.settings.latent - 2, 0))
        return self.ema(torch.cat([z[..., : self.settings.latent], others], dim=-1))

    def _optimizer_step(self, optimizer: torch.optim.Adam, lr: float, loss: Tensor) -> None:
        optimizer_step(optimizer, loss, linear_decay(lr, self.steps, self.settings.steps))

    def _fake(self, n: int) -> Tensor:
        return self.g(torch.randn(n, self.settings.latent, generator=self.rng))

    def _batch(self) -> tuple[Tensor, Tensor]:
        n = self.settings.batch
        return self.data.sample(n, self.rng), torch.rand(n, generator=self.rng)


class Preset(NamedTuple):
    """Settings worth trying, with a title and an explanation of their effect."""

    title: str
    settings: Settings
    explanation: str


PRESETS = {
    "r3gan": Preset(
        "Relativistic, R1 and R2",
        Settings(Objective("relativistic", r1=0.02, r2=0.02)),
        "D compares each real point with a fake one, and the penalties keep it flat around both: the training does not "
        "oscillate and drops no mode.",
    ),
    "wasserstein-gp": Preset(
        "Wasserstein, gradient penalty",
        Settings(Objective("wasserstein", gp=0.1)),
        "The penalty asks for a slope of 1 between real and fake points: G gets a useful gradient everywhere.",
    ),
    "wasserstein-clip": Preset(
        "Wasserstein, clipped weights",
        Settings(Objective("wasserstein", clip=0.1), k=3),
        "Clipping bounds the slope too, but D becomes coarse and slow to adapt.",
    ),
    "minimax": Preset(
        "Minimax (saturating)",
        Settings(Objective("minimax")),
        "Where D is sure of a fake, the loss is flat and G learns nothing.",
    ),
    "nonsaturating": Preset(
        "Non-saturating",
        Settings(Objective("nonsaturating")),
        "Steep where D is sure of a fake; but D is not regularized, and modes come and go.",
    ),
    "leastsquares": Preset(
        "Least squares",
        Settings(Objective("leastsquares")),
        "The further a fake's logit is from 1, the larger its gradient.",
    ),
    "hinge": Preset(
        "Hinge",
        Settings(Objective("hinge")),
        "D ignores points that it already classifies with a margin.",
    ),
    "minibatch": Preset(
        "Minibatch discrimination",
        Settings(Objective("nonsaturating"), kernels=8, batch=128),
        "D sees how similar the points of a batch are, and so detects a collapsed G.",
    ),
    "unrolled": Preset(
        "Unrolled",
        Settings(Objective("nonsaturating", unroll=3, unroll_lr=0.005), batch=128),
        "G takes the next steps of D into account, so collapsing to one mode should not pay; here it helps little.",
    ),
    "collapse": Preset(
        "Cause collapse",
        Settings(Objective("nonsaturating"), lr_d=5e-5, momentum=0.9, ema_decay=0.0),
        "D learns 100 times as slowly as G, and both have momentum: all points of G collapse to where D's logit is "
        "highest, and chase it from mode to mode.",
    ),
    "fix": Preset(
        "Fix it",
        Settings(Objective("nonsaturating", r1=0.02, r2=0.02)),
        "The same loss, but D learns as fast as G, without momentum, and R1 and R2 keep it flat around its points.",
    ),
}
