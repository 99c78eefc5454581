"""Runs under way, frame by frame: all who ask for the same run follow one, and whoever has the turn takes its next
step."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import gradio as gr

from playground.runtime import inference
from playground.runtime.turns import Place
from playground.web import scrubber
from playground.web.component import Value
from playground.web.scrubber import Strip
from playground.web.stop import Outputs, Unfinished

PAUSE = 0.4  # seconds between previews
Item = TypeVar("Item")


class LiveRun(Generic[Item]):
    """Run of a sampler of so many steps, which goes on while anybody follows it.

    Attributes:
        step: Of the newest frame, -1 before the first; of `steps`.
        lock: Held while a frame is kept, or a preview made of those that are.
    """

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
        self.steps, self.step, self.make_strips, self.finish, self.link = steps, -1, make_strips, finish, link
        self._frames, self._keep = frames, keep
        self._error: Exception | None = None  # of the sampler
        self.lock, self._stepping = threading.Lock(), threading.Lock()

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


class Visit(Unfinished):
    """Run as one of those who follow it sees it: Stop ends it for this visitor alone."""

    def __init__(self, run: LiveRun[Any]):
        super().__init__(run.finish, run.steps)
        self.run = run

    def stop(self) -> list[object]:
        """End the run for this visitor; return the values of the outputs for the frames so far."""
        with self.run.lock:
            self.step = self.run.step
            return super().stop()


def follow(run: LiveRun[Item]) -> Iterator[Value | Outputs]:
    """Take the steps of a run that are left, in turn with others who follow it; yield the visit, the address of the
    run, values that show the strips of its frames while it is under way, and those of its end."""
    yield (visit := Visit(run))
    start = last_preview = since = estimate_time = time.monotonic()
    n_seen, first_step = 0, run.step
    yield scrubber.pack_address(run.link["address"], start)
    for item in inference.in_turns(iter(run.take_step, None), run.steps - run.step, inference.PATIENCE):
        if visit.is_stopped:  # wait for Gradio to cancel it: if it ended now, the next run might be cancelled instead
            yield gr.skip()
            continue
        if isinstance(item, Place):
            yield scrubber.pack_place(describe_place(item), start)
            continue
        step, frame = item
        n_seen, now = n_seen + 1, time.monotonic()
        if n_seen == 2:  # the first step takes longer, and one alone tells little
            since, first_step, estimate_time = now, step, now + 0.5
        seconds_left = (now - since) / max(step - first_step, 1) * (run.steps - step)
        if n_seen == 2 or (now - last_preview > PAUSE and seconds_left > PAUSE):  # drawing slows the last steps down
            with run.lock:
                strips = run.make_strips(frame)
            if not strips:  # as while all that could be shown is missing
                continue
            last_preview = time.monotonic()
            caption = f"step {step} of {run.steps}"
            caption += f" · about {seconds_left:.0f} s left" if now > estimate_time else ""
            yield scrubber.pack_preview(strips, step, run.steps + 1, caption, start)
    if not visit.is_stopped:
        yield run.finish()


def describe_place(place: Place) -> str:
    """Return a sentence about the place of a run that waits."""
    before = f"{place.ahead} run{'s' if place.ahead > 1 else ''} before this one" if place.ahead else "this run is next"
    return f"Waiting for the model: {before} · about {max(place.seconds_left, 1):.0f} s left"
