"""Losses of discriminators and generators, and regularizers. Goodfellow 2014, "Generative Adversarial Nets", and later.

D returns a logit for each item: `real` and `fake` are the logits (B,) of data x and of samples x_fake = G(z). Losses
and regularizers are independent and can be combined. Expectations are means over the batch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrizations, parametrize

from playground.runtime import validation
from playground.runtime.labs import LABELS

Critic = Callable[[Tensor], Tensor]  # items (B, ...) -> logits (B,)


class FeatureCritic(Protocol):
    """Discriminator with access to its penultimate layer."""

    def features(self, x: Tensor) -> Tensor:
        """Return the features (B, F) of items (B, ...)."""


class Loss(NamedTuple):
    """Adversarial loss: two functions of the logits (real, fake), each (B,), that return a scalar."""

    # Losses of the two networks.
    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    uses_real: bool = False  # True where the generator's loss depends on the real items too


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """Return E[-log D(x) - log(1 - D(G(z)))], D being the sigmoid of the logit. Goodfellow 2014, eq. 1."""
    return (F.softplus(-real) + F.softplus(fake)).mean()


def saturating(real: Tensor, fake: Tensor) -> Tensor:
    """Return E[log(1 - D(G(z)))], which is flat where D is sure of a fake. Goodfellow 2014, eq. 1."""
    return -F.softplus(fake).mean()


def nonsaturating(real: Tensor, fake: Tensor) -> Tensor:
    """Return E[-log D(G(z))], which is steep where D is sure of a fake. Goodfellow 2014, section 3."""
    return F.softplus(-fake).mean()


def least_squares(real: Tensor, fake: Tensor) -> Tensor:
    """Return the squared distance of the logits from 1 for data and 0 for samples. Mao 2017, "LSGAN", eq. 9."""
    return ((real - 1).square() + fake.square()).mean() / 2


def least_squares_generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the squared distance of the logits from 1 for samples. Mao 2017, eq. 9."""
    return (fake - 1).square().mean() / 2


def hinge(real: Tensor, fake: Tensor) -> Tensor:
    """Return the hinge loss with margins 1 and -1. Lim and Ye 2017, "Geometric GAN"; Miyato 2018, eq. 16."""
    return (F.relu(1 - real) + F.relu(1 + fake)).mean()


def wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Return E[D(x_fake)] - E[D(x)]; at the optimal 1-Lipschitz D it is minus the Wasserstein distance. Arjovsky 2017,
    "Wasserstein GAN", eq. 2."""
    return (fake - real).mean()


def critic_generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return -E[D(G(z))], for Wasserstein and hinge. Arjovsky 2017, algorithm 1; Miyato 2018, eq. 17."""
    return -fake.mean()


def relativistic(real: Tensor, fake: Tensor) -> Tensor:
    """Return a logistic loss of D(x) - D(x_fake) over pairs. Jolicoeur-Martineau 2019; Huang 2024, "R3GAN", eq. 2."""
    return F.softplus(fake - real).mean()


def relativistic_generator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the same with both swapped: the non-saturating form of Huang 2024, eq. 2, as its authors train it."""
    return F.softplus(real - fake).mean()


LOSSES = {
    "minimax": Loss(cross_entropy, saturating),
    "nonsaturating": Loss(cross_entropy, nonsaturating),
    "leastsquares": Loss(least_squares, least_squares_generator_loss),
    "hinge": Loss(hinge, critic_generator_loss),
    "wasserstein": Loss(wasserstein, critic_generator_loss),
    "relativistic": Loss(relativistic, relativistic_generator_loss, uses_real=True),
}


@dataclass(frozen=True)
class Objective:
    """Objective of a training: a loss and regularizers, which are off at 0."""

    loss: str = "nonsaturating"  # One of minimax, nonsaturating, leastsquares, hinge, wasserstein and relativistic.
    clip: float = 0.0  # Largest absolute weight of D (Arjovsky 2017).
    gp: float = 0.0  # Weight lambda of the gradient penalty (Gulrajani 2017, eq. 3).
    r1: float = 0.0  # Twice the weight of the squared gradient norm at data, gamma (Mescheder 2018, eq. 9).
    r2: float = 0.0  # The same at samples (Mescheder 2018, eq. 10).
    matching: float = 0.0  # Weight of feature matching in the generator's loss (Salimans 2016).
    unroll: int = 0  # Unrolled steps of D in the generator's loss (Metz 2017).
    unroll_lr: float = 0.1  # Learning rate of the unrolled steps.

    def __post_init__(self) -> None:
        validation.check_choice("loss", self.loss, LOSSES)
        weights = dict.fromkeys(("clip", "gp", "r1", "r2", "matching", "unroll_lr"), (0.0, 1e4))
        validation.check_bounds(self, {"unroll": (0, 10)}, weights, LABELS)


def discriminator_loss(d: Critic, x: Tensor, x_fake: Tensor, objective: Objective, u: Tensor) -> Tensor:
    """Return the loss of D, a scalar:

    loss + r1 / 2 E |grad D(x)|^2 + r2 / 2 E |grad D(x_fake)|^2 + gp E (|grad D(x_hat)| - 1)^2.

    Args:
        d: The discriminator.
        x, x_fake: Real and fake items (B, ...).
        u: Uniform numbers in [0, 1] (B,), positions of the gradient penalty between fake and real items.
    """
    at_real = x.detach().requires_grad_(objective.r1 > 0)
    at_fake = x_fake if x_fake.requires_grad else x_fake.detach().requires_grad_(objective.r2 > 0)
    real, fake = d(at_real), d(at_fake)
    loss = LOSSES[objective.loss].discriminator(real, fake)
    if objective.r1:
        loss = loss + objective.r1 / 2 * squared_norm(input_gradient(real, at_real)).mean()
    if objective.r2:
        loss = loss + objective.r2 / 2 * squared_norm(input_gradient(fake, at_fake)).mean()
    if objective.gp:
        loss = loss + objective.gp * gradient_penalty(d, x, x_fake, u)
    return loss


def generator_loss(d: nn.Module, x: Tensor, x_fake: Tensor, objective: Objective, u: Tensor) -> Tensor:
    """Return the loss of the generator that sampled `x_fake`, a scalar; arguments as of `discriminator_loss`.

    The adversarial loss uses the unrolled discriminator, if there is one, and feature matching the current one.
    """
    weights = unroll_discriminator(d, x, x_fake, objective, u) if objective.unroll else {}
    critic, adversarial = with_weights(d, weights), LOSSES[objective.loss]
    fake = critic(x_fake)
    loss = adversarial.generator(critic(x) if adversarial.uses_real else fake, fake)
    if objective.matching:
        features = cast(FeatureCritic, d).features
        loss = loss + objective.matching * feature_distance(features(x), features(x_fake))
    return loss


# Regularizers of D.


def input_gradient(logits: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of each logit (B,) with respect to its item x (B, ...), itself differentiable.

    If D compares the items of a batch, it is the gradient of the sum of all logits with respect to each item.
    """
    return torch.autograd.grad(logits.sum(), x, create_graph=True)[0]


