"""Training objectives: ELBO, total correlation (Chen 2018), importance-weighted bound (Burda 2016)."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import Tensor, nn

from playground.families.vae import elbo
from playground.families.vae.bounds import compute_terms
from playground.families.vae.elbo import Terms, VAEOutput
from playground.families.vae.model import Model
from playground.runtime import validation
from playground.runtime.validation import UserError


@dataclass(frozen=True)
class Objective:
    """Training objective."""

    kind: str = "elbo"  # "elbo", "tc" or "iwae", see `OBJECTIVES`.
    beta: float = 1.0  # Weight of the KL (Higgins 2017), or of its total correlation alone (kind "tc").
    samples: int = 1  # Number K of codes sampled per image.
    # Nats of each dimension that have no cost (Kingma 2016, "Inverse Autoregressive Flow", eq. 15).
    free_bits: float = 0.0
    warmup: int = 0  # Steps over which beta rises from 0.
    n: int = 60_000  # Images in the data set (kind "tc").

    def __post_init__(self) -> None:
        validation.check_choice("objective", self.kind, OBJECTIVES)
        integers = {"samples": (1, 10_000), "warmup": (0, 10**9), "n": (2, 10**9)}
        validation.check_bounds(self, integers, {"beta": (0.0, 1e6), "free_bits": (0.0, 1e6)})
        unused = {"elbo": ["n"], "tc": ["free_bits"], "iwae": ["beta", "free_bits", "warmup", "n"]}[self.kind]
        for field in fields(self):
            if field.name in unused and getattr(self, field.name) != field.default:
                raise UserError(f"the objective {self.kind!r} takes no {field.name}")


def _elbo(output: VAEOutput, terms: Terms, objective: Objective, beta: float) -> Tensor:
    kl = terms.kl.mean(0).clamp(min=objective.free_bits).sum()
    return beta * kl - terms.reconstruction.mean()


def _tc(output: VAEOutput, terms: Terms, objective: Objective, beta: float) -> Tensor:
    kl = elbo.decompose_kl(output, objective.n)
    return kl.index_code + beta * kl.total_correlation + kl.dimension_wise - terms.reconstruction.mean()


def _iwae(output: VAEOutput, terms: Terms, objective: Objective, beta: float) -> Tensor:
    return -terms.iwae.mean()


OBJECTIVES: dict[str, Callable[[VAEOutput, Terms, Objective, float], Tensor]] = {
    "elbo": _elbo,
    "tc": _tc,
    "iwae": _iwae,
}


def loss(
    model: nn.Module, x: Tensor, rng: torch.Generator, objective: Objective | None = None, step: int = 0
) -> Tensor:
    """Return the negative objective of images x (B, C, H, W) in [-1, 1] at a training step, for the warm-up: a scalar
    in nats per image."""
    inner, objective = cast(Model, getattr(model, "module", model)), objective or Objective()
    eps = torch.randn(objective.samples, len(x), inner.config.latent, generator=rng).to(x.device)
    output = VAEOutput(*model(x, eps))
    beta = objective.beta * min(1.0, (step + 1) / max(objective.warmup, 1))
    return OBJECTIVES[objective.kind](output, compute_terms(inner, x, output), objective, beta)
