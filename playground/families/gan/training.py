"""Losses of both networks on a batch, and progressive growing."""

import torch
import torch.nn.functional as F
from torch import Tensor

from playground.families.gan import losses
from playground.families.gan.losses import Objective
from playground.families.gan.model import BASE_SIZE, ConditionedDiscriminator, Config, GrowthStage, Model


def discriminator_loss(
    model: Model,
    x: Tensor,
    y: Tensor | None,
    objective: Objective,
    rng: torch.Generator,
    stage: GrowthStage | None = None,
) -> Tensor:
    """Return the loss of D on a batch, a scalar, without gradients in G.

    Args:
        x: Images (B, C, H, W) in [-1, 1].
        y: Their classes (B,).
        stage: Stage of progressive growing.
    """
    x, u = resize_to_stage(x, stage), torch.rand(len(x), generator=rng)
    with torch.no_grad():
        x_fake = _generate(model, len(x), y, rng, stage)
    return losses.discriminator_loss(ConditionedDiscriminator(model.discriminator, y, stage), x, x_fake, objective, u)


def generator_loss(
    model: Model,
    x: Tensor,
    y: Tensor | None,
    objective: Objective,
    rng: torch.Generator,
    stage: GrowthStage | None = None,
) -> Tensor:
    """Return the loss of G on a batch, a scalar, without gradients in D; arguments as of `discriminator_loss`."""
    x, u = resize_to_stage(x, stage), torch.rand(len(x), generator=rng)
    with losses.freeze(model.discriminator):
        x_fake = _generate(model, len(x), y, rng, stage)
        return losses.generator_loss(ConditionedDiscriminator(model.discriminator, y, stage), x, x_fake, objective, u)


def _generate(model: Model, n: int, y: Tensor | None, rng: torch.Generator, stage: GrowthStage | None) -> Tensor:
    z = torch.randn(n, model.config.latent, generator=rng).to(next(model.parameters()).device)
    return model.generator(z, y, stage).float()


def growth_stage(config: Config, progress: float) -> GrowthStage | None:
    """Return the stage of progressive growing at a progress of the training from 0 to 1; None for other models.

    The first half of the training is divided equally among the resolutions, each of which is faded in over the first
    half of its part; the second half is for the last one. Karras 2018, "Progressive Growing of GANs", section 2 and
    appendix A.
    """
    if not config.progressive:
        return None
    part = 2 * progress * config.stages
    index = min(int(part), config.stages - 1)
    return GrowthStage(index, min(1.0, 2 * (part - index)) if index else 1.0)


def resize_to_stage(x: Tensor, stage: GrowthStage | None) -> Tensor:
    """Downsample images (B, C, H, W) to the resolution of a stage, with its finest details weighted by alpha."""
    if stage is None:
        return x
    x = F.adaptive_avg_pool2d(x, BASE_SIZE * 2**stage.level)
    if stage.alpha == 1:
        return x
    return torch.lerp(F.interpolate(F.avg_pool2d(x, 2), scale_factor=2), x, stage.alpha)
