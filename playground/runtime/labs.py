"""Common parts of the 2-D labs: small trainings on points of a known density, one step at a time.

A lab is a class `Lab(data, settings)` in `playground.families.<name>.lab`, with the number of `steps` so far, their
`limit`, and `step()`, which takes a training step and returns its losses by name. Each lab has random generators of
its own.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

# What messages call settings that the page calls otherwise.
LABELS = {"lr": "learning rate", "lr_d": "learning rate of D", "lr_g": "learning rate of G", "sigma_min": "least noise",
          "sigma_max": "most noise", "k": "steps of D", "clip": "clip weights", "gp": "gradient penalty",
          "matching": "feature matching", "unroll": "unrolled steps", "unroll_lr": "unrolled step size",
          "kernels": "minibatch kernels", "latent": "noise dimensions", "layers": "hidden layers",
          "ema_decay": "moving average"}  # fmt: skip
_init_lock = threading.Lock()  # torch initializes weights from a generator that all threads share


class DivergenceError(ArithmeticError):
    """Error of a training whose loss or gradient is no longer a finite number."""


@contextmanager
def seeded_init(seed: int) -> Iterator[None]:
    """Initialize weights with a seed, undisturbed by other threads."""
    with _init_lock, torch.random.fork_rng([]):
        torch.manual_seed(seed)
        yield


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
