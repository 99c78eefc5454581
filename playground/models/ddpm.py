"""Denoising diffusion in pixel space, conditional on a class or not. Ho 2020 (DDPM), Song 2021 (DDIM).

Training:  draw x0, y, t, eps;  x_t = sqrt(alpha_bar_t) x0 + sigma_t eps;  the network predicts eps (or v, or x0)
from (x_t, t, y), and learns by the squared error.
Sampling:  start from noise and follow the network's estimates of x0 back to t = 0 (`playground.sampling`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground import compute, validation
from playground.nets import GROUPS, UNet, sinusoidal_embedding
from playground.prediction import PREDICTIONS, Prediction
from playground.sampling import SAMPLERS, Denoiser, Frame, Noise, guide
from playground.schedule import SCHEDULES, NoiseSchedule
from playground.validation import UserError


@dataclass(frozen=True)
class Config:
    """What rebuilds the network.

    Attributes:
        size, channels: of the images, (channels, size, size).
        classes: number of classes; label `classes` stands for "none". 0 makes an unconditional model.
        width, multipliers, blocks, patch, dropout: of the U-Net, see `playground.nets.UNet`.
        emb_dim: of the embedding of time and class.
        prediction: "eps", "v" or "x0", see `playground.prediction`.
        schedule, T: see `playground.schedule`.
    """

    size: int = 32
    channels: int = 1
    classes: int = 10
    width: int = 64
    multipliers: Sequence[int] = (1, 2)
    blocks: int = 2
    patch: int = 2
    emb_dim: int = 256
    dropout: float = 0.0
    prediction: str = "eps"
    schedule: str = "cosine"
    T: int = 1000

    def __post_init__(self) -> None:
        """A config may come from a file of unknown origin: what it asks for is bounded before anything is built."""
        validation.levelled(self, _BOUNDS, GROUPS)
        validation.number("dropout", self.dropout, 0, 1)
        validation.choice("prediction", self.prediction, PREDICTIONS)
        validation.choice("schedule", self.schedule, SCHEDULES)


_BOUNDS = {"size": (1, 1024), "channels": (1, 64), "classes": (0, 10_000), "width": (8, 2048), "blocks": (1, 8),
           "patch": (1, 32), "emb_dim": (1, 8192), "T": (1, 100_000)}  # fmt: skip


class Model(nn.Module):
    """The network with its schedule and its prediction: predicts eps, v or x0 from x_t, t and the class."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.schedule = SCHEDULES[config.schedule](config.T)
        self.prediction = PREDICTIONS[config.prediction]
        self.embed_time = nn.Sequential(
            nn.Linear(config.width, config.emb_dim), nn.SiLU(), nn.Linear(config.emb_dim, config.emb_dim)
        )
        self.embed_class = nn.Embedding(config.classes + 1, config.emb_dim)
        self.net = UNet(
            config.channels,
            config.width,
            config.multipliers,
            config.blocks,
            config.emb_dim,
            config.patch,
            config.dropout,
        )

    def forward(self, xt: Tensor, t: Tensor, y: Tensor) -> Tensor:
        """xt (B, C, H, W), t (B,) in 1 ... T, y (B,) in 0 ... classes -> what the network predicts (B, C, H, W)."""
        emb = self.embed_time(sinusoidal_embedding(t, self.config.width)) + self.embed_class(y)  # (B, D)
        return self.net(xt, emb)

    def denoiser(self, y: Tensor, w: float = 1.0, clip: bool = True) -> Denoiser:
        """x0_hat(x_t, t) for classes y (B,), guided by w and clipped to the range of images where asked for.

        w = 1 is the conditional model and w = 0 the unconditional one, each at the cost of one evaluation;
        any other w costs two.
        """
        none = torch.full_like(y, self.config.classes)

        def denoise(xt: Tensor, t: int) -> Tensor:
            guided = w not in (0, 1)
            x, classes = (xt.repeat(2, 1, 1, 1), torch.cat([none, y])) if guided else (xt, y if w == 1 else none)
            with compute.fast(x):
                out = self(x, torch.full((len(x),), t, device=x.device), classes).float()
            if guided:
                without, given = out.chunk(2)
                out = guide(without, given, w)
            x0_hat = self.prediction.x0_hat(out, xt, *self.schedule.coefficients(torch.tensor([t]), xt))
            return x0_hat.clamp(-1, 1) if clip else x0_hat

        return denoise


