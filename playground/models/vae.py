"""The variational autoencoder. Kingma and Welling 2014, "Auto-Encoding Variational Bayes".

x is an image and z its latent code. The encoder gives q(z|x) = N(mu, diag(sigma^2)), the decoder p(x|z), and the prior
is p(z) = N(0, I). Every bound and every term of it is in nats an image. Shapes: B batch, Z latent dimensions,
K samples of z for an image.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground import compute, elbo, validation
from playground.elbo import Pass, Terms
from playground.nets import GROUPS, contracting, expanding
from playground.sampling import Noise
from playground.validation import UserError

LIKELIHOODS = ("bernoulli", "gaussian", "learned gaussian")
PRIORS = ("normal", "mixture")
DEAD = 0.05  # nats of KL, below which a dimension says nothing of the image


@dataclass(frozen=True)
class Config:
    """What rebuilds a model.

    Attributes:
        size: of the square images; channels: of them.
        latent: dimensions of z.
        width, multipliers: channels of each level; the resolution halves from a level to the next.
        blocks: residual blocks of a level.
        patch: pixels a side that the first convolution takes in one, see `playground.nets.UNet`.
        broadcast: whether the decoder is told the code and the place at every place, instead of a map made of the code:
            where a shape is then is one dimension's affair.
        likelihood: p(x|z): "bernoulli" (pixels as shares of white), "gaussian" with standard deviation `sigma`, or
            "learned gaussian", whose one standard deviation starts there.
        components: of the Gaussian mixture that may be fitted to the codes; 0 for none.
        kept: codes of test images that the checkpoint keeps, for maps and histograms without the data.
    """

    size: int = 28
    channels: int = 1
    latent: int = 20
    width: int = 32
    multipliers: Sequence[int] = (1, 2)
    blocks: int = 1
    patch: int = 2
    broadcast: bool = False
    likelihood: str = "bernoulli"
    sigma: float = 1.0
    components: int = 0
    kept: int = 0

    def __post_init__(self) -> None:
        """A config may come from a file of unknown origin: what it asks for is bounded before anything is built."""
        validation.levelled(self, _BOUNDS, GROUPS)
        validation.flag("broadcast", self.broadcast)
        validation.choice("likelihood", self.likelihood, LIKELIHOODS)
        validation.number("sigma", self.sigma, 1e-3, 10)


_BOUNDS = {"size": (1, 256), "channels": (1, 16), "latent": (1, 1024), "width": (8, 1024), "blocks": (1, 8),
           "patch": (1, 32), "components": (0, 1000), "kept": (0, 100_000)}  # fmt: skip


def encoder(config: Config) -> nn.Sequential:
    """Images (B, C, H, W) -> mu and log sigma^2, side by side (B, 2 Z)."""
    features = config.width * config.multipliers[-1] * lowest(config) ** 2
    return nn.Sequential(*contracting(*_levels(config)), nn.Flatten(), nn.Linear(features, 2 * config.latent))


def decoder(config: Config) -> nn.Sequential:
    """Codes (B, Z) -> the parameters of p(x|z) (B, C, H, W): logits for Bernoulli, means for Gaussian pixels."""
    c, side = config.width * config.multipliers[-1], lowest(config)
    first: list[nn.Module] = (
        [Broadcast(side), nn.Conv2d(config.latent + 2, c, 1)]
        if config.broadcast
        else [nn.Linear(config.latent, c * side**2), nn.Unflatten(1, (c, side, side))]
    )
    return nn.Sequential(*first, *expanding(*_levels(config)))


def _levels(config: Config) -> tuple[int, int, Sequence[int], int, int]:
    return config.channels, config.width, config.multipliers, config.blocks, config.patch


class Broadcast(nn.Module):
    """A code at every place, and the place beside it: (B, Z) -> (B, Z + 2, side, side).

    Watters 2019, "Spatial Broadcast Decoder", algorithm 1.
    """

    places: Tensor  # (2, side, side), x and y from -1 to 1

    def __init__(self, side: int):
        super().__init__()
        line = torch.linspace(-1, 1, side)
        self.register_buffer("places", torch.empty(2, side, side))
        self.places[0], self.places[1] = line, line[:, None]

    def forward(self, z: Tensor) -> Tensor:
        side = self.places.shape[-1]
        code = z[:, :, None, None].expand(-1, -1, side, side)
        return torch.cat([code, self.places.to(z).expand(len(z), -1, -1, -1)], dim=1)


def lowest(config: Config) -> int:
    """The resolution at the lowest level."""
    return config.size // config.patch // 2 ** (len(config.multipliers) - 1)


class Model(nn.Module):
    """Encoder and decoder, the standard deviation of Gaussian pixels, and what was measured of them after training: if
    the config asks for them, a mixture fitted to the codes, and the codes, classes and bounds of some test images.
    """

    mixture_weights: Tensor  # (M,)
    mixture_means: Tensor  # (M, Z)
    mixture_roots: Tensor  # (M, Z, Z), lower triangular: root @ root.T is the covariance
    kl: Tensor  # (Z,), mean over test images, in nats
    kept_mu: Tensor  # (N, Z)
    kept_class: Tensor  # (N,), uint8
    kept_elbo: Tensor  # (N,), nats

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.encoder = encoder(config)
        self.decoder = decoder(config)
        log_sigma = torch.tensor(math.log(config.sigma))
        self.log_sigma = nn.Parameter(log_sigma, requires_grad=config.likelihood == "learned gaussian")
        m, z = config.components, config.latent
        self.register_buffer("kl", torch.zeros(z))
        if m:  # safetensors takes empty tensors for one and the same
            self.register_buffer("mixture_weights", torch.full((m,), 1 / m))
            self.register_buffer("mixture_means", torch.zeros(m, z))
            self.register_buffer("mixture_roots", torch.zeros(m, z, z))
        if config.kept:
            self.register_buffer("kept_mu", torch.zeros(config.kept, z))
            self.register_buffer("kept_class", torch.zeros(config.kept, dtype=torch.uint8))
            self.register_buffer("kept_elbo", torch.zeros(config.kept))

    def forward(self, x: Tensor, eps: Tensor) -> Pass:
        """Images x (B, C, H, W) in [-1, 1] and noise eps (K, B, Z); z = mu + sigma eps, eq. 10."""
        mu, log_var = self.encode(x)
        z = mu + (log_var / 2).exp() * eps  # (K, B, Z)
        return Pass(mu, log_var, z, self.decode(z))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma^2 of q(z|x), each (B, Z)."""
        mu, log_var = self.encoder(x).float().chunk(2, dim=1)
        return mu, log_var

    def decode(self, z: Tensor) -> Tensor:
        """Codes (..., Z) -> parameters of p(x|z) (..., C, H, W)."""
        return self.decoder(z.reshape(-1, z.shape[-1])).float().unflatten(0, z.shape[:-1])

    def mean(self, out: Tensor) -> Tensor:
        """E[x|z] in [-1, 1], which is what is shown, from what `decode` gives."""
        return torch.tanh(out / 2) if self.config.likelihood == "bernoulli" else out

    def log_likelihood(self, x: Tensor, out: Tensor) -> Tensor:
        """log p(x|z) of images (B, C, H, W) for what `decode` gave (K, B, C, H, W): (K, B) nats.

        Of grey pixels a Bernoulli likelihood is the mean over the binary images drawn from them.
        """
        if self.config.likelihood == "bernoulli":
            target = ((x + 1) / 2).expand_as(out)
            return -F.binary_cross_entropy_with_logits(out, target, reduction="none").flatten(2).sum(2)
        return elbo.normal_log_density(x, out, 2 * self.log_sigma).flatten(2).sum(2)


