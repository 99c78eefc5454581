"""Projection of images onto a generator: the code whose picture is nearest, found by gradient descent.

A GAN has no encoder. Zhu 2016, "Generative Visual Manipulation on the Natural Image Manifold", section 4.1.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from playground.families.gan.model import Model
from playground.families.gan.sampling import Settings, labels, sample_prior
from playground.runtime.run import Frame

CANDIDATES = 64  # codes from the prior, of which the nearest are the starts
STARTS = 4  # for each image: a descent may end in a poor minimum
LEARNING_RATE, BETA_1, BETA_2 = 0.1, 0.9, 0.999  # of Adam


def project(model: Model, x: Tensor, steps: int, seed: int = 0) -> Iterator[Frame]:
    """Minimize the distance of G(z) to each image over its code z, by Adam from the nearest of some codes of the prior.

    A conditional generator keeps the classes of the starts.

    Args:
        x: Images (B, C, H, W) in [-1, 1].
        steps: Steps of the descent.
        seed: Seed of the codes of the prior.

    Yields:
        A frame for each step from 0 to `steps`, of the best codes so far: `x` is G(z) (B, C, H, W), the extras are "z"
        (B, Z) and "loss" (B,), the mean squared error.
    """
    settings = Settings(n=CANDIDATES, seed=seed)
    z, y = sample_prior(model.config.latent, settings).to(x), labels(model, settings)
    y = None if y is None else y.to(x.device)
    with torch.no_grad():
        errors = (model.generator(z, y)[None] - x[:, None]).square().mean((2, 3, 4))  # (B, CANDIDATES)
    starts = errors.topk(STARTS, largest=False).indices.flatten()  # (B * STARTS,)
    z, y = z[starts].requires_grad_(), None if y is None else y[starts]
    targets, best = x.repeat_interleave(STARTS, 0), None
    # Adam by hand (Kingma and Ba 2015, algorithm 1): torch's own spends seconds on imports at its first step.
    mean, square = torch.zeros_like(z), torch.zeros_like(z)
    for step in range(steps + 1):
        with torch.enable_grad():  # the caller of a generator may have turned gradients off
            fake = model.generator(z, y).float()
            losses = (fake - targets).square().mean((1, 2, 3))
            total = losses.sum()
        best = _best(step, fake.detach(), z.detach(), losses.detach(), best)
        yield best
        if step == steps:
            return
        (gradient,) = torch.autograd.grad(total, z)
        mean, square = mean.lerp(gradient, 1 - BETA_1), square.lerp(gradient.square(), 1 - BETA_2)
        corrected = mean / (1 - BETA_1 ** (step + 1)), square / (1 - BETA_2 ** (step + 1))
        z = (z - LEARNING_RATE * corrected[0] / (corrected[1].sqrt() + 1e-8)).detach().requires_grad_()


def _best(step: int, fake: Tensor, z: Tensor, losses: Tensor, before: Frame | None) -> Frame:
    """Return the frame of the best of the starts of each image, or of the frame before."""
    losses, start = losses.view(-1, STARTS).min(1)
    at = torch.arange(len(losses), device=start.device) * STARTS + start
    x, z = fake[at], z[at]
    if before is not None:
        improved = losses < before.extras["loss"]
        x = torch.where(improved[:, None, None, None], x, before.x)
        z = torch.where(improved[:, None], z, before.extras["z"])
        losses = torch.minimum(losses, before.extras["loss"])
    return Frame(step, 0, x, extras={"z": z, "loss": losses})
