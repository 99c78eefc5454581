"""Views that make a run when they are asked to: how one begins and ends, and what is shown of it meanwhile."""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import gradio as gr
import numpy as np

from playground import compute
from playground.ui import component, controls, links, scrubber
from playground.ui.controls import answered, sentence
from playground.ui.scrubber import Strip

PAUSE = 0.4  # seconds between previews
Moment = TypeVar("Moment")


class Buttons(NamedTuple):
    """What begins a run, stops it, and begins one with a new seed."""

    go: gr.Button
    stop: gr.Button
    dice: gr.Button


def go_and_stop(view: str) -> tuple[gr.Button, gr.Button]:
    """Sample and Stop in a row; their ids begin with the view's name."""
    with gr.Row(elem_classes="go"):
        go = gr.Button("Sample", variant="primary", elem_id=f"{view}-sample", min_width=80)
        stop = gr.Button("Stop", elem_id=f"{view}-stop", min_width=80, interactive=False)
        controls.to_settings()
    return go, stop


def listen(
    stage: gr.HTML,
    buttons: Buttons,
    sample: Callable[..., Iterator[Sequence[Any]]],
    inputs: list[Any],
    outputs: list[Any],
    seed: Any,
    api_name: str,
    beside: Sequence[Any] = (),
    also: Sequence[Callable[..., Any]] = (),
    quietly: Sequence[Callable[..., Any]] = (),
    others: Sequence[tuple[Any, ...]] = (),
    linked: Sequence[Any] = (),
) -> None:
    """Let a view's events begin and stop the runs that the scrubber `stage` shows.

    Args:
        sample: yields the values of the outputs, given those of `beside` and of the inputs.
        inputs: the settings; when one is moved, the run on show is marked as another's.
        seed: the one among them that the dice throw, and that begins a run when it is submitted.
        also: further events that begin a run; `quietly`: those that are no part of the API.
        others: buttons that begin a run of their own: what is pressed, the function, its inputs and its outputs.
        linked: events that begin a run elsewhere, which Stop ends too.
    """
    controls.mark_stale(inputs, stage)  # before what begins a run, which takes the mark away
    go, stop, dice = buttons
    quiet: dict[str, Any] = {**controls.MODEL, **controls.PRIVATE}
    own = sample, [*beside, *inputs], outputs

    def on(triggers: Sequence[Callable[..., Any]], *run: Any, **how: Any) -> Any:
        return controls.accompany(stage, triggers, lambda: gr.on(triggers, *run, **how))

    started = [
        on([go.click, seed.submit, *also], *own, api_name=api_name, **controls.MODEL),
        controls.accompany(stage, [dice.click], lambda: controls.thrown(dice, seed).then(*own, **quiet), stale=True),
        *(on([button.click], *other, **quiet) for button, *other in others),
        *linked,
    ]
    if quietly:
        started.append(on(quietly, *own, **quiet))
    stop.click(scrubber.stopped, None, stage, cancels=started, queue=False, **controls.HIDDEN, **controls.PRIVATE)
    pressed = [button for button, *_ in others if isinstance(button, gr.Button)]
    controls.enable_by_turns(stage, [go, dice, *pressed], stop)


def shown_on_stage(beside: int) -> Callable[[Callable[..., Iterator[Any]]], Callable[..., Iterator[Sequence[Any]]]]:
    """Let a generator yield the stage's value alone while its run is under way, and show there what goes wrong.

    Args:
        beside: how many outputs there are beside the stage, all of which it yields when the run is over.
    """
    unchanged = [gr.skip()] * beside

    def decorated(function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Sequence[Any]]]:
        @answered
        @functools.wraps(function)
        def run(*given: Any) -> Iterator[Sequence[Any]]:
            try:
                for value in function(*given):
                    yield [value, *unchanged] if isinstance(value, dict) else value
            except Exception as error:
                yield [component.message(sentence(error)), *unchanged]
                raise

        return run

    return decorated


def opened(kind: Any, tab: str, request: gr.Request, greet: Callable[[], dict[str, Any]] | None = None) -> list[Any]:
    """Values for a stage, its link and the controls when the page is opened: the run waits until the link is seen.

    Args:
        kind: the dataclass of what a link restores; tab: its name there.
        greet: makes the value that stands beside what is wrong with a link; without it that stands alone.
    """
    asked, wrong = links.asked(kind, tab, request)
    shown = asked or kind()
    if wrong:
        made, link = greet() | {"notice": wrong} if greet else component.message(wrong), gr.skip()
    else:
        made, link = gr.skip(), links.value(tab, shown, asked is not None)
    return [made, link, *dataclasses.astuple(shown)]


def thinned(moments: Sequence[Moment], frames: int) -> list[Moment]:
    """So many of the moments of a run, the first and the last among them; all, if there are fewer."""
    wanted = np.linspace(0, len(moments) - 1, min(len(moments), frames))
    return [moments[i] for i in wanted.round().astype(int)]


def previews(
    moments: Iterator[Moment], steps: int, keep: Callable[[Moment], None], images: Callable[[Moment], list[Strip]]
) -> Iterator[dict[str, Any]]:
    """Drain a run of so many steps; values that show it while it is under way, at most one every `PAUSE`.

    Args:
        keep: is given every moment; images: makes the strips of one.
    """
    start = shown = first = known = time.monotonic()
    for made, moment in enumerate(compute.one_by_one(moments)):
        keep(moment)
        now = time.monotonic()
        if made == 1:
            first, known = now, now + 0.5  # the first step takes longer, and a single one tells little
        left = (now - first) / max(made - 1, 1) * (steps - made)
        if made == 1 or (now - shown > PAUSE and left > PAUSE):  # the browser's work slows the last steps down
            value = images(moment)
            shown = time.monotonic()
            caption = f"step {made} of {steps}" + (f" · about {left:.0f} s left" if now > known else "")
            yield scrubber.live(value, made, steps + 1, caption, start)
