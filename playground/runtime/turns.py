"""Turns on the cores: runs take them step by step, short runs before long ones, and long ones in slices.

A run is due after as many seconds as it is expected to compute, counted from its beginning, and whichever run is due
first takes the next step. So a short run goes before a long one, equal ones keep their order, and no run waits forever.
A run that has computed for a slice is due anew: it lets the others go first.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")

SLICE = 1.0  # seconds of computing after which a run is due anew
CLAIM = 0.2  # seconds that a run keeps its core between two steps although others wait
FIRST_GUESS = 0.05  # seconds of a step, before any was measured
WEIGHT = 0.1  # of the newest step in the average over all runs


class Place(NamedTuple):
    """Place of a run that waits: the number of runs before it, and the seconds until it has finished, about."""

    ahead: int
    seconds_left: float


class Run:
    """Run of so many steps, of which `done` are taken; it is due at a time of `time.monotonic`.

    Attributes:
        computed: Seconds that its steps took.
        slice_start: Value of `computed` when it was last due anew.
    """

    def __init__(self, turns: "Turns", steps: int):
        self.turns, self.steps = turns, max(steps, 1)
        self.done, self.computed, self.slice_start = 0, 0.0, 0.0
        self.granted = threading.Event()
        self.core: int | None = None  # while it may take a step
        self.computes, self.idle_since = False, 0.0  # whether it takes a step, and since when it has a core without
        self.due = time.monotonic() + self.seconds_left

    @property
    def seconds_left(self) -> float:
        """Return the seconds that its steps will still compute, about."""
        per_step = self.computed / self.done if self.done else self.turns.seconds_per_step
        return per_step * max(self.steps - self.done, 1)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the turn to take a step, at most so many seconds; return whether it has come."""
        end = math.inf if seconds is None else time.monotonic() + seconds
        while True:
            self.turns.ask(self)
            if self.granted.wait(max(0, min(CLAIM, end - time.monotonic()))) and self.turns.start_step(self):
                return True
            if time.monotonic() >= end:
                return False

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
        self._lock = threading.RLock()  # a run that was left may be collected while its own thread holds it
        self._free = list(range(cores))  # cores that compute nothing, the lowest first
        self._cores = cores
        self._runs: list[Run] = []  # all that have begun and not ended
        self._waiting: list[Run] = []
        self.seconds_per_step = FIRST_GUESS

    @property
    def n_runs(self) -> int:
        """Return the number of runs that have begun and not ended."""
        return len(self._runs)

    @property
    def n_waiting(self) -> int:
        """Return the number of runs that wait for their turn."""
        return len(self._waiting)

    @contextmanager
    def start_run(self, steps: int) -> Iterator[Run]:
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
            self._take_back(run)
            self._grant()

    def place(self, run: Run) -> Place:
        """Return the place of a run that waits; of a longer run before it only a slice counts."""
        with self._lock:
            ahead = [other for other in self._runs if other.due < run.due]
            seconds = sum(min(other.seconds_left, SLICE) for other in ahead) / self._cores
        return Place(len(ahead), seconds + run.seconds_left)

    def ask(self, run: Run) -> None:
        """Take back cores that were left idle, and let a run wait for its turn unless it has it or waits already."""
        with self._lock:
            for other in self._runs:
                if not other.computes and time.monotonic() - other.idle_since > CLAIM:
                    self._take_back(other)
            if run.core is None and run not in self._waiting:
                self._waiting.append(run)
            self._grant()

    def start_step(self, run: Run) -> bool:
        """Return whether a run has a core, which it keeps until the end of its step."""
        with self._lock:
            run.computes = run.core is not None
        return run.computes

    def end_step(self, run: Run, seconds: float) -> None:
        """Note that a run has taken a step in so many seconds, and let the run that is due first take the next."""
        with self._lock:
            run.done, run.computed = run.done + 1, run.computed + seconds
            if run.done > 1:  # the first step of a run makes ready what the others use
                self.seconds_per_step += WEIGHT * (seconds - self.seconds_per_step)
            if run.computed - run.slice_start > SLICE:
                run.slice_start, run.due = run.computed, time.monotonic() + run.seconds_left
            run.computes = False
            self._take_back(run)
            self._waiting.append(run)  # it has the core again at once, unless another is due earlier
            self._grant()

    def _take_back(self, run: Run) -> None:
        """Take the core of a run back, if it has one, with the lock held."""
        if run.core is not None:
            self._free = sorted([*self._free, run.core])
            run.core = None
            run.granted.clear()

    def _grant(self) -> None:
        """Give free cores to the runs that are due first, with the lock held."""
        while self._waiting and self._free:
            run = min(self._waiting, key=lambda waiting: waiting.due)
            self._waiting.remove(run)
            run.core, run.idle_since = self._free.pop(0), time.monotonic()
            run.granted.set()
