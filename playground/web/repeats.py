"""Runs that were asked for before: what has the same checkpoints, settings and seed need not be computed again."""

import functools
import hashlib
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from playground.runtime import cache, checkpoint, files
from playground.runtime.cache import CachedValue
from playground.runtime.paths import Paths
from playground.web.component import Value
from playground.web.stop import Outputs

MAX_KEPT = 256  # that are kept at most, within the budget of memory
NOTICE = "From memory: a run of this model with these settings and this seed was made before."


class RunningView(Protocol):
    """View that makes runs of the checkpoints in its folders."""

    paths: Paths


Sample = Callable[..., Iterator[Value | Outputs]]  # method of a view: yields values of its outputs, the finished last
_lock = threading.Lock()
_results: OrderedDict[str, CachedValue[Sequence[object]]] = OrderedDict()  # values of a view's outputs by their request


def remember(sample: Sample) -> Sample:
    """Let a method that makes a run answer a request that it has finished before from memory."""

    @functools.wraps(sample)
    def run(view: RunningView, *values: object) -> Iterator[Value | Outputs]:
        key = _key(sample, view.paths.weights, values)
        if remembered := _recall(key):
            yield remembered
            return
        result: Sequence[object] | None = None
        for outputs in sample(view, *values):
            yield outputs
            result = outputs if isinstance(outputs, Sequence) else None
        if result:
            with _lock:
                _results[key] = cache.store.keep(result)
                while len(_results) > MAX_KEPT:
                    _results.popitem(last=False)

    return run


def _key(sample: Sample, weights: Path, values: Sequence[object]) -> str:
    """Return a text that differs if a method, its arguments or any checkpoint does."""
    versions = [(path.name, files.version(path)) for path in checkpoint.find(weights)]
    return hashlib.sha256(repr((sample.__module__, sample.__qualname__, values, versions)).encode()).hexdigest()


def _recall(key: str) -> list[object] | None:
    """Return the outputs of a finished request, which say so, or None if they or their files have gone."""
    with _lock:
        entry = _results.pop(key, None)
        outputs = entry.get() if entry else None
        if entry is None or outputs is None or not all(path.exists() for path in _paths(outputs[0])):
            return None
        _results[key] = entry  # as the newest
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
