"""Parameterizations of a denoising network: it predicts the noise, the data, or the velocity between them.

All three are equivalent: with x_t = sqrt(alpha_bar) x0 + sigma eps, each gives the others. They differ in how the
squared error weighs the times, and in where division by a small number amplifies an error.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


class Prediction(NamedTuple):
    """Parameterization of a denoising network, with a = sqrt(alpha_bar_t) and s = sigma_t."""

    # (x0, eps, a, s) -> training target; all tensors (B, ...) or broadcastable.
    target: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    x0_hat: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # (network output, xt, a, s) -> estimate of x0
    symbol: str  # symbol of the network output, see `Formula` for the notation
    formula: str  # formula of x0_hat; {a} and {s} stand for the two coefficients
    where: str = ""  # meaning of the symbol


PREDICTIONS: dict[str, Prediction] = {
    # Ho 2020, eq. 14
    "eps": Prediction(
        lambda x0, eps, a, s: eps,
        lambda out, xt, a, s: (xt - s * out) / a,
        "ε̂",
        "(x_t − {s} ε̂) / {a}",
    ),
    "x0": Prediction(lambda x0, eps, a, s: x0, lambda out, xt, a, s: out, "x̂_0", "the network's output"),
    # Salimans and Ho 2022, "Progressive Distillation", section 4
    "v": Prediction(
        lambda x0, eps, a, s: a * eps - s * x0,
        lambda out, xt, a, s: a * xt - s * out,
        "v",
        "{a} x_t − {s} v",
        "v = √ᾱ ε − √(1 − ᾱ) x_0: the output of this network",
    ),
}
