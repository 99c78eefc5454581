"""What a denoising network predicts: the noise, the data, or the velocity between them.

All three say the same about x_t = sqrt(alpha_bar) x0 + sigma eps: any one of them, with x_t, gives the others.
They differ in what the squared error weighs, and in where division by a small number amplifies an error.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor


class Prediction(NamedTuple):
    """Both directions. `a` is sqrt(alpha_bar_t) and `s` is sigma_t; all tensors (B, ...) or broadcastable."""

    target: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # x0, eps, a, s -> what the network learns
    x0_hat: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]  # network output, xt, a, s -> estimate of x0
    symbol: str  # of the network's output, in HTML
    formula: str  # of x0_hat, in HTML; {a} and {s} stand for the two coefficients
    where: str = ""  # what its symbol means, in HTML


PREDICTIONS: dict[str, Prediction] = {
    # Ho 2020, eq. 14
    "eps": Prediction(
        lambda x0, eps, a, s: eps,
        lambda out, xt, a, s: (xt - s * out) / a,
        "ε̂",
        "(x<sub>t</sub> − {s} ε̂) / {a}",
    ),
    "x0": Prediction(lambda x0, eps, a, s: x0, lambda out, xt, a, s: out, "x̂<sub>0</sub>", "the network's output"),
    # Salimans and Ho 2022, "Progressive Distillation", section 4
    "v": Prediction(
        lambda x0, eps, a, s: a * eps - s * x0,
        lambda out, xt, a, s: a * xt - s * out,
        "v",
        "{a} x<sub>t</sub> − {s} v",
        "v = √ᾱ ε − √(1 − ᾱ) x<sub>0</sub>: what this network predicts · ",
    ),
}
