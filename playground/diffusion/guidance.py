"""Classifier-free guidance."""

from torch import Tensor


def guide(uncond: Tensor, cond: Tensor, w: float) -> Tensor:
    """Return the guided prediction, neutral at w = 1. Ho and Salimans 2022, eq. 6, whose w is ours minus 1.

    At a given x_t, predictions of eps, x0 and v are affine in each other: to guide one is to guide all.

    Args:
        uncond, cond: Predictions without and with the condition (B, ...).
        w: Guidance weight; 0 ignores the condition, more than 1 exaggerates it.
    """
    return uncond + w * (cond - uncond)
