"""Runs that were asked for before: what has the same checkpoints, settings and seed is computed once.

A finished run comes from memory. One that is under way is followed together, and one that everybody left in the middle,
as by a reload of the page, waits to be taken up again: nothing is computed meanwhile.
"""

import functools
import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from playground.runtime import checkpoint, files
from playground.runtime.cache import Recent
from playground.runtime.paths import Paths
from playground.web.live_run import LiveRun, follow
from playground.web.stop import Outputs, Shown
from playground.web.view import StageView

MAX_KEPT = 256  # finished runs that are kept at most, within the budget of memory
MAX_LEFT = 16  # and runs that were left in the middle
NOTICE = "From memory: a run of this model with these settings and this seed was made before."


_lock = threading.RLock()  # a run that was left may be collected while its own thread holds it
_results = Recent[Sequence[object]](MAX_KEPT)  # values of a view's outputs by their request
_under_way: WeakValueDictionary[str, LiveRun[Any]] = WeakValueDictionary()  # runs that are followed, or were left
_left = Recent[LiveRun[Any]](MAX_LEFT)  # keeps the runs that were left


def remember(make: Callable[..., LiveRun[Any]]) -> Callable[..., Iterator[Shown | Outputs]]:
    """Turn a method that returns a run into a generator that makes it, as `follow` does, or yields the values of its
    end from memory."""

    @functools.wraps(make)
    def run(view: StageView, *values: object) -> Iterator[Shown | Outputs]:
        key = _key(make, view.paths, values)
        if remembered := _recall(key):
            yield remembered
            return
        made = make(view, *values)
        with _lock:
            live = _under_way.setdefault(key, made)  # of those who ask for the same at once, all join the first's
        result: Sequence[object] | None = None
        try:
            for outputs in follow(live):
                yield outputs
                result = outputs if isinstance(outputs, list) else None
        except GeneratorExit:
            _left.put(key, live)
            raise
        except Exception:
            _under_way.pop(key, None)
            raise
        if result:
            _results.put(key, result)
            _left.pop(key)

    return run


def _key(make: Callable[..., object], paths: Paths, values: Sequence[object]) -> str:
    """Return a text that differs if a method, its arguments, any checkpoint or the files of any data set do; 2 is 2.0,
    since a control sends the one and a link the other."""
    values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
    sources = [*checkpoint.find(paths.weights), *sorted(paths.data.glob("*/raw"))]  # the folders of torchvision
    versions = [(path, files.version(path)) for path in sources]
    return hashlib.sha256(repr((make.__module__, make.__qualname__, values, versions)).encode()).hexdigest()


def _recall(key: str) -> list[object] | None:
    """Return the outputs of a finished request, which say so, or None if they or their files have gone."""
    outputs = _results.get(key)
    if outputs is None or not all(path.exists() for path in _paths(outputs[0])):
        return None
    stage, *other_values = outputs
    assert isinstance(stage, dict)
    notice = f"{NOTICE} {stage.get('notice', '')}".strip()
    return [{**stage, "id": uuid.uuid4().hex, "notice": notice}, *other_values]


def _paths(value: object) -> Iterator[Path]:
    """Yield the paths of the files in a value of the scrubber."""
    if isinstance(value, dict):
        if isinstance(value.get("path"), str):
            yield Path(value["path"])
        for part in value.values():
            yield from _paths(part)
    elif isinstance(value, list):
        for part in value:
            yield from _paths(part)
