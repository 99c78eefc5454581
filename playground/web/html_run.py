"""Base class of the views that show their run as HTML that grows, such as a table that fills: without a scrubber."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Protocol

import gradio as gr

from playground.web import controls, links, plots
from playground.web.component import Value
from playground.web.controls import Control, error_sentence
from playground.web.stop import Outputs, UnderWay, Unfinished
from playground.web.view import View


class Result(Protocol):
    """Result of a run, as a `gr.State` keeps it."""

    def render(self) -> str:
        """Return it as HTML."""


class HTMLRunView(View):
    """View whose run is HTML.

    Attributes:
        tab: Name of the view in links.
        outputs: Components that a run fills: the stage, the state of its result, its link, and others with text.
    """

    tab: ClassVar[str]
    outputs: list[Control]

    def stream(
        self, progress: Iterator[tuple[int, str]], finish: Callable[[], Sequence[object]], steps: int, link: Value
    ) -> Iterator[Outputs]:
        """Run to the end; yield the run, its link, so that a reload asks for it again, its HTML while it is under way,
        and the values of its end.

        Args:
            progress: Run that yields the number of its steps so far, -1 while it has nothing to keep, and its HTML, ""
                if that is as before.
            finish: Function that returns the values of the outputs for the steps so far.
            steps: Number of steps of the whole run.
            link: Value of the link.
        """
        yield (run := Unfinished(finish, steps))
        yield [gr.skip(), gr.skip(), link, *[gr.skip()] * (len(self.outputs) - 3)]
        for step, text in progress:
            with run.lock:
                run.step = run.step if run.is_stopped else step
            # A stopped run waits for Gradio to cancel it: if it ended now, the next one might be cancelled instead.
            yield self._values_of_stage(gr.skip() if run.is_stopped or not text else text)
        if not run.is_stopped:
            yield finish()

    def stop_run(self, under_way: UnderWay, result: Result | None) -> list[object]:
        """Return the run as far as it came; if it has nothing to keep, the result before it is shown again."""
        before = result.render() if result else plots.paragraph("Stopped. Press Sample to start again.")
        return under_way.stop() or self._values_of_stage(before)

    def error_values(self, error: Exception) -> list[object]:
        """Return the values of the outputs for an error, which stands in place of the result: nothing is left of it
        that could be saved or linked."""
        texts = [""] * (len(self.outputs) - 3)
        return [plots.paragraph(error_sentence(error)), None, links.nothing(self.tab), *texts]

    def _values_of_stage(self, value: object) -> list[object]:
        return [value, *[gr.skip()] * (len(self.outputs) - 1)]


Sample = Callable[..., Iterator[Outputs]]  # method of a view


def errors_on_stage(sample: Sample) -> Sample:
    """Let a method that makes a run show its errors on the stage."""

    @functools.wraps(sample)
    def run(view: HTMLRunView, *values: object) -> Iterator[Outputs]:
        try:
            yield from sample(view, *values)
        except Exception as error:
            yield view.error_values(error)
            controls.raise_unseen(error)

    return run
