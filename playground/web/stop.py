"""Stop: a run that is ended early stays as far as it came, and says so."""

import functools
import threading
from collections.abc import Callable, Iterator, Sequence

import gradio as gr

from playground.web import export, links
from playground.web.component import Value

PAUSE = 0.4  # seconds after which a run that waits for another of its view can be stopped


class Run:
    """Run of so many steps.

    Attributes:
        step: Of the newest frame, -1 while there is nothing to keep; of `steps`.
        lock: Held while a frame is kept, or values are made of those that are.
    """

    def __init__(self, steps: int):
        self.steps, self.step, self.lock = steps, -1, threading.Lock()


class Unfinished:
    """Run under way as one of those who follow it sees it: Stop ends it early, for this visitor alone.

    Attributes:
        finish: Function that returns the values of the view's outputs for the frames so far.
    """

    def __init__(self, run: Run, finish: Callable[[], Sequence[object]]):
        self.run, self.finish, self.is_stopped = run, finish, False

    def stop(self) -> list[object]:
        """End the run; return the values of the outputs for the frames so far, [] if there are none."""
        run = self.run
        with run.lock:
            self.is_stopped = True
            values = list(self.finish()) if run.step >= 0 else []
            return values if run.step == run.steps else describe_stop(values, run.step, run.steps)


class UnderWay:
    """Run under way of one visitor's view, as the value of a `gr.State`.

    Attributes:
        turn: Held by the run; one that is begun meanwhile by another event, such as that of a link, waits for it.
        changes: Number of runs that began, and of those that ended.
    """

    def __init__(self) -> None:
        self.run: Unfinished | None = None
        self.turn, self.changes = threading.Lock(), 0

    def __deepcopy__(self, _: object) -> "UnderWay":
        """Return that of another visitor."""
        return UnderWay()

    def set(self, run: Unfinished | None) -> None:
        """Note that a run has begun, or has ended."""
        self.run = run
        self.changes += 1

    def stop(self) -> list[object]:
        """End the run, if there is one; return the result of its `stop`, or []."""
        run = self.run
        self.set(None)
        return run.stop() if run else []


Outputs = Unfinished | Sequence[object]  # a run, or values of a view's outputs
Shown = Value | str  # value of a view's stage, a scrubber or HTML, while its other outputs stay as they are


def keep_run(sample: Callable[..., Iterator[Outputs]]) -> Callable[..., Iterator[object]]:
    """Let a function keep its run in an `UnderWay`, its first input from now on, until it ends by itself or fails; one
    that is under way there ends first."""

    @functools.wraps(sample)
    def run(under_way: UnderWay, *values: object) -> Iterator[object]:
        while not under_way.turn.acquire(timeout=PAUSE):
            yield gr.skip()
        try:
            for outputs in sample(*values):
                if isinstance(outputs, Unfinished):
                    under_way.set(outputs)
                else:
                    yield outputs
            under_way.set(None)  # a run that Gradio cancels stays, for Stop
        except Exception:
            under_way.set(None)
            raise
        finally:
            under_way.turn.release()

    return run


def newest_run_only(function: Callable[..., object]) -> Callable[..., object]:
    """Let a function about the run on show change nothing if a run has begun or ended meanwhile; its first input
    becomes the view's `UnderWay`."""

    def call(under_way: UnderWay, *values: object) -> object:
        changes = under_way.changes
        answer = function(*values)
        return answer if changes == under_way.changes else gr.skip()

    return call


def describe_stop(values: Sequence[object], step: int, steps: int) -> list[object]:
    """Let the values of a view's outputs say at which step their run was stopped."""
    text = f"stopped at step {step} of {steps}"
    commands = [value.about.get("command") for value in values if isinstance(value, export.ExportableRun)]

    def describe(value: object) -> object:
        if isinstance(value, export.ExportableRun):
            about = {key: entry for key, entry in value.about.items() if key != "command"}
            return value._replace(about={**about, "stopped": text})
        if isinstance(value, dict) and "strips" in value:
            return {**value, "notice": f"S{text[1:]}. {value['notice']}".strip()}
        if isinstance(value, dict) and value.get("link"):
            return {**value, "copied": links.WHOLE_RUN}
        return f"# {text}; this makes the whole run:\n{value}" if value and value in commands else value

    return [describe(value) for value in values]
