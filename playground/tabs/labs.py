"""What the views of all labs share: the data to choose or to draw, and the events."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr
from gradio.context import LocalContext

from playground import validation
from playground.data import densities
from playground.data.densities import Density
from playground.tabs import benches
from playground.ui import component, controls, drawing_pad, links
from playground.ui.controls import sentence
from playground.validation import UserError

DRAWN = "draw"


class Controls(NamedTuple):
    """Of a lab: its settings in the order of what a link restores; one of them the seed; and what begins it anew."""

    inputs: list[Any]
    seed: Any
    pad: Any
    dice: gr.Button
    reset: gr.Button


def data(value: str, pad: str) -> tuple[gr.Radio, gr.HTML]:
    """What is learned, to choose; and the pad, with this id, to draw it."""
    chosen = gr.Radio([*densities.DENSITIES, DRAWN], value=value, label="Data", elem_classes="chips")
    with gr.Column(visible=False) as drawn:
        drawing = drawing_pad.build(pad)
    chosen.change(
        lambda name: gr.update(visible=name == DRAWN), chosen, drawn,
        queue=False, **controls.HIDDEN, **controls.PRIVATE,
    )  # fmt: skip
    return chosen, drawing


def number(label: str, hint: str) -> gr.Number:
    """A control for a real number of any size."""
    return gr.Number(label=label, info=hint, min_width=100)


def known(name: str) -> None:
    """Refuse data of another name."""
    validation.choice("data", name, [*densities.DENSITIES, DRAWN])


def data_of(name: str, drawing: object) -> Density:
    """What was chosen, or drawn.

    Raises:
        UserError: nothing is drawn.
    """
    return densities.drawn(drawing_pad.decode(drawing)) if name == DRAWN else densities.DENSITIES[name]()


def listen(
    page: gr.Blocks,
    tab: str,
    kind: Any,
    begin: Callable[[Any, object, str], dict[str, Any]],
    shown: Controls,
    stage: gr.HTML,
    link: gr.HTML,
    first: Any,
    why: str,
) -> Callable[[Callable[[], Any], object, str], list[Any]]:
    """Begin a lab when the page is opened, and anew at every change of a control.

    Args:
        tab: its name in links.
        kind: the dataclass of what a link restores; with `data`, a name.
        begin: gives the value of the stage for what is asked, a drawing, and what its settings show; may raise
            UserError.
        first: what is asked at first, and `why`.

    Returns:
        what begins a lab, of a function that makes what is asked and may raise UserError: the values of stage and link.
    """

    def begun(make: Callable[[], Any], drawing: object, why: str = "", address: bool = True) -> list[Any]:
        linked = None
        try:
            asked = make()
            linked = None if asked.data == DRAWN else asked
            made = begin(asked, drawing, why)
            visitor = LocalContext.request.get(None)
            if visitor and visitor.session_hash:  # a caller of the API may have none
                benches.belongs(made["lab"], (visitor.session_hash, tab))
            return [made, links.value(tab, linked, address)]
        except UserError as error:
            return [component.message(sentence(error)), links.value(tab, linked, address)]

    def restart(drawing: Any, *given: Any) -> list[Any]:
        """Begin a training with new networks. Returns its first picture."""
        return begun(lambda: kind(*given), drawing)

    def opened(request: gr.Request) -> list[Any]:
        """What the address describes, or the first lab."""
        asked, wrong = links.asked(kind, tab, request)
        shown = asked or first
        why_now = wrong or ("" if asked else why)
        return [*begun(lambda: shown, None, why_now, asked is not None), *dataclasses.astuple(shown)]

    hidden: dict[str, Any] = {**controls.HIDDEN, "queue": False}
    inputs, seed = shown.inputs, shown.seed
    others = [control.input for control in inputs if control is not seed]
    changes = [shown.reset.click, seed.submit, shown.pad.change, *others]
    gr.on(changes, restart, [shown.pad, *inputs], [stage, link], trigger_mode="always_last",
          api_name=tab.replace(".", "_"), **hidden)  # fmt: skip
    controls.thrown(shown.dice, seed).then(restart, [shown.pad, *inputs], [stage, link], **hidden, **controls.PRIVATE)
    page.load(opened, None, [stage, link, *inputs], **hidden, **controls.PRIVATE)
    return begun
