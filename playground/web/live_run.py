"""Runs under way, frame by frame: all who ask for the same run follow one, and whoever has the turn takes its next
step."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import gradio as gr

from playground.runtime import inference
from playground.runtime.turns import Place
from playground.web import scrubber
from playground.web.component import Value
from playground.web.scrubber import Strip
from playground.web.stop import Outputs, Run, Shown, Unfinished

PAUSE = 0.4  # seconds between previews
Item = TypeVar("Item")


class LiveRun(Run, Generic[Item]):
    """Run of a sampler, which goes on while anybody follows it."""

    def __init__(
        self,
        frames: Iterator[Item],
        steps: int,
        keep: Callable[[Item], None],
        make_strips: Callable[[Item], list[Strip]],
        finish: Callable[[], Sequence[object]],
        link: Value,
    ):
        """Set up a run.

        Args:
            frames: Generator of the sampler.
            steps: Number of its steps.
            keep: Function that is called with every frame.
            make_strips: Function that returns the strips of a frame's preview.
            finish: Function that returns the values of the view's outputs for the frames so far.
            link: Value of the view's link for this run.
        """
        super().__init__(steps)
        self.make_strips, self.finish, self.link = make_strips, finish, link
        self._frames, self._keep, self._stepping = frames, keep, threading.Lock()
        self._error: Exception | None = None  # of the sampler

    def take_step(self) -> tuple[int, Item] | None:
        """Take the next step, and return its number and its frame; None after the last."""
        with self._stepping:
            if self._error:  # the sampler has ended for all
                raise self._error
            try:
                frame = next(self._frames, None)
            except Exception as error:
                self._error = error
                raise
            if frame is None:
                return None
            with self.lock:
                self._keep(frame)
                self.step += 1
            return self.step, frame


class Previews(Generic[Item]):
    """Previews of a run for one who follows it since `start`."""

    def __init__(self, run: LiveRun[Item], start: float):
        self._run, self._start, self._n_seen, self._last_preview = run, start, 0, start
        # The step from which the time of a step is measured, when that was, and when the time left is told first.
        self._first_step, self._since, self._estimate_time = run.step, start, start

    def show(self, item: tuple[int, Item]) -> Value | None:
        """Return the value that shows the strips of a step's frame; None if drawing them would take too long."""
        run, (step, frame) = self._run, item
        self._n_seen, now = self._n_seen + 1, time.monotonic()
        if self._n_seen == 2:  # the first step takes longer, and one alone tells little
            self._since, self._first_step, self._estimate_time = now, step, now + 0.5
        seconds_left = (now - self._since) / max(step - self._first_step, 1) * (run.steps - step)
        is_due = now - self._last_preview > PAUSE and seconds_left > PAUSE  # drawing slows the last steps down
        if not is_due and self._n_seen != 2:
            return None
        with run.lock:
            strips = run.make_strips(frame)
        if not strips:  # as while all that could be shown is missing
            return None
        self._last_preview = time.monotonic()
        caption = f"step {step} of {run.steps}"
        caption += f" · about {seconds_left:.0f} s left" if now > self._estimate_time else ""
        return scrubber.pack_preview(strips, step, run.steps + 1, caption, self._start)


def follow(run: LiveRun[Item]) -> Iterator[Shown | Outputs]:
    """Take the steps of a run that are left, in turn with others who follow it; yield the visit, the address of the
    run, values that show the strips of its frames while it is under way, and those of its end."""
    start = time.monotonic()
    yield from run_to_end(
        Unfinished(run, run.finish),
        scrubber.pack_address(run.link["address"], start),
        inference.in_turns(iter(run.take_step, None), run.steps - run.step, inference.PATIENCE),
        Previews(run, start).show,
        lambda place: scrubber.pack_place(place, start),
    )


def run_to_end(
    visit: Unfinished,
    first: Shown | Outputs,
    items: Iterator[Item | Place],
    show: Callable[[Item], Shown | None],
    show_place: Callable[[str], Shown],
) -> Iterator[Shown | Outputs]:
    """Yield the visit of a run, the values at its beginning, what shows its items while it is under way, or its place
    while it waits for others, and the values of its end.

    Args:
        items: Its steps, in turns with those of other runs.
        show: Function that returns what shows an item, None if there is nothing new.
        show_place: Function that returns what shows a sentence about the run's place.
    """
    finish = visit.finish  # who gets the visit may put another in its place, for Stop
    yield visit
    yield first
    for item in items:
        if visit.is_stopped:  # wait for Gradio to cancel it: if it ended now, the next run might be cancelled instead
            yield gr.skip()
        elif isinstance(item, Place):
            yield show_place(describe_place(item))
        elif (shown := show(item)) is not None:
            yield shown
    if not visit.is_stopped:
        yield finish()


def describe_place(place: Place) -> str:
    """Return a sentence about the place of a run that waits."""
    before = f"{place.ahead} run{'s' if place.ahead > 1 else ''} before this one" if place.ahead else "this run is next"
    return f"Waiting for the model: {before} · about {max(place.seconds_left, 1):.0f} s left"
