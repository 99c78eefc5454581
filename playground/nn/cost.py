"""Cost of one evaluation of a network: time, operations, and numbers in its feature maps."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from playground.runtime import inference

RUNS = 5  # of which the median duration counts


class Cost(NamedTuple):
    """Cost of one evaluation."""

    shape: tuple[int, ...]  # of what goes in, (C, H, W)
    seconds: float  # the median of `RUNS`
    operations: float  # multiplications and additions of convolutions and matrix products, nearly all there are
    numbers: int  # in all feature maps that its layers make


@torch.no_grad()
def measure_cost(evaluate: Callable[[Tensor], object], network: torch.nn.Module, shape: tuple[int, int, int]) -> Cost:
    """Measure one evaluation of a network, which `evaluate` calls with an image (1, C, H, W) of a shape (C, H, W)."""
    x, numbers = torch.zeros(1, *shape), list[int]()

    def count(module: torch.nn.Module, _: object, output: object) -> None:
        if not list(module.children()) and isinstance(output, Tensor):
            numbers.append(output.numel())

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    try:
        from torch.utils.flop_counter import FlopCounterMode  # imports Triton, which would slow the start of the app

        with FlopCounterMode(display=False) as counter:
            evaluate(x)
    finally:
        for hook in hooks:
            hook.remove()
    with inference.fast_mode(x):
        seconds = inference.median_seconds(lambda: evaluate(x), RUNS)
    return Cost(shape, seconds, counter.get_total_flops(), sum(numbers))
