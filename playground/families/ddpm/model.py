"""Denoising diffusion in pixel space, conditional on a class or not. Ho 2020 (DDPM), Song 2021 (DDIM).

Training:  sample x0, y, t, eps;  x_t = sqrt(alpha_bar_t) x0 + sigma_t eps;  the network predicts eps (or v, or x0)
from (x_t, t, y), and minimizes the squared error.
Sampling:  start from noise and follow the network's estimates of x0 back to t = 0 (`playground.diffusion.samplers`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.diffusion.guidance import guide
from playground.diffusion.parameterization import PREDICTIONS, Prediction
from playground.diffusion.samplers import Denoiser, DenoiserOutput
from playground.diffusion.schedule import SCHEDULES, NoiseSchedule
from playground.nn.config import check_unet_config
from playground.nn.embeddings import make_time_network, sinusoidal_embedding
from playground.nn.unet import UNet
from playground.runtime import inference, validation


@dataclass(frozen=True)
class Config:
    """Configuration of a diffusion model."""

    size: int = 32  # Width and height of the images in pixels.
    channels: int = 1  # Channels of the images.
    classes: int = 10  # Number of classes; the label `classes` stands for "no class". 0 for an unconditional model.
    width: int = 64  # Channels at the highest resolution of the U-Net, a multiple of 8.
    multipliers: Sequence[int] = (1, 2)  # One for each level of the U-Net, which has `width * multiplier` channels.
    blocks: int = 2  # Residual blocks per level.
    patch: int = 2  # Width and height of the patches that become channels first.
    emb_dim: int = 256  # Dimensions of the embedding of time and class.
    dropout: float = 0.0  # Dropout probability in the residual blocks.
    prediction: str = "eps"  # "eps", "v" or "x0", see `playground.diffusion.parameterization`.
    schedule: str = "cosine"  # "cosine" or "linear", see `playground.diffusion.schedule`.
    T: int = 1000  # Number of time steps of the schedule.

    def __post_init__(self) -> None:
        check_unet_config(self, _BOUNDS)
        validation.check_number("dropout", self.dropout, 0, 1)
        validation.check_choice("prediction", self.prediction, PREDICTIONS)
        validation.check_choice("schedule", self.schedule, SCHEDULES)


_BOUNDS = {"size": (1, 1024), "channels": (1, 64), "classes": (0, 10_000), "width": (8, 2048), "blocks": (1, 8),
           "patch": (1, 32), "emb_dim": (1, 8192), "T": (1, 100_000)}  # fmt: skip


class Model(nn.Module):
    """U-Net with its noise schedule: predicts eps, v or x0 from x_t, t and the class."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.schedule = SCHEDULES[config.schedule](config.T)
        self.prediction = PREDICTIONS[config.prediction]
        self.embed_time = make_time_network(config.width, config.emb_dim)
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
        """Return the network's output (B, C, H, W) for xt (B, C, H, W), t (B,) in 1 ... T, y (B,) in 0 ... classes."""
        emb = self.embed_time(sinusoidal_embedding(t, self.config.width)) + self.embed_class(y)  # (B, D)
        return self.net(xt, emb)

    def denoiser(self, y: Tensor, w: float = 1.0, clip: bool = True) -> Denoiser:
        """Return a denoiser for classes y (B,) with classifier-free guidance.

        Args:
            w: Guidance weight: 1 is the conditional model and 0 the unconditional one, with one evaluation of the
                network; other weights need two.
            clip: Clip x0_hat to [-1, 1].
        """
        no_class = torch.full_like(y, self.config.classes)
        guided = w not in (0, 1)

        def denoise(xt: Tensor, t: int) -> DenoiserOutput:
            x, classes = (xt.repeat(2, 1, 1, 1), torch.cat([no_class, y])) if guided else (xt, y if w else no_class)
            with inference.fast_mode(x):
                out = self(x, torch.full((len(x),), t, device=x.device), classes).float()
            if guided:
                uncond, cond = out.chunk(2)
                out = guide(uncond, cond, w)
            x0_hat = self.prediction.x0_hat(out, xt, *self.schedule.coefficients(torch.tensor([t]), xt))
            return DenoiserOutput(x0_hat.clamp(-1, 1) if clip else x0_hat)

        return denoise


def loss(model: nn.Module, x0: Tensor, y: Tensor, rng: torch.Generator, class_dropout: float = 0.1) -> Tensor:
    """Return the mean squared error of the prediction at random times, a scalar. Ho 2020, eq. 14, for any prediction.

    Args:
        x0: Images (B, C, H, W) in [-1, 1].
        y: Their classes (B,).
        class_dropout: Probability of dropping a class, so that the network learns the unconditional model as well,
            which guidance needs.
    """
    inner = cast(Model, getattr(model, "module", model))
    xt, t, target = add_random_noise(x0, inner.schedule, inner.prediction, rng)
    drop = (torch.rand(len(x0), generator=rng) < class_dropout).to(y.device)
    y = torch.where(drop, inner.config.classes, y)
    return F.mse_loss(model(xt, t, y).float(), target)


def add_random_noise(
    x0: Tensor, schedule: NoiseSchedule, prediction: Prediction, rng: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Add noise to data x0 (B, ...) at random times, one in each of B equal parts of 1 ... T.

    Such times have less variance than B independent ones (Kingma 2021, "VDM", I.1).

    Returns:
        x_t (B, ...), t (B,), and the target of the prediction (B, ...).
    """
    b = len(x0)
    u = (torch.rand((), generator=rng) + torch.arange(b) / b) % 1
    t = 1 + (u * schedule.T).long().clamp(max=schedule.T - 1)
    eps = torch.randn(x0.shape, generator=rng).to(x0.device)
    target = prediction.target(x0, eps, *schedule.coefficients(t, x0))
    return schedule.add_noise(x0, t, eps), t.to(x0.device), target