def loss(model: nn.Module, x0: Tensor, y: Tensor, generator: torch.Generator, class_dropout: float = 0.1) -> Tensor:
    """Squared error of the prediction at random times, a scalar. Ho 2020, eq. 14, for any prediction.

    Args:
        model: a `Model`, or one wrapped for several processes.
        x0: images (B, C, H, W) in [-1, 1]; y: classes (B,).
        generator: on the CPU, the only source of randomness here.
        class_dropout: share of the classes hidden, so that one network learns both models that guidance needs.
    """
    inner = cast(Model, getattr(model, "module", model))
    xt, t, target = noised(x0, inner.schedule, inner.prediction, generator)
    hide = (torch.rand(len(x0), generator=generator) < class_dropout).to(y.device)
    y = torch.where(hide, inner.config.classes, y)
    return F.mse_loss(model(xt, t, y).float(), target)


def noised(
    x0: Tensor, schedule: NoiseSchedule, prediction: Prediction, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Data x0 (B, ...) at random times: x_t, t (B,), and what the network is to predict.

    One time from each of B equal parts of 1 ... T: less variance than B independent draws (Kingma 2021, "VDM", I.1).
    """
    b = len(x0)
    u = (torch.rand((), generator=generator) + torch.arange(b) / b) % 1
    t = 1 + (u * schedule.T).long().clamp(max=schedule.T - 1)
    eps = torch.randn(x0.shape, generator=generator).to(x0.device)
    target = prediction.target(x0, eps, *schedule.coefficients(t, x0))
    return schedule.add_noise(x0, t, eps), t.to(x0.device), target


@dataclass(frozen=True)
class Settings:
    """What a user may ask of a run; checked when made, so that page, API and command line refuse alike.

    Attributes:
        n: number of pictures.
        label: a class for all of them; None lets the classes come in turn.
        sampler: a name in `playground.sampling.SAMPLERS`.
        steps: of the sampler, 1 to T; each costs one evaluation of the network (two when guided).
        eta: DDIM's stochasticity: 0 is deterministic, 1 is as noisy as DDPM.
        w: guidance weight: 0 ignores the class, 1 is the plain conditional model, more exaggerates the class.
        clip: keep each estimate of x0 in the range of images.
        seed: of the noise; picture i depends on (seed, i) alone.
    """

    n: int = 10
    label: int | None = None
    sampler: str = "ddim"
    steps: int = 20
    eta: float = 0.0
    w: float = 1.0
    clip: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        validation.keep(
            self,
            n=validation.integer("number of pictures", self.n, 1, 1_000_000),
            label=None if self.label is None else validation.integer("label", self.label, 0, 9),
            sampler=validation.choice("sampler", self.sampler, SAMPLERS),
            steps=validation.integer("steps", self.steps, 1, 1000),
            eta=validation.number("eta", self.eta, 0, 1),
            w=validation.number("guidance w", self.w, 0, 20),
            clip=validation.flag("clip", self.clip),
            seed=validation.integer("seed", self.seed, 0, validation.MAX_SEED),
        )


def labels(model: Model, settings: Settings, first: int = 0) -> Tensor:
    """The classes of the pictures first ... first + n - 1: (n,)."""
    if settings.label is not None:
        if settings.label >= model.config.classes:
            raise UserError(f"the model has no class {settings.label}: it knows {model.config.classes} classes")
        return torch.full((settings.n,), settings.label)
    return torch.arange(first, first + settings.n) % max(model.config.classes, 1)


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0) -> Iterator[Frame]:
    """Frames of a run from noise to pictures, `settings.steps` + 1 of them.

    Args:
        first: index of the first picture, for runs split into batches.
    """
    if settings.steps > model.schedule.T:
        raise UserError(f"the model has {model.schedule.T} times: ask for at most as many steps, not {settings.steps}")
    device = next(model.parameters()).device
    noise = Noise(settings.seed, settings.n, first)
    x = noise((model.config.channels, model.config.size, model.config.size), device)
    denoise = model.denoiser(labels(model, settings, first).to(device), settings.w, settings.clip)
    steps = model.schedule.steps(settings.steps)
    yield from SAMPLERS[settings.sampler](denoise, x, model.schedule, steps, noise, settings.eta)
