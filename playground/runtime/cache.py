"""Cache of visitors' results, within one budget of memory for all: what was not used for longest goes first."""

import dataclasses
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from types import BuiltinMethodType, MethodType
from typing import Any, Generic, TypeVar

import numpy as np
from torch import Tensor, nn

Value = TypeVar("Value")

DEFAULT_BUDGET = 1_200  # MB that the app may use beside what it uses idle
PER_WEIGHT = 4  # numbers that a training keeps of each weight: itself, its gradient, and two moments of Adam
SHARE = 0.5  # of the budget for what is kept; computing needs the rest


class CachedValue(Generic[Value]):
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
        self._entries: OrderedDict[int, tuple[weakref.ref[CachedValue[Any]], int]] = OrderedDict()  # with their sizes
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

    def keep(self, value: Value) -> CachedValue[Value]:
        """Keep a value; those that were not used for longest make room for it."""
        entry = CachedValue(self, value)
        key = id(entry)
        with self._lock:
            self._entries[key] = weakref.ref(entry, lambda _: self._forget(key)), entry.size
            self.size += entry.size
            self._make_room()
        return entry

    def touch(self, entry: CachedValue[Value]) -> None:
        """Note that a value is used now."""
        with self._lock:
            if id(entry) in self._entries:
                self._entries.move_to_end(id(entry))

    def _make_room(self) -> None:
        """Drop values until the rest fits, but for the newest, with the lock held."""
        while self.size > self._budget and len(self._entries) > 1:
            key, (reference, _) = next(iter(self._entries.items()))
            self._forget(key)
            if entry := reference():  # None while it is being collected
                entry.drop()

    def _forget(self, key: int) -> None:
        with self._lock:
            _, size = self._entries.pop(key, (None, 0))
            self.size -= size


class Recent(Generic[Value]):
    """Values by key, at most so many, in the store while there is room: those not used for longest go first."""

    def __init__(self, limit: int):
        self._limit, self._lock = limit, threading.RLock()  # as in the store
        self._entries: OrderedDict[Hashable, CachedValue[Value]] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """Return the value of a key, which counts as a use of it, or None if it had to go."""
        with self._lock:
            entry = self._entries.get(key)
            value = entry.get() if entry else None
            if value is None:
                self.pop(key)
            else:
                self._entries.move_to_end(key)
        return value

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value as the newest; one that has grown is to be put again."""
        entry = store.keep(value)
        with self._lock:
            self.pop(key)
            self._entries[key] = entry
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)

    def pop(self, key: Hashable) -> None:
        """Let the value of a key go, if there is one."""
        with self._lock:
            self._entries.pop(key, None)

    def __len__(self) -> int:
        return len(self._entries)


def count_bytes(value: object) -> int:
    """Return the bytes of a value and of all that it holds in arrays, tensors, texts, collections, objects of this
    package, and models in training, but not in models without gradients, which many share."""
    return _count_bytes(value, set())


def _count_bytes(value: object, visited: set[int]) -> int:
    if id(value) in visited:
        return 0
    visited.add(id(value))
    size = sys.getsizeof(value)
    if isinstance(value, np.ndarray):
        return size if value.base is None else size + value.nbytes
    if isinstance(value, Tensor):
        return size + value.untyped_storage().nbytes()
    if isinstance(value, nn.Module):
        trained = (weight for weight in value.parameters() if weight.requires_grad)
        return size + PER_WEIGHT * sum(weight.untyped_storage().nbytes() for weight in trained)
    if isinstance(value, Mapping):  # a copy: it may grow meanwhile, since others follow the same run
        return size + sum(_count_bytes(part, visited) for item in [*value.items()] for part in item)
    if isinstance(value, (list, tuple, set)):
        return size + sum(_count_bytes(part, visited) for part in [*value])
    if isinstance(value, (MethodType, BuiltinMethodType)):  # such as a function that keeps frames
        return size + _count_bytes(value.__self__, visited)
    if dataclasses.is_dataclass(value) or type(value).__module__.startswith("playground."):
        return size + sum(_count_bytes(part, visited) for part in getattr(value, "__dict__", {}).values())
    return size


store = Store(int(DEFAULT_BUDGET * 1e6 * SHARE))


def set_budget(megabytes: int) -> None:
    """Set the memory that the app may use beside what it uses idle."""
    store.budget = int(megabytes * 1e6 * SHARE)
