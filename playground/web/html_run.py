"""Base class of the views that show their run as HTML that grows, such as a table that fills: without a scrubber."""

import functools
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import gradio as gr

from playground.web import controls, links, plots
from playground.web.component import Value
from playground.web.controls import Control, error_sentence
from playground.web.stop import Outputs, UnderWay, Unfinished
from playground.web.view import View

PREVIOUS = "The previous run is shown."


class HTMLRunView(View):
    """View whose run is HTML.

    Attributes:
        tab: Name of the view in links.
        outputs: Components that a run fills: the stage, the state of its result, its link, and others with text.
    """

    tab: ClassVar[str]
    outputs: list[Control]

    @staticmethod
    @abstractmethod
    def values(result: Any) -> list[object]:
        """Return the values of the outputs for the result of a run, as a `gr.State` keeps it."""

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

    def stop_run(self, under_way: UnderWay, result: Any) -> list[object]:
        """Return the run as far as it came; if it has nothing to keep, the result before it is shown again."""
        nothing = self._values_of_stage(plots.paragraph("Stopped. Press Sample to start again."))
        return under_way.stop() or (nothing if result is None else self.values(result))

    def error_values(self, error: Exception, result: Any) -> list[object]:
        """Return the values of the outputs for an error, which stands above the result before it, if there is one."""
        sentence = error_sentence(error)
        if result is None:
            nothing = [gr.skip()] * (len(self.outputs) - 3)
            return [plots.paragraph(sentence), None, links.nothing(self.tab), *nothing]
        stage_value, *other_values = self.values(result)
        return [f"{plots.paragraph(f'{sentence} {PREVIOUS}')}{stage_value}", *other_values]

    def _values_of_stage(self, value: object) -> list[object]:
        return [value, *[gr.skip()] * (len(self.outputs) - 1)]


Sample = Callable[..., Iterator[Outputs]]  # method of a view


def errors_on_stage(sample: Sample) -> Sample:
    """Let a method that makes a run show its errors on the stage; its first input becomes the result of the last run,
    which an error leaves there."""

    @functools.wraps(sample)
    def run(view: HTMLRunView, result: Any, *values: object) -> Iterator[Outputs]:
        try:
            yield from sample(view, *values)
        except Exception as error:
            yield view.error_values(error, result)
            controls.raise_unseen(error)

    return run
