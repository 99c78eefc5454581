"""Controls that every tab shares, and the answer of a function to bad input."""

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeAlias, TypeVar, cast

import gradio as gr

from playground.diffusion.samplers import SAMPLERS
from playground.runtime.validation import MAX_SEED, UserError

Control: TypeAlias = Any  # Gradio component; type checkers do not know its events, which Gradio adds at run time
ControlValue: TypeAlias = Any  # value of a control as anyone may send it, until a view's parameters have checked it
Trigger: TypeAlias = Callable[..., Any]  # event of a component, such as `button.click`
Event: TypeAlias = Any  # value of a listener, on which `.then` goes on
EventSettings: TypeAlias = dict[str, Any]  # keyword arguments of `gr.on` and of events
Run = TypeVar("Run")
Function = TypeVar("Function", bound=Callable[..., Any])

# Without progress, on any component: at each event of the page, Gradio's browser code visits all components once for
# every component that ever showed progress.
# What is chosen while the answer to the choice before is on its way counts once that has come: Gradio would ignore it.
HIDDEN: EventSettings = {"show_progress": "hidden", "show_progress_on": [], "trigger_mode": "always_last"}
LIGHT: EventSettings = {**HIDDEN, "concurrency_id": "light", "concurrency_limit": 2}
MAX_RUNS = 64  # that are under way or wait for their turn, see `playground.runtime.turns`; more wait in Gradio's queue
MODEL: EventSettings = {**HIDDEN, "concurrency_id": "model", "concurrency_limit": MAX_RUNS, "trigger_mode": "once"}
INSTANT: EventSettings = {**HIDDEN, "queue": False}
STOP: EventSettings = {**INSTANT, "trigger_mode": "once"}
SLOW: EventSettings = {"show_progress": "minimal", "trigger_mode": "always_last"}  # takes a second or so after a press


def skip_preprocess(control: Control) -> Control:
    """Pass any value on to the function, whose own checks are complete and say what to do.

    Gradio checks only the bounds of a slider; a string or a null breaks its checks, and the user would see "Error".
    """
    control.preprocess = lambda payload: payload
    return control


def column() -> gr.Column:
    """Return the column of a view's controls, to be entered by `with`."""
    return gr.Column(scale=1, min_width=260, elem_classes="controls")


@contextmanager
def stage_column(with_settings: bool = True) -> Iterator[None]:
    """Build the column of a view's pictures, beside that of its controls, with a bar of the button that leads to these
    unless the view has it in a bar of its own."""
    with gr.Column(scale=3, min_width=320, elem_classes="stage"):
        if with_settings:
            with gr.Row(elem_classes="go to-settings"):
                settings_button()
        yield


def show_for(choice: Control, components: Mapping[str, Control]) -> None:
    """Show of some components only that of the option that is chosen."""

    def show(chosen: str) -> list[object] | object:
        updates = [gr.update(visible=chosen == option) for option in components]
        return updates if len(updates) > 1 else updates[0]

    choice.change(show, choice, [*components.values()], **INSTANT)


def on_new_seed(button: gr.Button, number: Control) -> Event:
    """Return the event that sets a new seed when a button is clicked; go on with `.then`."""
    return button.click(None, None, number, js=f"() => Math.floor(Math.random() * {MAX_SEED})")


def track_run(stage: gr.HTML, triggers: Sequence[Trigger], bind: Callable[[], Event], stale: bool = False) -> Event:
    """Return the event that begins a run; the scrubber `stage` waits for it from the first moment.

    Args:
        bind: Function that binds the run to the triggers and returns the event; it is called after the scrubber has
            bound its own.
        stale: Mark the pictures on show as those of other settings from the first moment.
    """
    gr.on(triggers, None, None, None, js=f"() => {{ {send_to_scrubber(stage, 'run-requested', stale)} }}")
    event = bind()
    on_end(event, None, js=f"() => {{ {send_to_scrubber(stage, 'run-ended')} }}")
    return event


def send_to_scrubber(stage: gr.HTML, event: str, detail: bool = False) -> str:
    """Return the statement of JavaScript that sends an event to a scrubber."""
    return f"""document.querySelector('#{stage.elem_id} [data-live]')
      ?.dispatchEvent(new CustomEvent('{event}', {{detail: {str(detail).lower()}}}));"""


def on_end(event: Event, outputs: Sequence[Control] | None, js: str) -> None:
    """Run JavaScript once an event has ended, in whatever way: after an error Gradio calls `failure` alone."""
    for listen in (event.then, event.failure):
        listen(None, None, outputs, js=js)


def enable_alternately(stage: gr.HTML, start_buttons: Sequence[gr.Button], stop: gr.Button) -> None:
    """Enable only Stop while the scrubber `stage` waits for a run or shows one under way, and otherwise only the
    buttons that start one."""
    stage.play(None, None, [*start_buttons, stop], js=enable_stop(len(start_buttons), True))
    stage.end(None, None, [*start_buttons, stop], js=enable_stop(len(start_buttons), False))


def enable_stop(n_others: int, enabled: bool) -> str:
    """Return JavaScript whose outputs are a number of controls, and Stop after them: it enables Stop alone, or all but
    Stop."""
    update = "{{__type__: 'update', interactive: {}}}".format
    other_update, stop_update = (update(str(value).lower()) for value in (not enabled, enabled))
    return f"() => [{', '.join([other_update] * n_others + [stop_update])}]"


