"""Common parts of the 2-D labs: small trainings on points of a known density, one step at a time.

A lab is a class `Lab(data, settings)` in `playground.families.<name>.lab`, with the number of `steps` so far, their
`limit`, and `step()`, which takes a training step and returns its losses by name. Each lab has random generators of
its own.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim.swa_utils import AveragedModel

LABELS = {"lr": "learning rate", "lr_d": "learning rate of D", "lr_g": "learning rate of G", "sigma_min": "least noise",
          "sigma_max": "most noise", "unroll_lr": "size of the unrolled steps", "k": "steps of D"}  # fmt: skip
_init_lock = threading.Lock()  # torch initializes weights from a generator that all threads share


class DivergenceError(ArithmeticError):
    """Error of a training whose loss or gradient is no longer a finite number."""


@contextmanager
def seeded_init(seed: int) -> Iterator[None]:
    """Initialize weights with a seed, undisturbed by other threads."""
    with _init_lock, torch.random.fork_rng([]):
        torch.manual_seed(seed)
        yield


def ema(network: nn.Module, decay: float) -> AveragedModel:
    """Return an exponential moving average of a network's weights.

    The decay starts at 0.1 and rises to its final value, so that the initial weights are soon forgotten.
    """

    @torch.no_grad()
    def update(averages: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
        warm_decay = min(decay, (1 + float(steps)) / (10 + float(steps)))
        torch._foreach_lerp_(list(averages), list(weights), 1 - warm_decay)

    return AveragedModel(network, multi_avg_fn=update)


def linear_decay(lr: float, step: int, steps: int) -> float:
    """Return the learning rate at a step of a linear decay to 0, where it stays after the last of `steps` steps."""
    return lr * max(0.0, 1 - step / steps)


def optimizer_step(optimizer: torch.optim.Optimizer, loss: Tensor, lr: float) -> None:
    """Take a step of an optimizer with one parameter group on a scalar loss, or raise DivergenceError if that or its
    gradient is not finite."""
    (group,) = optimizer.param_groups
    group["lr"] = lr
    optimizer.zero_grad()
    loss.backward()
    norm = get_total_norm([weight.grad for weight in group["params"] if weight.grad is not None])
    if not (loss + norm).isfinite():
        raise DivergenceError("the loss or its gradient is no longer a finite number")
    optimizer.step()
