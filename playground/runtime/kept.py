"""What is kept for visitors, within one budget of memory for all: what was not used for longest goes first."""

import dataclasses
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from torch import Tensor

Value = TypeVar("Value")

DEFAULT_BUDGET = 1_200  # MB that the app may use beside what it uses idle
SHARE = 0.5  # of the budget for what is kept; computing needs the rest


class Kept(Generic[Value]):
    """Value that is kept while there is room for it and something refers to this object; it has a size in bytes."""

    def __init__(self, store: "Store", value: Value):
        self._store, self._value, self.size = store, value, count_bytes(value)

    def get(self) -> Value | None:
        """Return the value, which counts as a use of it, or None if it had to go."""
        self._store.touch(self)
        return self._value

    def drop(self) -> None:
        """Let the value go."""
        self._value = None  # type: ignore[assignment]


class Store:
    """Store of kept values of at most so many bytes together.

    It refers to them weakly: one that nobody can ask for any more takes no room. One that is kept twice counts twice.
    """

    def __init__(self, budget: int):
        self._lock = threading.RLock()  # an object may be collected while its own thread holds it
        self._kept: OrderedDict[int, tuple[weakref.ref[Kept[Any]], int]] = OrderedDict()  # with their sizes
        self._budget, self.size = budget, 0

    @property
    def budget(self) -> int:
        """Return the bytes that there is room for."""
        return self._budget

    @budget.setter
    def budget(self, budget: int) -> None:
        with self._lock:
            self._budget = budget
            self._make_room()

    def keep(self, value: Value) -> Kept[Value]:
        """Keep a value; those that were not used for longest make room for it."""
        kept = Kept(self, value)
        key = id(kept)
        with self._lock:
            self._kept[key] = weakref.ref(kept, lambda _: self._forget(key)), kept.size
            self.size += kept.size
            self._make_room()
        return kept

    def touch(self, kept: Kept[Value]) -> None:
        """Note that a value is used now."""
        with self._lock:
            if id(kept) in self._kept:
                self._kept.move_to_end(id(kept))

    def _make_room(self) -> None:
        """Drop values until the rest fits, but for the newest, with the lock held."""
        while self.size > self._budget and len(self._kept) > 1:
            key, (reference, _) = next(iter(self._kept.items()))
            self._forget(key)
            if kept := reference():  # None while it is being collected
                kept.drop()

    def _forget(self, key: int) -> None:
        with self._lock:
            _, size = self._kept.pop(key, (None, 0))
            self.size -= size


def count_bytes(value: object) -> int:
    """Return the bytes of a value and of all that it holds in arrays, tensors, texts, collections and dataclasses."""
    return _count_bytes(value, set())


def _count_bytes(value: object, seen: set[int]) -> int:
    if id(value) in seen:
        return 0
    seen.add(id(value))
    size = sys.getsizeof(value)
    if isinstance(value, np.ndarray):
        return size if value.base is None else size + value.nbytes
    if isinstance(value, Tensor):
        return size + value.untyped_storage().nbytes()
    if isinstance(value, Mapping):
        return size + sum(_count_bytes(part, seen) for item in value.items() for part in item)
    if isinstance(value, (list, tuple, set)):
        return size + sum(_count_bytes(part, seen) for part in value)
    if dataclasses.is_dataclass(value):
        return size + sum(_count_bytes(part, seen) for part in vars(value).values())
    return size


store = Store(int(DEFAULT_BUDGET * 1e6 * SHARE))


def set_budget(megabytes: int) -> None:
    """Set the memory that the app may use beside what it uses idle."""
    store.budget = int(megabytes * 1e6 * SHARE)
