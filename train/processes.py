"""Work that the processes of `accelerate launch` share; a program that was started without it is the only process."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object, parse_flag_from_env
from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def state() -> PartialState:
    """Return the number of this process, and of all: several on the CPU know of each other only if the first who asks
    says that it is the CPU."""
    return PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))


def is_main_process() -> bool:
    """Return whether this process writes files and prints."""
    return state().is_main_process


def main_process_first(load: Callable[[], Result]) -> Result:
    """Call `load` in the main process before the others, so that only one downloads."""
    with state().main_process_first():
        return load()


def share(function: Callable[[Item], Result], items: Sequence[Item], title: str) -> list[Result]:
    """Return the results of a function of all items, in their order; each process computes its part of them."""
    own = range(state().process_index, len(items), state().num_processes)
    bar = tqdm(own, desc=title, leave=False, disable=not is_main_process())
    results = dict(gather_object([(i, function(items[i])) for i in bar]))
    return [results[i] for i in range(len(items))]


def agree(value: Result) -> Result:
    """Return the value of the main process."""
    return broadcast_object_list([value])[0]


def total(values: Iterable[float]) -> float:
    """Return the sum of the values of all processes."""
    return sum(gather_object(list(values)))