def squared_norm(gradient: Tensor) -> Tensor:
    """Return |gradient|^2 of each item (B, ...): (B,)."""
    return gradient.flatten(1).square().sum(1)


def gradient_norm(gradient: Tensor) -> Tensor:
    """Return |gradient| of each item (B, ...): (B,), twice differentiable at 0 as well."""
    return (squared_norm(gradient) + 1e-12).sqrt()


def lerp_images(x: Tensor, x_fake: Tensor, u: Tensor) -> Tensor:
    """Interpolate linearly from fake (u = 0) to real items (B, ...) by u (B,)."""
    return torch.lerp(x_fake, x, u.view(-1, *[1] * (x.dim() - 1)).to(x))


def gradient_penalty(d: Critic, x: Tensor, x_fake: Tensor, u: Tensor) -> Tensor:
    """Return E[(|grad D| - 1)^2] between fake and real items. Gulrajani 2017, "Improved Training of WGANs", eq. 3."""
    x_hat = lerp_images(x, x_fake, u)
    x_hat = x_hat if x_hat.requires_grad else x_hat.requires_grad_()
    return (gradient_norm(input_gradient(d(x_hat), x_hat)) - 1).square().mean()


@torch.no_grad()
def clip_weights(d: nn.Module, limit: float) -> None:
    """Clamp all weights to [-limit, limit]. Arjovsky 2017, algorithm 1."""
    for weight in d.parameters():
        weight.clamp_(-limit, limit)


def apply_spectral_norm(d: nn.Module) -> nn.Module:
    """Divide every weight matrix by its largest singular value, in place. Miyato 2018, "Spectral Norm", eq. 8."""
    for layer in list(d.modules()):
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            parametrizations.spectral_norm(layer)
    return d


@torch.no_grad()
def converge_spectral_norm(d: nn.Module, steps: int = 100) -> None:
    """Run power iterations until the spectral norms of D match its current weights.

    In training one iteration per step is enough; a moving average of the weights has the vectors of the last training
    weights, since buffers are copied, not averaged.
    """
    for layer in d.modules():
        if parametrize.is_parametrized(layer, "weight"):
            spectral_norms = cast(nn.ModuleDict, layer.parametrizations)
            spectral_norms.train()
            for _ in range(steps):
                _ = layer.weight  # each access takes an iteration
            spectral_norms.eval()


# Further parts of the objectives.


def feature_distance(f: Tensor, f_fake: Tensor) -> Tensor:
    """Return the squared distance of the mean features (B, F). Salimans 2016, "Improved Techniques", section 3.1."""
    return (f.mean(0) - f_fake.mean(0)).square().sum()


class MinibatchDiscrimination(nn.Module):
    """Layer that adds the similarity of an item to the others of its batch to its features, so that D can detect a
    collapsed generator: (B, F) -> (B, F + kernels). Salimans 2016, section 3.2.
    """

    def __init__(self, features: int, kernels: int, dim: int = 4):
        super().__init__()
        self.kernels = kernels
        self.project = nn.Linear(features, kernels * dim, bias=False)

    def forward(self, f: Tensor) -> Tensor:
        """Map features (B, F) to features (B, F + kernels)."""
        m = self.project(f).unflatten(1, (self.kernels, -1))  # (B, kernels, dim)
        distance = (m[:, None] - m[None]).abs().sum(3)  # (B, B, kernels)
        return torch.cat([f, (-distance).exp().sum(1) - 1], dim=1)


def unroll_discriminator(d: nn.Module, x: Tensor, x_fake: Tensor, objective: Objective, u: Tensor) -> dict[str, Tensor]:
    """Return the weights of D after further steps of gradient descent, as differentiable functions of the samples.

    Metz 2017, "Unrolled Generative Adversarial Networks", eq. 7 to 9.
    """
    weights = {name: weight.detach().requires_grad_() for name, weight in d.named_parameters()}
    for _ in range(objective.unroll):
        loss = discriminator_loss(with_weights(d, weights), x, x_fake, objective, u)
        gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        weights = {
            name: weight - objective.unroll_lr * gradient
            for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
        }
    return weights


def with_weights(d: nn.Module, weights: dict[str, Tensor]) -> Critic:
    """Return D with some weights replaced."""
    return lambda x: functional_call(d, weights, (x,))


@contextmanager
def freeze(module: nn.Module) -> Iterator[None]:
    """Freeze the weights of a module within the context; gradients still flow through it."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
