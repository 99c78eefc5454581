"""Turns of runs on the cores, by a clock of the tests' own."""

from contextlib import ExitStack

import pytest

from playground.runtime import turns
from playground.runtime.turns import CLAIM, FIRST_GUESS, SLICE, Run, Turns


class Clock:
    """Clock that stands still until it is told the time."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return clock


def step(run: Run, clock: Clock, seconds: float) -> None:
    """Let a run take a step of some seconds, once it is its turn."""
    assert run.wait(0)

    def compute(core: int, alone: bool) -> None:
        clock.now += seconds

    run.take_step(compute)


def start_run(stack: ExitStack, queue: Turns, *steps: int) -> list[Run]:
    """Begin runs of so many steps, one after the other, which all wait for their turn."""
    runs = []
    for n in steps:
        runs.append(stack.enter_context(queue.start_run(n)))
        runs[-1].wait(0)
        turns.time.now += 0.001
    return runs


def test_short_runs_go_before_long_ones_and_equal_ones_in_their_order(clock: Clock) -> None:
    queue, order = Turns(1), []
    with ExitStack() as stack:
        runs = dict(zip(("first", "long", "early"), start_run(stack, queue, 2, 1000, 3), strict=True))
        clock.now = 0.01
        (runs["late"],) = start_run(stack, queue, 3)
        while runs:
            name = next(name for name, run in runs.items() if run.wait(0))
            order.append(name)
            step(runs[name], clock, 0.01)
            if runs[name].done == min(runs[name].steps, 3):
                queue.end(runs.pop(name))
    assert order == ["first"] * 2 + ["early"] * 3 + ["late"] * 3 + ["long"] * 3


def test_a_long_run_is_served_although_short_ones_keep_coming(clock: Clock) -> None:
    queue = Turns(1)
    with ExitStack() as stack:
        first, long = start_run(stack, queue, 1, 1000)
        clock.now = 1000 * FIRST_GUESS + 1
        (short,) = start_run(stack, queue, 1)
        queue.end(first)
        assert (long.wait(0), short.wait(0)) == (True, False), "it has waited as long as it computes"


def test_a_long_run_delays_others_by_a_slice_at_most(clock: Clock) -> None:
    queue = Turns(1)
    with ExitStack() as stack:
        (long,) = start_run(stack, queue, 1000)
        clock.now = 2000.0  # it is due long since
        (other,) = start_run(stack, queue, 100)
        steps = 0
        while not other.wait(0):
            step(long, clock, SLICE / 4)
            steps += 1
        assert steps == 5, "it ends its slice, and then the other goes first"


def test_as_many_runs_compute_at_once_as_there_are_cores(clock: Clock) -> None:
    queue = Turns(2)
    with ExitStack() as stack:
        runs = start_run(stack, queue, 9, 9, 9)
        assert [run.core for run in runs] == [0, 1, None]
        step(runs[0], clock, 0.1)
        assert [run.core for run in runs] == [0, 1, None]
        queue.end(runs[0])
        assert [run.core for run in runs] == [None, 1, 0]


def test_a_run_that_leaves_its_core_idle_gives_it_up(clock: Clock) -> None:
    with ExitStack() as stack:
        first, second = start_run(stack, Turns(1), 5, 5)
        step(first, clock, 0.1)
        assert not second.wait(0), "the first has it for its next step"
        clock.now += CLAIM + 0.01
        assert second.wait(0)
        assert not first.wait(0)
        step(second, clock, 0.1)
        assert first.wait(0), "it is due first"


def test_a_run_that_ends_early_leaves_its_core_and_its_place(clock: Clock) -> None:
    queue = Turns(1)
    with ExitStack() as stack:
        with queue.start_run(1) as waiting, queue.start_run(1) as computing:
            assert computing.wait(0)
            assert not waiting.wait(0)
        assert queue.n_runs == 0
        (run,) = start_run(stack, queue, 1)
        assert run.wait(0)


def test_the_place_counts_runs_before_and_their_seconds(clock: Clock) -> None:
    queue = Turns(2)
    with ExitStack() as stack:
        first, long, run = start_run(stack, queue, 10, 1000, 20)
        long.due = 0.0
        step(first, clock, 0.1)
        first.wait(0)
        assert queue.place(run).ahead == 2
        expected = (9 * 0.1 + SLICE) / 2 + 20 * FIRST_GUESS  # of the long run a slice, on two cores
        assert queue.place(run).seconds_left == pytest.approx(expected)


def test_a_run_that_comes_back_late_goes_on_at_once(clock: Clock) -> None:
    with ExitStack() as stack:
        (run,) = start_run(stack, Turns(1), 5)
        step(run, clock, 0.1)
        clock.now += CLAIM + 0.01  # it was busy elsewhere, with a preview
        assert run.wait(0)
