"""Small trainings in the plane, a kind a file, step by step, on data whose density is known.

A lab is `Lab(data, settings)`, with `steps` taken so far, their `limit`, and `step()`, which takes one and gives its
losses by name. What a lab draws at random comes from a generator of its own.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim.swa_utils import AveragedModel

CALLED = {"lr": "learning rate", "lr_d": "learning rate of D", "lr_g": "learning rate of G", "low": "least noise",
          "high": "most noise", "unroll_lr": "size of the unrolled steps", "k": "steps of D"}  # fmt: skip
_drawing = threading.Lock()  # torch draws weights from a generator that all threads share


class Diverged(ArithmeticError):
    """A loss, or its gradient, is no longer a finite number."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw weights by a seed, whoever else does."""
    with _drawing, torch.random.fork_rng([]):
        torch.manual_seed(seed)
        yield


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """A moving average of a network's weights: at first faster than its decay says, to forget the beginning."""

    @torch.no_grad()
    def follow(averages: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
        now = min(decay, (1 + float(steps)) / (10 + float(steps)))
        torch._foreach_lerp_(list(averages), list(weights), 1 - now)

    return AveragedModel(network, multi_avg_fn=follow)


def falling(lr: float, step: int, steps: int) -> float:
    """A learning rate that falls to 0 in a straight line, and stays there after the last step."""
    return lr * max(0.0, 1 - step / steps)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, lr: float) -> None:
    """A step of an optimiser of one group, of this size.

    Raises:
        Diverged: the loss or its gradient is not a finite number.
    """
    (group,) = optimizer.param_groups
    group["lr"] = lr
    optimizer.zero_grad()
    loss.backward()
    norm = get_total_norm([weight.grad for weight in group["params"] if weight.grad is not None])
    if not (loss + norm).isfinite():
        raise Diverged("the loss or its gradient is no longer a finite number")
    optimizer.step()
