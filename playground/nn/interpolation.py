"""Paths from one latent code to another."""

import torch
from torch import Tensor

from playground.runtime.formula import Formula

_ARC = "z = (sin (1 − α)Ω / sin Ω) z_0 + (sin αΩ / sin Ω) z_1"
SLERP = Formula(f"{_ARC}, α = {{share}}", source="Shoemake 1985")


def lerp(a: Tensor, b: Tensor, n: int) -> Tensor:
    """Interpolate on the line from a (Z,) to b (Z,), ends included: (n, Z)."""
    return torch.lerp(a, b, torch.linspace(0, 1, n)[:, None])


def slerp(a: Tensor, b: Tensor, n: int) -> Tensor:
    """Interpolate on the arc from a (Z,) to b (Z,), ends included: (n, Z). Shoemake 1985 ("slerp").

    In many dimensions the codes of a Gaussian prior lie near a sphere; the line passes through its empty middle.
    """
    on_a, on_b = slerp_weights(a, b, n)
    return on_a[:, None] * a + on_b[:, None] * b


def slerp_weights(a: Tensor, b: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return the weights of a and b along the arc, each (n,).

    Parallel codes have no arc between them: they get the weights of the line.
    """
    t = torch.linspace(0, 1, n)
    angle = torch.arccos((torch.dot(a, b) / (a.norm() * b.norm()).clamp(min=1e-12)).clamp(-1, 1))
    if angle.sin() < 1e-4:
        return 1 - t, t
    return ((1 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin()


def path_formulas(line: str, arc: str, codes: str) -> list[Formula]:
    """Return the formulas of both paths from z_0 to z_1.

    Args:
        line, arc: Names of the paths.
        codes: Meaning of z_0 and z_1, in words.
    """
    where = f"z_0, z_1: {codes} · α: share of the way · Ω: angle between them"
    return [
        Formula(f"{line}: z = (1 − α) z_0 + α z_1", "= {less} z_0 + {share} z_1"),
        Formula(f"{arc}: {_ARC}", "= {on_first} z_0 + {on_second} z_1", SLERP.source, where),
    ]


def path_numbers(ends: Tensor, n: int) -> dict[str, list[str]]:
    """Return the numbers of `path_formulas` by name, for n codes from end to end (2, Z)."""
    share = [k / (n - 1) for k in range(n)]
    on_first, on_second = (weights.tolist() for weights in slerp_weights(ends[0], ends[1], n))
    numbers = {"less": share[::-1], "share": share, "on_first": on_first, "on_second": on_second}
    return {name: [f"{value:.2f}" for value in values] for name, values in numbers.items()}
