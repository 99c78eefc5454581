"""Base class of the views that make a run: the events that begin and stop one."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gradio as gr

from playground.runtime.validation import UserError
from playground.web import component, controls, explanation, export, links, scrubber
from playground.web.controls import (
    Control,
    Event,
    EventSettings,
    Trigger,
    error_sentence,
)
from playground.web.live_run import LiveRun
from playground.web.repeats import remember
from playground.web.stop import Outputs, UnderWay, keep_run

Sample = Callable[..., Iterator[Outputs]]  # yields its run once, and then values of a view's outputs


class Buttons(NamedTuple):
    """Buttons that begin a run, stop it, and begin one with a new seed."""

    go: gr.Button
    stop: gr.Button
    new_seed: gr.Button


class OtherRun(NamedTuple):
    """Run of another function of a view: the component whose click begins it, and the function's inputs and outputs."""

    component: Control
    sample: Sample
    inputs: list[Control]
    outputs: list[Control]


class RunLayout(NamedTuple):
    """Components of a view: the controls, the buttons, and what a run fills; `run` is its state for the export."""

    inputs: list[Control]
    buttons: Buttons
    stage: gr.HTML
    code: gr.Code
    run: gr.State
    command: gr.Code
    link: gr.HTML


@dataclass(frozen=True)
class RunView:
    """View whose scrubber, the stage, shows runs."""

    stage: gr.HTML
    buttons: Buttons
    inputs: list[Control]  # settings; a change of one marks the run on show as stale
    seed: Control  # the setting that a new seed goes to; it begins a run when it is submitted
    outputs: list[Control]  # components that a run fills, the stage first
    other_inputs: Sequence[Control] = ()  # inputs of a run before its settings, which mark the run on show likewise
    unmarked: Sequence[Control] = ()  # inputs of either kind on which the pictures of a run do not depend
    # State of the run under way, an `UnderWay`.
    under_way: gr.State = field(default_factory=lambda: gr.State(UnderWay()))

    def stop(self, under_way: UnderWay) -> list[object]:
        """Return the values of the outputs after Stop: what the run has made so far, or nothing new."""
        nothing = [{}, *[gr.skip()] * (len(self.outputs) - 1)]
        try:
            stage_value, *other_values = under_way.stop() or nothing
        except UserError as error:  # such as particles that ran off
            stage_value, *other_values = component.message(error_sentence(error)), *nothing[1:]
        return [{**stage_value, **scrubber.mark_stopped()}, *other_values]  # type: ignore[dict-item]

    def bind(
        self,
        sample: Sample,
        api_name: str,
        *,
        triggers: Sequence[Trigger] = (),
        other_runs: Sequence[OtherRun] = (),
        link_runs: Sequence[Event] = (),
    ) -> None:
        """Let the view's events begin and stop runs.

        Args:
            sample: Function that makes a run from `other_inputs` and `inputs`.
            triggers: More events that begin a run.
            other_runs: Runs of other functions.
            link_runs: Events that begin the run of a link; Stop ends these runs too.
        """
        marked = [control for control in (*self.other_inputs, *self.inputs) if control not in self.unmarked]
        # First, since a run that begins takes the mark away.
        controls.on_user_change(marked, controls.send_to_scrubber(self.stage, "settings-changed"))
        go, stop, new_seed = self.buttons
        run = keep_run(sample), [self.under_way, *self.other_inputs, *self.inputs], self.outputs
        events = [
            self._begin_on([go.click, self.seed.submit, *triggers], run, {"api_name": api_name, **controls.MODEL}),
            self._begin_on_new_seed(run, controls.MODEL),
            *(
                self._begin_on([other_run.component.click], self._other_run(other_run), controls.MODEL)
                for other_run in other_runs
            ),
            *link_runs,
        ]
        stop.click(self.stop, self.under_way, self.outputs, cancels=events, **controls.STOP)
        other_buttons = [other_run.component for other_run in other_runs if isinstance(other_run.component, gr.Button)]
        controls.enable_alternately(self.stage, [go, new_seed, *other_buttons], stop)

    def _other_run(self, run: OtherRun) -> Sequence[object]:
        return keep_run(run.sample), [self.under_way, *run.inputs], run.outputs

    def _begin_on(self, triggers: Sequence[Trigger], run: Sequence[object], settings: EventSettings) -> Event:
        return controls.track_run(self.stage, triggers, lambda: gr.on(triggers, *run, **settings))

    def _begin_on_new_seed(self, run: Sequence[object], settings: EventSettings) -> Event:
        """Return the event of a run that begins once the new seed is there."""
        button = self.buttons.new_seed

        def bind() -> Event:
            return controls.on_new_seed(button, self.seed).then(*run, **settings)

        return controls.track_run(self.stage, [button.click], bind, stale=True)


