"""Fast inference on the machine at hand: CPU threads and precision."""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import ParamSpec, TypeVar

import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from playground.runtime import cores
from playground.runtime.turns import Place, Turns
from playground.runtime.validation import UserError

Item = TypeVar("Item")
Params = ParamSpec("Params")

SMALL_BATCH = 4  # smaller batches are slower with bfloat16 or a second core (measured on two cores)
_openmp = ThreadpoolController().select(user_api="openmp")  # limits the calling thread alone, unlike torch
_n_cores = min(torch.get_num_threads(), cores.count_cores())  # torch's number is the machine's, or OMP_NUM_THREADS
_all_cores = ThreadPoolExecutor(1, "compute")  # thread that computes on all cores, for a run that is alone
_turns = Turns(_n_cores)
PATIENCE = 2.0  # seconds after which a run that waits for its turn says so, and can be stopped


def _limit_to_one_core() -> None:
    torch.get_num_threads()  # a thread's first call resets its number to the global one
    _openmp.limit(limits=1)


_one_core = [ThreadPoolExecutor(1, f"compute-{core}", _limit_to_one_core) for core in range(_n_cores)]


def reserve_cores_for_worker() -> None:
    """Limit all threads of this process to one core, but the one in which a run that is alone computes.

    If a second thread used several cores, OpenMP would count more threads than cores and let them sleep instead of
    spin between two operations, and a step of a sampler would take twice as long.
    """
    _all_cores.submit(torch.get_num_threads).result()  # a thread's first call resets its number to the global one
    _all_cores.submit(torch.set_num_threads, _n_cores).result()
    torch.set_num_threads(1)  # for this thread and all that start later


def in_turns(items: Iterator[Item], steps: int, patience: float | None = None) -> Iterator[Item | Place]:
    """Yield the items of a generator, a step each, computed in turn with the other runs of this process, and the run's
    place after each so many seconds of waiting.

    A run that is alone computes on all cores. As soon as there are others, each computes on one core: that takes less
    of the processor, since no core waits for another between two operations, and less still on a busy machine.
    """
    with _turns.start_run(steps) as run:
        while True:
            while not run.wait(patience):
                yield _turns.place(run)
            item = run.take_step(lambda core, alone: _worker(core, alone).submit(next, items, None).result())
            if item is None:
                return
            yield item


def in_worker_thread(items: Iterator[Item], steps: int) -> Iterator[Item]:
    """Yield the items of a generator of so many, computed in turn with the other runs of this process."""
    for item in in_turns(items, steps):
        assert not isinstance(item, Place)  # it waits without a word
        yield item


def _worker(core: int, alone: bool) -> ThreadPoolExecutor:
    """Return the thread for a step of a run that has a core, or all of them if it is alone.

    One core and all are threads of their own, since torch can't limit a thread's matrix products (MKL) for a while.
    """
    return _all_cores if alone and core == 0 else _one_core[core]


def compute(function: Callable[Params, Item], *args: Params.args, **kwargs: Params.kwargs) -> Item:
    """Return the value of a function, computed in turn with the runs of this process."""
    return next(in_worker_thread((function(*args, **kwargs) for _ in range(1)), steps=1))


def count_runs() -> tuple[int, int]:
    """Return the number of runs that compute, and of those that wait for their turn."""
    return _turns.n_runs - _turns.n_waiting, _turns.n_waiting


def check_device(name: str) -> torch.device:
    """Return a device by its name, such as cpu, cuda or cuda:1, or raise UserError if this machine does not have it."""
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError):  # an AssertionError if torch was built without the device
        raise UserError(f"this machine has no device {name} that torch can use: choose cpu") from None


@contextlib.contextmanager
def fast_mode(x: Tensor) -> Iterator[None]:
    """Choose precision and cores for one evaluation of a network: bfloat16 where it is faster, one core if B is small.

    Leave the context before a generator yields: autocast belongs to a thread, and the next step may run in another.

    Args:
        x: Input of the network (B, ...), which guidance doubles.
    """
    if x.device.type != "cpu":
        yield
        return
    small = len(x) < SMALL_BATCH
    one_core = _openmp.limit(limits=1) if small else contextlib.nullcontext()
    with one_core, torch.autocast("cpu", torch.bfloat16, enabled=not small and bfloat16_is_faster()):
        yield


def median_seconds(work: Callable[[], object], runs: int) -> float:
    """Measure the median duration of a function in seconds, after one call to warm up."""
    work()
    durations = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


@lru_cache
def bfloat16_is_faster() -> bool:
    """Return True if a typical convolution is faster in bfloat16, which many CPUs only emulate; measured once."""
    x = torch.zeros(16, 64, 16, 16).to(memory_format=torch.channels_last)
    conv = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)

    def duration(autocast: bool) -> float:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            start = time.perf_counter()
            conv(x)
            return time.perf_counter() - start

    pairs, end = [(duration(True), duration(False))], time.monotonic() + 0.1  # emulated, one takes half as long as that
    while len(pairs) < 25 and (len(pairs) < 3 or time.monotonic() < end):
        pairs.append((duration(True), duration(False)))  # alternately, so that a busy moment affects both
    bfloat16, float32 = map(min, zip(*pairs, strict=True))
    return bfloat16 < 0.8 * float32
