"""What a discriminator and a generator minimise. Goodfellow 2014, "Generative Adversarial Nets", and what came after.

D gives a logit for each item: `real` and `fake` are the logits (B,) of data x and of samples x_fake = G(z). Losses, and
what holds D back, are apart and combine freely. Expectations are means over the batch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrizations, parametrize

from playground import validation

Critic = Callable[[Tensor], Tensor]  # items (B, ...) -> logits (B,)


class Loss(NamedTuple):
    """Two functions of the logits (real, fake), each (B,), that give a scalar.

    Attributes:
        discriminator, generator: what each of them minimises.
        paired: whether the generator looks at real items too.
    """

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    paired: bool = False


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))), D being the sigmoid of the logit. Goodfellow 2014, eq. 1."""
    return (F.softplus(-real) + F.softplus(fake)).mean()


def saturating(real: Tensor, fake: Tensor) -> Tensor:
    """log(1 - D(G(z))): flat where D is sure of a fake. Goodfellow 2014, eq. 1."""
    return -F.softplus(fake).mean()


def nonsaturating(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(G(z)): steep where D is sure of a fake. Goodfellow 2014, section 3."""
    return F.softplus(-fake).mean()


def least_squares(real: Tensor, fake: Tensor) -> Tensor:
    """Logits of 1 for data and 0 for samples. Mao 2017, "Least Squares Generative Adversarial Networks", eq. 9."""
    return ((real - 1).square() + fake.square()).mean() / 2


def least_squares_generator(real: Tensor, fake: Tensor) -> Tensor:
    """Mao 2017, eq. 9."""
    return (fake - 1).square().mean() / 2


def hinge(real: Tensor, fake: Tensor) -> Tensor:
    """No more is asked of a logit beyond 1 and -1. Lim and Ye 2017, "Geometric GAN"; Miyato 2018, eq. 16."""
    return (F.relu(1 - real) + F.relu(1 + fake)).mean()


def wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """Of the best D that is 1-Lipschitz, minus the Wasserstein distance. Arjovsky 2017, "Wasserstein GAN", eq. 2."""
    return (fake - real).mean()


def raise_logits(real: Tensor, fake: Tensor) -> Tensor:
    """Arjovsky 2017, algorithm 1; Miyato 2018, eq. 17."""
    return -fake.mean()


def relativistic(real: Tensor, fake: Tensor) -> Tensor:
    """Each real item above the fake beside it. Jolicoeur-Martineau 2019; Huang 2024, "R3GAN", eq. 2."""
    return F.softplus(fake - real).mean()


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """The same with both changed round: the non-saturating form of Huang 2024, eq. 2, as its authors train it."""
    return F.softplus(real - fake).mean()


LOSSES = {
    "minimax": Loss(cross_entropy, saturating),
    "nonsaturating": Loss(cross_entropy, nonsaturating),
    "leastsquares": Loss(least_squares, least_squares_generator),
    "hinge": Loss(hinge, raise_logits),
    "wasserstein": Loss(wasserstein, raise_logits),
    "relativistic": Loss(relativistic, relativistic_generator, paired=True),
}


@dataclass(frozen=True)
class Objective:
    """A loss, and what is put beside it; 0 leaves a part out.

    Attributes:
        loss: one of `LOSSES`.
        clip: largest absolute weight of D (Arjovsky 2017).
        gp: the gradient penalty's lambda (Gulrajani 2017, eq. 3).
        r1, r2: gamma, twice the weight of the squared gradient, at data and at samples (Mescheder 2018, eq. 9 and 10).
        matching: weight of feature matching, for the generator (Salimans 2016).
        unroll: steps that the generator lets D go on in thought (Metz 2017); `unroll_lr`, their size.
    """

    loss: str = "nonsaturating"
    clip: float = 0.0
    gp: float = 0.0
    r1: float = 0.0
    r2: float = 0.0
    matching: float = 0.0
    unroll: int = 0
    unroll_lr: float = 0.1

    def __post_init__(self) -> None:
        validation.choice("loss", self.loss, LOSSES)
        real = ("clip", "gp", "r1", "r2", "matching", "unroll_lr")
        validation.keep(
            self,
            **{name: validation.number(name, getattr(self, name), 0, 1e4) for name in real},
            unroll=validation.integer("unroll", self.unroll, 0, 10),
        )


def discriminator_loss(d: Critic, x: Tensor, x_fake: Tensor, objective: Objective, u: Tensor) -> Tensor:
    """What D minimises, a scalar.

    The loss + r1 / 2 E |grad D(x)|^2 + r2 / 2 E |grad D(x_fake)|^2 + gp E (|grad D(x_hat)| - 1)^2.

    Args:
        d: the discriminator.
        x, x_fake: real and fake items (B, ...).
        u: uniform in [0, 1] (B,), where between them the gradient penalty looks.
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
    """What the generator that made `x_fake` minimises, a scalar; arguments as of `discriminator_loss`.

    The loss is that of the unrolled discriminator if there is one; features are matched in D as it is.
    """
    weights = unrolled(d, x, x_fake, objective, u) if objective.unroll else {}
    critic, chosen = with_weights(d, weights), LOSSES[objective.loss]
    fake = critic(x_fake)
    loss = chosen.generator(critic(x) if chosen.paired else fake, fake)
    if objective.matching:
        features = cast(Any, d).features
        loss = loss + objective.matching * feature_distance(features(x), features(x_fake))
    return loss


# What holds D back.


def input_gradient(logits: Tensor, x: Tensor) -> Tensor:
    """The gradient of each logit (B,) with respect to its item, as x (B, ...); itself differentiable.

    Of a D that compares the items of a batch: of all the logits together with respect to each item.
    """
    return torch.autograd.grad(logits.sum(), x, create_graph=True)[0]


def squared_norm(gradient: Tensor) -> Tensor:
    """|gradient|^2 of each item (B, ...): (B,)."""
    return gradient.flatten(1).square().sum(1)


def norm(gradient: Tensor) -> Tensor:
    """|gradient| of each item (B, ...): (B,); where that is 0, it can still be differentiated twice."""
    return (squared_norm(gradient) + 1e-12).sqrt()


def between(x: Tensor, x_fake: Tensor, u: Tensor) -> Tensor:
    """Points at shares u (B,) of the way from fake to real items (B, ...)."""
    return torch.lerp(x_fake, x, u.view(-1, *[1] * (x.dim() - 1)).to(x))


def gradient_penalty(d: Critic, x: Tensor, x_fake: Tensor, u: Tensor) -> Tensor:
    """(|grad D| - 1)^2 between real and fake items. Gulrajani 2017, "Improved Training of Wasserstein GANs", eq. 3."""
    x_hat = between(x, x_fake, u)
    x_hat = x_hat if x_hat.requires_grad else x_hat.requires_grad_()
    return (norm(input_gradient(d(x_hat), x_hat)) - 1).square().mean()


@torch.no_grad()
def clip_weights(d: nn.Module, largest: float) -> None:
    """Arjovsky 2017, algorithm 1."""
    for weight in d.parameters():
        weight.clamp_(-largest, largest)


def normalize_spectrally(d: nn.Module) -> nn.Module:
    """Divide every weight matrix by its largest singular value. Miyato 2018, "Spectral Normalization", eq. 8."""
    for layer in list(d.modules()):
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            parametrizations.spectral_norm(layer)
    return d


@torch.no_grad()
def settle_spectral_norm(d: nn.Module, steps: int = 100) -> None:
    """Power iterations until D is divided by the norms of the weights that it has now.

    In training one iteration a step keeps up; in a moving average the vectors are averages of unit vectors, and too
    short.
    """
    for layer in d.modules():
        if parametrize.is_parametrized(layer, "weight"):
            norm = cast(nn.ModuleDict, layer.parametrizations)
            norm.train()
            for _ in range(steps):
                _ = layer.weight  # computed afresh, with an iteration
            norm.eval()


# What the generator gets besides.


def feature_distance(f: Tensor, f_fake: Tensor) -> Tensor:
    """Squared distance of the mean features (B, F). Salimans 2016, "Improved Techniques for Training GANs", 3.1."""
    return (f.mean(0) - f_fake.mean(0)).square().sum()


class MinibatchDiscrimination(nn.Module):
    """Tells D how alike the items of a batch are: G cannot make the same one always. Salimans 2016, section 3.2.

    Features (B, F) -> (B, F + kernels).
    """

    def __init__(self, features: int, kernels: int, dim: int = 4):
        super().__init__()
        self.kernels = kernels
        self.project = nn.Linear(features, kernels * dim, bias=False)

    def forward(self, f: Tensor) -> Tensor:
        m = self.project(f).unflatten(1, (self.kernels, -1))  # (B, kernels, dim)
        distance = (m[:, None] - m[None]).abs().sum(3)  # (B, B, kernels)
        return torch.cat([f, (-distance).exp().sum(1) - 1], dim=1)


def unrolled(d: nn.Module, x: Tensor, x_fake: Tensor, objective: Objective, u: Tensor) -> dict[str, Tensor]:
    """The weights of D after some more steps of gradient descent, as functions of the samples.

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
    """D with other weights, those that there are."""
    return lambda x: functional_call(d, weights, (x,))


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Within, gradients pass through a module and none are left in it."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)
