"""Base class of the views that show their run as HTML that grows, such as a table that fills: without a scrubber."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import gradio as gr

from playground.runtime.turns import Place
from playground.runtime.validation import UserError
from playground.web import controls, links, plots
from playground.web.component import Value
from playground.web.controls import Control, ControlValue, Trigger, error_sentence
from playground.web.live_run import run_to_end
from playground.web.run_view import Buttons
from playground.web.stop import Outputs, Run, Shown, UnderWay, Unfinished, keep_run
from playground.web.view import StageView

Item = TypeVar("Item")


class HTMLRun(Run, ABC, Generic[Item]):
    """Run that is shown as HTML."""

    @abstractmethod
    def items(self) -> Iterator[Item | Place]:
        """Take the steps in turns with those of other runs; yield an item for each."""

    @abstractmethod
    def show(self, item: Item) -> Shown | None:
        """Return the HTML after a step, None if there is nothing new to show."""

    @abstractmethod
    def render(self, note: str) -> str:
        """Return the HTML as it is, with a note."""


class Result(Protocol):
    """Result of a run, as a `gr.State` keeps it."""

    @property
    def link(self) -> Value:
        """Return the value of its link."""


PREVIOUS = "The previous run is shown."


class HTMLRunView(StageView):
    """View whose run is HTML.

    Attributes:
        tab: Name of the view in links.
        params_of: Function that returns the parameters in the values of the inputs, or raises UserError.
        inputs: Controls in the order of the parameters, the seed last.
        result: State of the last run.
        link, save_button, download: Link of the run, and what saves its pictures.
        outputs: Components that a run fills: the stage, the result, the link, and others with text.
    """

    tab: ClassVar[str]
    params_of: ClassVar[Callable[..., Any]]
    inputs: list[Control]
    buttons: Buttons
    result: gr.State
    link: gr.HTML
    save_button: gr.Button
    download: gr.HTML

    @abstractmethod
    def sample(self, result: Any, *values: ControlValue) -> Iterator[Outputs]:
        """Make a run; yield values of the outputs. An error leaves the result of the last run there."""

    @abstractmethod
    def save(self, result: Any) -> Value:
        """Save the pictures of a result."""

    @abstractmethod
    def on_load(self, request: gr.Request) -> list[object]:
        """Return the values of the stage, the link and the controls as the address sets them."""

    @staticmethod
    @abstractmethod
    def values(result: Any) -> list[object]:
        """Return the values of the outputs for the result of a run."""

    def stream(
        self, run: HTMLRun[Item], finish: Callable[[], Sequence[object]], params: Any, previous: Result | None
    ) -> Iterator[Shown | Outputs]:
        """Make a run; yield the visit, its address, so that a reload asks for it again, beside the link of the previous
        result, its HTML while it is under way, and the values of its end, which `finish` returns for the steps so
        far."""
        shown = previous.link if previous else links.nothing(self.tab)
        link_value = {**shown, "address": links.query(self.tab, params)}
        first = [gr.skip(), gr.skip(), link_value, *[gr.skip()] * (len(self.outputs) - 3)]
        yield from run_to_end(Unfinished(run, finish), first, run.items(), run.show, run.render)

    def stop_run(self, under_way: UnderWay, result: Result | None, *values: ControlValue) -> list[object]:
        """Return the run as far as it came; if it has nothing to keep, the result before it is shown again."""
        nothing = self.stage_values(plots.paragraph("Stopped. Press Sample to start again."))
        return under_way.stop() or (nothing if result is None else self.values_again(result, values))

    def error_values(self, error: Exception, result: Result | None = None, *values: Any) -> list[object]:
        """Return the values of the outputs for an error, which stands above the result before it, if there is one."""
        sentence = error_sentence(error)
        if result is None:
            nothing = [gr.skip()] * (len(self.outputs) - 3)
            return [plots.paragraph(sentence), None, links.nothing(self.tab), *nothing]
        stage_value, *other_values = self.values_again(result, values)
        return [f"{plots.paragraph(f'{sentence} {PREVIOUS}')}{stage_value}", *other_values]

    def values_again(self, result: Result, values: Sequence[ControlValue]) -> list[object]:
        """Return the values of the outputs for the last result, marked as stale if the controls have other values than
        its own."""
        stage_value, *other_values = self.values(result)
        try:
            is_stale = links.query(self.tab, self.params_of(*values)) != result.link["link"]
        except UserError:
            is_stale = True
        return [f"<div data-stale>{stage_value}</div>" if is_stale else stage_value, *other_values]

    def bind_runs(
        self, page: gr.Blocks, triggers: Sequence[Trigger] = (), other_controls: Sequence[Control] = ()
    ) -> gr.State:
        """Bind the event of the page, and those that begin and stop a run, and save it; meanwhile only Stop can be
        pressed. Return the state of the run under way.

        Args:
            triggers: Events that begin a run beside those of the buttons, the seed and the link.
            other_controls: Controls that are disabled during a run, which does not depend on them.
        """
        (go, stop, new_seed), seed, under_way = self.buttons, self.inputs[-1], gr.State(UnderWay())
        disabled, begin_events = [go, new_seed, *other_controls], [go.click, seed.submit, self.link.select, *triggers]
        stage = f"document.getElementById('{self.outputs[0].elem_id}')"
        settings = [control for control in self.inputs if control not in other_controls]
        controls.on_user_change(settings, f"{stage}.dataset.stale = '';")
        in_view = f"if ({stage}.getBoundingClientRect().bottom < 0) {stage}.scrollIntoView();"  # as on a phone
        gr.on(begin_events, None, None, None, js=f"() => {{ delete {stage}.dataset.stale; {in_view} }}")
        gr.on(begin_events, None, None, [*disabled, stop], js=controls.enable_stop(len(disabled), True))
        run, inputs, outputs = keep_run(self.sample), [under_way, self.result, *self.inputs], self.outputs
        event = gr.on(begin_events, run, inputs, outputs, api_name=links.api_name(self.tab), **controls.MODEL)
        click_go = f"() => document.getElementById('{go.elem_id}').click()"
        controls.on_new_seed(new_seed, seed).then(None, None, None, js=click_go)
        controls.on_end(event, [*disabled, stop], js=controls.enable_stop(len(disabled), False))
        stop.click(self.stop_run, inputs, outputs, cancels=event, **controls.STOP)
        self.save_button.click(self.save, self.result, self.download, **controls.SLOW)
        page.load(self.on_load, None, [self.outputs[0], self.link, *self.inputs], **controls.LIGHT)
        return under_way
