"""Ways from one latent code to another."""

import torch
from torch import Tensor


def straight(a: Tensor, b: Tensor, n: int) -> Tensor:
    """n codes on the line from a (Z,) to b (Z,), ends included: (n, Z)."""
    return torch.lerp(a, b, torch.linspace(0, 1, n)[:, None])


def spherical(a: Tensor, b: Tensor, n: int) -> Tensor:
    """n codes on the arc from a (Z,) to b (Z,), ends included: (n, Z). Shoemake 1985 ("slerp").

    In many dimensions the codes of a Gaussian prior lie near a sphere; the line passes through its empty middle.
    """
    on_a, on_b = spherical_weights(a, b, n)
    return on_a[:, None] * a + on_b[:, None] * b


def spherical_weights(a: Tensor, b: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """What a and b are multiplied by along the arc, each (n,).

    Parallel codes have no arc between them: for those it is the line.
    """
    t = torch.linspace(0, 1, n)
    angle = torch.arccos((torch.dot(a, b) / (a.norm() * b.norm()).clamp(min=1e-12)).clamp(-1, 1))
    if angle.sin() < 1e-4:
        return 1 - t, t
    return ((1 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin()