def bind_without_scrubber(
    sample: Sample,
    api_name: str,
    buttons: Buttons,
    seed: Control,
    inputs: list[Control],
    outputs: list[Control],
    under_way: gr.State,
    *,
    triggers: Sequence[Trigger],
    stop_run: Callable[..., Outputs],
    result: gr.State,
    other_controls: Sequence[Control] = (),
) -> None:
    """Let the events of a view that shows its run without a scrubber begin and stop one; meanwhile only Stop can be
    pressed.

    Args:
        sample: Function that makes a run from the last `result` and `inputs`.
        triggers: Events that begin a run beside those of the buttons and the seed.
        stop_run: Function that returns the values of the outputs after Stop, from `under_way` and the last `result`.
        other_controls: Controls that are disabled during a run, which does not depend on them.
    """
    go, stop, new_seed = buttons
    disabled, begin_events = [go, new_seed, *other_controls], [go.click, seed.submit, *triggers]
    mark = f"document.getElementById('{outputs[0].elem_id}').dataset.stale"
    controls.on_user_change([control for control in inputs if control not in other_controls], f"{mark} = '';")
    gr.on(begin_events, None, None, None, js=f"() => {{ delete {mark}; }}")
    gr.on(begin_events, None, None, [*disabled, stop], js=controls.enable_stop(len(disabled), True))
    run_inputs = [under_way, result, *inputs]
    run = gr.on(begin_events, keep_run(sample), run_inputs, outputs, api_name=api_name, **controls.MODEL)
    controls.on_new_seed(new_seed, seed).then(
        None, None, None, js=f"() => document.getElementById('{go.elem_id}').click()"
    )
    controls.on_end(run, [*disabled, stop], js=controls.enable_stop(len(disabled), False))
    stop.click(stop_run, [under_way, result], outputs, cancels=run, **controls.STOP)


def build_buttons(view: str, verb: str = "Sample") -> tuple[gr.Button, gr.Button]:
    """Build the button that begins a run, and Stop, in a row; their ids begin with the view's name."""
    with gr.Row(elem_classes="go"):
        go = gr.Button(verb, variant="primary", elem_id=f"{view}-sample", min_width=80)
        stop = gr.Button("Stop", elem_id=f"{view}-stop", min_width=80, interactive=False)
        controls.settings_button()
    return go, stop


def lay_out(
    name: str,
    build_controls: Callable[[], tuple[list[Control], gr.Button]],
    build_stage: Callable[[], gr.HTML],
    how: str,
    function: Callable[..., object],
    command_label: str = "",
    verb: str = "Sample",
) -> RunLayout:
    """Lay out the controls beside the stage and its panels.

    Args:
        name: Beginning of the ids of the buttons.
        build_controls: Function that builds the settings, and the button for a new seed.
        how, function: Explanation and code of the run.
        command_label: Label of the command line; "" if there is none.
        verb: Label of the button that begins a run.
    """
    with gr.Row(elem_classes="tab-body"):
        with controls.column():
            go, stop = build_buttons(name, verb)
            inputs, new_seed = build_controls()
        with controls.stage_column(with_settings=False):
            stage = build_stage()
            code = explanation.build(how, function)
            run = gr.State(None, time_to_live=3600)
            command = export.build(run, stage, command_label)
            link = links.build()
    return RunLayout(inputs, Buttons(go, stop, new_seed), stage, code, run, command, link)


def errors_on_stage(n_others: int) -> Callable[[Callable[..., LiveRun[Any]]], Sample]:
    """Turn a view's function that returns a run into a generator that yields the stage's value alone while the run is
    under way, and the other outputs too when it is over; its errors are shown on the stage. A run that was made before
    comes from memory, and one that is under way is joined."""
    unchanged = [gr.skip()] * n_others

    def decorate(function: Callable[..., LiveRun[Any]]) -> Sample:
        @functools.wraps(function)
        def run(*values: object) -> Iterator[Outputs]:
            try:
                for value in remember(function)(*values):
                    yield [value, *unchanged] if isinstance(value, dict) else value
            except Exception as error:
                yield [component.message(error_sentence(error)), *unchanged]
                controls.raise_unseen(error)

        return run

    return decorate
