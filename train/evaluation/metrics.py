"""Distances between two sets of features, such as the Frechet distance, precision and recall."""

import torch
from torch import Tensor

NEIGHBOURS = 5  # k, as in Naeem 2020


def frechet(real: Tensor, fake: Tensor) -> float:
    """Return the Frechet distance |mu_r - mu_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)) of features (N, D) and (M, D).

    Source: Heusel 2017 (FID), eq. 6.
    """
    real, fake = real.double(), fake.double()
    c_real, c_fake = real.T.cov(), fake.T.cov()
    root = torch.linalg.eigvals(c_real @ c_fake).real.clamp(min=0).sqrt().sum()  # eigenvalues >= 0 but for rounding
    return ((real.mean(0) - fake.mean(0)).square().sum() + c_real.trace() + c_fake.trace() - 2 * root).item()


def divergence(fake: Tensor, real: Tensor) -> float:
    """Return the Kullback-Leibler divergence of one histogram of counts (K,) from another, in nats.

    Every real class gets a pseudo-count of one, so that none has probability 0.
    """
    p, q = fake.double() / fake.sum(), (real + 1).double() / (real + 1).sum()
    return torch.special.xlogy(p, p / q).sum().item()


def neighbourhoods(real: Tensor, fake: Tensor, k: int = NEIGHBOURS, chunk: int = 1000) -> dict[str, float]:
    """Return precision, recall, density and coverage of two sets of features (N, D) and (M, D).

    A ball around each point reaches to its k-th neighbour within its own set, which has more than k points.

    Source: Kynkaanniemi 2019, "Improved Precision and Recall", eq. 1; Naeem 2020, "Reliable Fidelity and Diversity
    Metrics", eq. 2 and 3.
    """
    r_real, r_fake = radii(real, k, chunk), radii(fake, k, chunk)
    balls = torch.zeros(len(fake), device=fake.device)  # number of real points' balls that contain each fake
    recalled = covered = 0
    for part, r_part in zip(real.split(chunk), r_real.split(chunk), strict=True):
        distance = torch.cdist(part, fake)  # (chunk, M)
        inside = distance <= r_part[:, None]
        balls += inside.sum(0)
        covered += int(inside.any(1).sum())
        recalled += int((distance <= r_fake).any(1).sum())
    precision, density = (balls > 0).float().mean().item(), balls.mean().item() / k
    return {
        "precision": precision, "recall": recalled / len(real), "density": density, "coverage": covered / len(real)
    }  # fmt: skip


def radii(x: Tensor, k: int, chunk: int = 1000) -> Tensor:
    """Return the distance of each point of x (N, D) to its k-th neighbour other than itself, (N,)."""
    return torch.cat([torch.cdist(part, x).topk(k + 1, largest=False).values[:, -1] for part in x.split(chunk)])
