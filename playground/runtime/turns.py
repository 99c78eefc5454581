"""Turns on the cores: runs take them step by step, short runs before long ones, and long ones in slices.

A run is due after as many seconds as it is expected to compute, counted from its beginning, and whichever run is due
first takes the next step. So a short run goes before a long one, equal ones keep their order, and no run waits forever.
A run that has computed for a slice is due anew: it lets the others go first.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")

SLICE = 1.0  # seconds of computing after which a run is due anew
FIRST_GUESS = 0.05  # seconds of a step, before any was measured
WEIGHT = 0.1  # of the newest step in the average over all runs


class Place(NamedTuple):
    """Place of a run that waits: the number of runs before it, and the seconds until it has finished, about."""

    ahead: int
    seconds_left: float


class Run:
    """Run of so many steps, of which `done` are taken; it is due at a time of `time.monotonic`.

    Attributes:
        computed: seconds that its steps took.
        slice_start: value of `computed` when it was last due anew.
    """

    def __init__(self, turns: "Turns", steps: int):
        self.turns, self.steps = turns, max(steps, 1)
        self.done, self.computed, self.slice_start = 0, 0.0, 0.0
        self.granted = threading.Event()
        self.core: int | None = None  # while it may take a step
        self.due = time.monotonic() + self.seconds_left

    @property
    def seconds_left(self) -> float:
        """Return the seconds that its steps will still compute, about."""
        per_step = self.computed / self.done if self.done else self.turns.seconds_per_step
        return per_step * max(self.steps - self.done, 1)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the turn to take a step, at most so many seconds; return whether it has come."""
        self.turns.ask(self)
        return self.granted.wait(seconds)

    def take_step(self, step: Callable[[int, bool], Item]) -> Item:
        """Take a step, a function of the core to compute on and of whether this run is alone, once its turn has
        come."""
        assert self.core is not None
        start = time.monotonic()
        try:
            return step(self.core, self.turns.n_runs == 1)
        finally:
            self.turns.end_step(self, time.monotonic() - start)


class Turns:
    """Turns of all runs of this process on its cores, one run on each at a time."""

    def __init__(self, cores: int):
        self._lock = threading.Lock()
        self._free = list(range(cores))  # cores that compute nothing, the lowest first
        self._cores = cores
        self._runs: list[Run] = []  # all that have begun and not ended
        self._waiting: list[Run] = []
        self.seconds_per_step = FIRST_GUESS

    @property
    def n_runs(self) -> int:
        """Return the number of runs that have begun and not ended."""
        return len(self._runs)

    @contextmanager
    def begin(self, steps: int) -> Iterator[Run]:
        """Let a run of so many steps take turns; it ends with the context."""
        run = Run(self, steps)
        with self._lock:
            self._runs.append(run)
        try:
            yield run
        finally:
            self.end(run)

    def end(self, run: Run) -> None:
        """End a run, if it has not ended, and let the run that is due first have its core."""
        with self._lock:
            for runs in (self._runs, self._waiting):
                if run in runs:
                    runs.remove(run)
            self._release(run)

    def place(self, run: Run) -> Place:
        """Return the place of a run that waits; of a longer run before it only a slice counts."""
        with self._lock:
            ahead = [other for other in self._runs if other.due < run.due]
            seconds = sum(min(other.seconds_left, SLICE) for other in ahead) / self._cores
        return Place(len(ahead), seconds + run.seconds_left)

    def ask(self, run: Run) -> None:
        """Let a run wait for its turn, unless it has it or waits already."""
        with self._lock:
            if run.core is None and run not in self._waiting:
                self._waiting.append(run)
                self._grant()

    def end_step(self, run: Run, seconds: float) -> None:
        """Note that a run has taken a step in so many seconds, and let the run that is due first take the next."""
        with self._lock:
            run.done, run.computed = run.done + 1, run.computed + seconds
            if run.done > 1:  # the first step of a run makes ready what the others use
                self.seconds_per_step += WEIGHT * (seconds - self.seconds_per_step)
            if run.computed - run.slice_start > SLICE:
                run.slice_start, run.due = run.computed, time.monotonic() + run.seconds_left
            self._waiting.append(run)  # it keeps the core, unless another is due earlier
            self._release(run)

    def _release(self, run: Run) -> None:
        """Take the core of a run back, with the lock held."""
        if run.core is not None:
            self._free = sorted([*self._free, run.core])
            run.core = None
            run.granted.clear()
        self._grant()

    def _grant(self) -> None:
        """Give free cores to the runs that are due first, with the lock held."""
        while self._waiting and self._free:
            run = min(self._waiting, key=lambda waiting: waiting.due)
            self._waiting.remove(run)
            run.core = self._free.pop(0)
            run.granted.set()
