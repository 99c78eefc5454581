"""Controls that every tab shares, and how a function answers to bad input."""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gradio as gr

from playground.validation import MAX_SEED, UserError

# How events are handled, for gr.on and the like.
PRIVATE: dict[str, Any] = {"api_visibility": "private"}  # no part of the API
# No progress is shown, and on nothing: at each event of the page, Gradio's browser code walks through all components
# once for every one that ever had a progress.
HIDDEN: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": []}
LIGHT: dict[str, Any] = {**HIDDEN, "concurrency_id": "light", "concurrency_limit": 2}
MODEL: dict[str, Any] = {**HIDDEN, "concurrency_id": "model", "concurrency_limit": 1, "trigger_mode": "once"}  # a run
SLOW: dict[str, Any] = {"show_progress": "minimal", **PRIVATE}  # a second or so, after a press


def unchecked(control: Any) -> Any:
    """Let any value through to the function, whose own checks are complete and say what to do.

    Gradio's catch a slider's bounds only; a string or a null breaks them, and the user would see "Error".
    """
    control.preprocess = lambda payload: payload
    return control


def thrown(dice: gr.Button, number: Any) -> Any:
    """The dice are pressed, and there is a new seed: go on with `.then`."""
    return dice.click(None, None, number, js=f"() => Math.floor(Math.random() * {MAX_SEED})")


def accompany(
    stage: gr.HTML, triggers: Sequence[Callable[..., Any]], begin: Callable[[], Any], stale: bool = False
) -> Any:
    """Listen with a function that makes a run, for which the scrubber `stage` waits from the first moment.

    Args:
        begin: listens to the triggers with it, after the scrubber does.
        stale: from the first moment the settings are not those of the pictures.
    """

    def tell(event: str) -> str:
        return f"""() => document.querySelector('#{stage.elem_id} [data-live]')
          ?.dispatchEvent(new CustomEvent('{event}', {{detail: {str(stale).lower()}}}))"""

    gr.on(triggers, None, None, None, js=tell("awaited"))
    started = begin()
    started.then(None, None, None, js=tell("over"))
    return started


def enable_by_turns(stage: gr.HTML, starts: Sequence[gr.Button], stop: gr.Button) -> None:
    """Let only Stop be pressed while the scrubber `stage` waits for a run or shows one under way, and only then."""

    def enabled(yes: bool) -> str:
        update = "{{__type__: 'update', interactive: {}}}".format
        return f"() => [{', '.join([update('false' if yes else 'true')] * len(starts) + [update(str(yes).lower())])}]"

    stage.play(None, None, [*starts, stop], js=enabled(True))
    stage.end(None, None, [*starts, stop], js=enabled(False))


def to_settings() -> None:
    """On a phone, where the controls come last, a button that goes to them."""
    js = "() => [...document.querySelectorAll('.controls')].find((each) => each.offsetParent)?.scrollIntoView()"
    gr.Button("Settings", elem_classes="to-settings", min_width=80).click(None, None, None, js=js)


def mark_stale(controls: Iterable[Any], stage: gr.HTML) -> None:
    """Let the scrubber `stage` say so while the controls are not those of the run that it shows."""
    mark = f"() => {{ document.querySelector('#{stage.elem_id} [data-ready]')?.dispatchEvent(new Event('changed')); }}"
    gr.on([control.input for control in controls], None, None, None, js=mark)


def seed(hint: str = "The same seed gives the same pictures.", value: int = 0) -> tuple[gr.Number, gr.Button]:
    """The seed, and a button that throws a new one: listen to it with `thrown`."""
    with gr.Row(equal_height=True, elem_classes="seed"):
        number = unchecked(gr.Number(value, label="Seed", info=hint, precision=0, min_width=100, scale=3))
        dice = gr.Button("New seed", min_width=90, scale=1, elem_classes="dice")
    return number, dice


SAMPLERS = [("DDIM", "ddim"), ("DDPM", "ddpm"), ("DDPM, σ² = β", "ddpm-large"), ("DPM-Solver++", "dpm-solver++")]


def sampler(value: str) -> gr.Radio:
    """One of the samplers of diffusion."""
    hint = "DDPM adds fresh noise in every step, DDIM as much as η says; DPM-Solver++ needs the fewest steps."
    return unchecked(gr.Radio(SAMPLERS, value=value, label="Sampler", info=hint, elem_classes="chips"))


def eta(value: float, sampler: gr.Radio) -> gr.Slider:
    """The noise of DDIM; it rests while another sampler is chosen."""
    slider = gr.Slider(0, 1, value, step=0.05, label="Noise η", info="Of DDIM: 0 adds none, 1 as much as DDPM.")
    rest(slider, sampler, "ddim")
    return unchecked(slider)


def rest(control: Any, sampler: gr.Radio, *needed: str) -> None:
    """Let a control rest while a sampler is chosen that does not need it."""
    sampler.change(lambda name: gr.update(interactive=name in needed), sampler, control, queue=False, **PRIVATE)


def answered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a `UserError` into the one sentence that the page and the API show."""

    def shown(error: UserError) -> gr.Error:
        return gr.Error(sentence(error), print_exception=False)

    @functools.wraps(function)
    def once(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            raise shown(error) from error

    @functools.wraps(function)
    def step_by_step(*args: Any, **kwargs: Any) -> Any:
        try:
            yield from function(*args, **kwargs)
        except UserError as error:
            raise shown(error) from error

    return step_by_step if inspect.isgeneratorfunction(function) else once


def sentence(error: Exception) -> str:
    """An error as a sentence for the page; what is not the user's to mend is not spelt out."""
    if not isinstance(error, UserError):
        return "Something broke on our side; please try again."
    text = str(error).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")
