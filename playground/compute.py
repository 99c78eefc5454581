"""How the machine at hand evaluates a network fastest: which precision is, is measured once."""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, TypeVar

import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

Item = TypeVar("Item")

SMALL_BATCH = 4  # below this, half precision and a second core cost more than they save (measured on two cores)
_openmp = ThreadpoolController().select(user_api="openmp")  # sets the cores of the calling thread, unlike torch
_thread = ThreadPoolExecutor(1, "compute")
_cores = torch.get_num_threads()  # as torch found the machine, or as OMP_NUM_THREADS says


def keep_to_one_thread() -> None:
    """Let only one thread of this process, that of `one_by_one`, use more than one core.

    As soon as a second thread does, OpenMP counts more threads than cores, lets them sleep instead of spin between
    two operations, and a step of a sampler takes twice as long.
    """
    _thread.submit(torch.get_num_threads).result()  # a thread's first question sets it to what all have
    _thread.submit(torch.set_num_threads, _cores).result()
    torch.set_num_threads(1)  # of this thread, and of those that are yet to come


def one_by_one(items: Iterator[Item]) -> Iterator[Item]:
    """The items of a generator, each made in the thread that has the cores; in between it serves others."""
    end: Any = object()
    while (item := _thread.submit(next, items, end).result()) is not end:
        yield item


@contextlib.contextmanager
def fast(x: Tensor) -> Iterator[None]:
    """A context for one evaluation of a network on x (B, ...): bfloat16 where it is faster, one core if it is small.

    It must be left before a generator yields: the next step may run in another thread, and autocast belongs to one.
    """
    if x.device.type != "cpu":
        yield
        return
    small = len(x) < SMALL_BATCH
    one_core = _openmp.limit(limits=1) if small else contextlib.nullcontext()
    with one_core, torch.autocast("cpu", torch.bfloat16, enabled=not small and bfloat16_is_faster()):
        yield


def seconds(work: Callable[[], object], runs: int) -> float:
    """How long it takes: the median of so many runs, after one that warms up."""
    work()
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


@lru_cache
def bfloat16_is_faster() -> bool:
    """Time a convolution of our size in both precisions: many CPUs only emulate bfloat16."""
    x = torch.zeros(16, 64, 16, 16).to(memory_format=torch.channels_last)
    conv = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)

    def taken(enabled: bool) -> float:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            start = time.perf_counter()
            conv(x)
            return time.perf_counter() - start

    pairs = [(taken(True), taken(False)) for _ in range(25)]  # in turn: a busy moment hits both
    half, single = map(min, zip(*pairs, strict=True))
    return half < 0.8 * single