def settings_button() -> None:
    """Build the button that goes to the controls, which come last on a phone, and from there back to the pictures."""
    js = """() => {
      const goTo = (column) => [...document.querySelectorAll(column)].find((one) => one.offsetParent)?.scrollIntoView();
      const before = scrollY;
      goTo('.controls');
      if (scrollY <= before) goTo('.stage'); // it was among the controls already
    }"""
    gr.Button("Settings", elem_classes="to-settings", min_width=80).click(None, None, None, js=js)


def on_user_change(controls: Sequence[Control], script: str) -> None:
    """Let a statement of JavaScript run whenever the user, but not a value of ours, changes one of the controls."""
    texts = [control for control in controls if isinstance(control, gr.Textbox)]
    other_controls = [control for control in controls if not isinstance(control, gr.Textbox)]
    changes = [control.upload if isinstance(control, gr.UploadButton) else control.input for control in other_controls]
    gr.on(changes, None, None, None, js=f"() => {{ {script} }}")
    is_user = "document.activeElement?.matches('input, textarea')"
    for text in texts:
        # Its `input` follows Enter, but no paste and no deletion; its `change` follows a new value of ours, too.
        text.change(None, None, None, js=f"() => {{ if ({is_user}) {script} }}")


# Controls of settings. Functions check their values themselves, see `skip_preprocess`.


def radio(choices: Sequence[Any], value: ControlValue, label: str, hint: str | None, **properties: Any) -> Control:
    """Build a choice of which all options are on show."""
    return skip_preprocess(gr.Radio(choices, value=value, label=label, info=hint, elem_classes="chips", **properties))


def dropdown(choices: Sequence[Any], value: ControlValue, label: str, hint: str) -> Control:
    """Build a choice of many options."""
    return skip_preprocess(gr.Dropdown(choices, value=value, label=label, info=hint))


def slider(
    low: float, high: float, value: float | None, step: float, label: str, hint: str, **properties: Any
) -> Control:
    """Build a number between bounds."""
    return skip_preprocess(gr.Slider(low, high, value, step=step, label=label, info=hint, **properties))


def number(value: float | None, label: str, hint: str, **properties: Any) -> Control:
    """Build a number without bounds."""
    return skip_preprocess(gr.Number(value, label=label, info=hint, **properties))


def seed(hint: str = "The same seed gives the same pictures.", value: int = 0) -> tuple[Control, gr.Button]:
    """Build the seed, and the button for a new one: bind it with `on_new_seed`."""
    with gr.Row(equal_height=True):
        control = number(value, "Seed", hint, precision=0, min_width=100, scale=3)
        button = gr.Button("New seed", min_width=90, scale=1, elem_classes="input-button")
    return control, button


def steps(most: int, value: int) -> Control:
    """Build the number of steps of a diffusion sampler."""
    return slider(1, most, value, 1, "Steps", "More steps are slower and more exact.")


def sampler(value: str) -> Control:
    """Build the choice of a diffusion sampler."""
    choices = [(row.title, name) for name, row in SAMPLERS.items()]
    hint = (
        "DDPM adds fresh noise at every step, DDIM as much as η says; DPM-Solver++ needs the fewest steps, and Heun "
        "evaluates the network twice in each."
    )
    return radio(choices, value, "Sampler", hint)


def eta(value: float, sampler: Control) -> Control:
    """Build DDIM's noise level, which is disabled while another sampler is chosen."""
    control = slider(0, 1, value, 0.05, "Noise η", "For DDIM: 0 adds no noise, 1 as much as DDPM.")
    enable_for_samplers(control, sampler, *(name for name, row in SAMPLERS.items() if row.stochastic == "eta"))
    return control


def enable_for_samplers(control: Control, sampler: Control, *names: str) -> None:
    """Disable a control while a sampler is chosen that does not use it."""
    sampler.change(lambda name: gr.update(interactive=name in names), sampler, control, **INSTANT)


def user_errors_to_gradio(function: Function) -> Function:
    """Turn a `UserError` of a function or generator into the sentence that the page and the API show."""

    @functools.wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise gradio_error(error) from error

    @functools.wraps(function)
    def iterate(*args: object, **kwargs: object) -> Iterator[object]:
        try:
            yield from function(*args, **kwargs)
        except UserError as error:
            raise gradio_error(error) from error

    return cast(Function, iterate if inspect.isgeneratorfunction(function) else call)


def check_kept(run: Run | None) -> Run:
    """Return the run in a visitor's state, which keeps it for an hour at most and while there is room for it, or raise
    UserError if it is not there."""
    if run is None:
        raise UserError("there is no run here, or it is no longer kept: begin one, or change a setting")
    return run


def gradio_error(error: UserError, visible: bool = True) -> gr.Error:
    """Return an error as Gradio shows it, in a corner of the page unless its place shows it already, and in the API."""
    return gr.Error(error_sentence(error), print_exception=False, visible=visible)


def raise_unseen(error: Exception) -> NoReturn:
    """Raise an error that the stage shows already: a message in a corner would outlive the next success."""
    if isinstance(error, UserError):
        raise gradio_error(error, visible=False) from error
    raise error


def error_sentence(error: Exception) -> str:
    """Return an error as a sentence for the page; errors that are not the user's own come without details."""
    if not isinstance(error, UserError):
        return "Something broke on our side; please try again."
    text = re.sub(r"`([^`]+)`", r"“\1”", str(error).strip())  # no place of the page reads Markdown in a sentence
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")
