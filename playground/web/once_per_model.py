"""Values of a model that are made once for all visitors, such as its first run."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from playground.runtime import files
from playground.runtime.cache import Recent
from playground.runtime.paths import Paths
from playground.web.checkpoint_picker import CheckpointPicker

Made = TypeVar("Made")


class OncePerModel(Generic[Made]):
    """Function of the paths and a model's name, called once for all visitors, and again when its checkpoint has changed
    or its value had to go; two who ask for the same at once wait for one call. It keeps `limit` values."""

    def __init__(self, picker: CheckpointPicker[Any], make: Callable[[Paths, str], Made], limit: int):
        self._picker, self._make = picker, make
        self._made = Recent[Made](limit)
        self._locks: dict[object, threading.Lock] = {}  # by the arguments

    def __call__(self, paths: Paths, name: str) -> Made:
        self._picker.load(paths, name)  # says what is wrong, if something is
        with self._locks.setdefault((paths, name), threading.Lock()):
            key = self._key(paths, name)
            value = self._made.get(key)
            if value is None:
                value = self._make(paths, name)
                self._made.put(key, value)
            return value

    def is_made(self, paths: Paths, name: str) -> bool:
        """Return whether a call returns at once."""
        return self._made.get(self._key(paths, name)) is not None

    def _key(self, paths: Paths, name: str) -> tuple[object, ...]:
        return paths, name, files.version(self._picker.path(paths, name))
