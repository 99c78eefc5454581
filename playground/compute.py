"""How the machine at hand evaluates a network fastest: measured once, not assumed."""

import contextlib
import time
from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

THREADS = torch.get_num_threads()  # as torch found the machine, or as OMP_NUM_THREADS says
SMALL_BATCH = 4  # below this, half precision and a second thread cost more than they save


@contextlib.contextmanager
def fast(x: Tensor) -> Iterator[None]:
    """A context for one evaluation of a network on x (B, ...): bfloat16 where it is faster, threads to suit.

    It must be left before a generator yields: the next step may run in another thread, and autocast belongs to one.
    """
    if x.device.type != "cpu":
        yield
        return
    small = len(x) < SMALL_BATCH
    torch.set_num_threads(1 if small else THREADS)
    with torch.autocast("cpu", torch.bfloat16, enabled=not small and bfloat16_is_faster()):
        yield
    torch.set_num_threads(THREADS)


@lru_cache
def bfloat16_is_faster() -> bool:
    """Time a convolution of our size in both precisions: many CPUs only emulate bfloat16."""
    x = torch.zeros(16, 64, 16, 16).to(memory_format=torch.channels_last)
    conv = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)

    def seconds(enabled: bool) -> float:
        times = []
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            for _ in range(8):
                start = time.perf_counter()
                conv(x)
                times.append(time.perf_counter() - start)
        return min(times)

    return seconds(True) < 0.8 * seconds(False)