# The bounds.


def terms(model: Model, x: Tensor, made: Pass) -> Terms:
    """The terms of the bounds for images x (B, C, H, W) and a pass of them."""
    return elbo.terms(made, model.log_likelihood(x, made.out))


@torch.no_grad()
def sampled_terms(model: Model, x: Tensor, k: int, generator: torch.Generator, at_once: int = 20) -> Iterator[Terms]:
    """The terms of the bounds at k codes of each image x (B, C, H, W), some at a time.

    In single precision: what is lost of each sample in half precision would be found in the importance-weighted bound.

    Args:
        generator: on the CPU.
    """
    for start in range(0, k, at_once):
        eps = torch.randn(min(at_once, k - start), len(x), model.config.latent, generator=generator).to(x.device)
        yield terms(model, x, model(x, eps))


def importance_bound(model: Model, x: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """The importance-weighted bound of k samples (B,), of images x (B, C, H, W) in [-1, 1]. Burda 2016, eq. 8.

    For large k it is log p(x). The generator is on the CPU.
    """
    total = torch.full((len(x),), -torch.inf, device=x.device)
    for parts in sampled_terms(model, x, k, generator):
        total = torch.logaddexp(total, (parts.reconstruction + parts.log_ratio).logsumexp(0))
    return total - math.log(k)


# The objectives: what training minimises, each of the terms and a pass.


@dataclass(frozen=True)
class Objective:
    """What training minimises.

    Attributes:
        kind: "elbo", "tc" or "iwae", see `OBJECTIVES`.
        beta: weight of the KL (Higgins 2017), or of its total correlation alone (kind "tc").
        samples: codes drawn for an image, K.
        free_bits: nats a dimension that cost nothing (Kingma 2016, "Inverse Autoregressive Flow", eq. 15).
        warmup: steps over which beta rises from 0.
        n: images in the data set (kind "tc").
    """

    kind: str = "elbo"
    beta: float = 1.0
    samples: int = 1
    free_bits: float = 0.0
    warmup: int = 0
    n: int = 60_000

    def __post_init__(self) -> None:
        validation.choice("objective", self.kind, OBJECTIVES)
        idle = {"elbo": [], "tc": ["free_bits"], "iwae": ["beta", "free_bits", "warmup"]}[self.kind]
        for field in fields(self):
            if field.name in idle and getattr(self, field.name) != field.default:
                raise UserError(f"the objective {self.kind!r} takes no {field.name}")


def _elbo(made: Pass, parts: Terms, objective: Objective, beta: float) -> Tensor:
    kl = parts.kl.mean(0).clamp(min=objective.free_bits).sum()
    return beta * kl - parts.reconstruction.mean()


def _tc(made: Pass, parts: Terms, objective: Objective, beta: float) -> Tensor:
    kl = elbo.split(made, objective.n)
    return kl.index_code + beta * kl.total_correlation + kl.dimension_wise - parts.reconstruction.mean()


def _iwae(made: Pass, parts: Terms, objective: Objective, beta: float) -> Tensor:
    return -parts.iwae.mean()


OBJECTIVES: dict[str, Callable[[Pass, Terms, Objective, float], Tensor]] = {"elbo": _elbo, "tc": _tc, "iwae": _iwae}


def loss(
    model: nn.Module, x: Tensor, generator: torch.Generator, objective: Objective | None = None, step: int = 0
) -> Tensor:
    """The negative objective of a batch, a scalar in nats an image.

    Args:
        model: a `Model`, or one wrapped for several processes.
        x: images (B, C, H, W) in [-1, 1].
        generator: on the CPU, the only source of randomness here.
        step: of the training, for the warm-up.
    """
    inner, objective = cast(Model, getattr(model, "module", model)), objective or Objective()
    eps = torch.randn(objective.samples, len(x), inner.config.latent, generator=generator).to(x.device)
    made = Pass(*model(x, eps))
    beta = objective.beta * min(1.0, (step + 1) / max(objective.warmup, 1))
    return OBJECTIVES[objective.kind](made, terms(inner, x, made), objective, beta)


# Samples.


@dataclass(frozen=True)
class Settings:
    """What a user may ask of a run; checked when made, so that page, API and command line refuse alike.

    Attributes:
        n: number of pictures.
        prior: where codes come from: "normal", N(0, I), or "mixture", the one fitted to the codes of the data.
        temperature: multiplies the standard deviation of the codes.
        seed: of the noise; picture i depends on (seed, i) alone.
    """

    n: int = 16
    prior: str = "normal"
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.keep(
            self,
            n=validation.integer("number of pictures", self.n, 1, 1_000_000),
            prior=validation.choice("prior", self.prior, PRIORS),
            temperature=validation.number("temperature", self.temperature, 0, 3),
            seed=validation.integer("seed", self.seed, 0, validation.MAX_SEED),
        )


class Frame(NamedTuple):
    """The only frame of a run: codes z (B, Z) and their pictures x (B, C, H, W)."""

    z: Tensor
    x: Tensor


@torch.no_grad()
def sample(model: Model, settings: Settings, first: int = 0) -> Iterator[Frame]:
    """Codes from the prior, decoded.

    Args:
        first: index of the first picture, for runs split into batches.
    """
    z = codes(model, settings, first).to(model.log_sigma.device)
    with compute.fast(z):
        x = model.mean(model.decode(z))
    yield Frame(z, x.clamp(-1, 1))


def codes(model: Model, settings: Settings, first: int = 0) -> Tensor:
    """Codes from the prior (n, Z)."""
    noise = Noise(settings.seed, settings.n, first)
    eps = settings.temperature * noise((model.config.latent,))
    if settings.prior == "normal":
        return eps
    if not model.config.components:
        raise UserError("this model has no mixture fitted to its codes: choose the normal prior")
    u = torch.stack([torch.rand((), generator=g) for g in noise.generators])
    edges = model.mixture_weights.cpu().float().cumsum(0)
    which = torch.searchsorted(edges / edges[-1], u).clamp(max=len(edges) - 1)
    means, roots = model.mixture_means.cpu()[which], model.mixture_roots.cpu()[which]
    return means + (roots @ eps[..., None])[..., 0]
