"""What the views of all labs share: the data to choose or to draw, and the events."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import gradio as gr

from playground import validation
from playground.data import densities
from playground.data.densities import Density
from playground.ui import component, controls, drawing_pad, links
from playground.ui.controls import sentence
from playground.validation import UserError

DRAWN = "draw"
Settings = TypeVar("Settings")


class Controls(NamedTuple):
    """Of a lab: its settings in the order of what a link restores, the seed the last; and what begins it anew."""

    inputs: list[Any]
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


def data_of(name: str, drawing: object) -> Density:
    """What was chosen, or drawn.

    Raises:
        UserError: nothing of that name, or nothing drawn.
    """
    validation.choice("data", name, [*densities.DENSITIES, DRAWN])
    return densities.drawn(drawing_pad.decode(drawing)) if name == DRAWN else densities.DENSITIES[name]()


def settings_of(kind: type[Settings], asked: Any) -> Settings:
    """Those of a lab among all that was asked.

    Raises:
        UserError: one of them is not allowed.
    """
    return kind(**{field.name: getattr(asked, field.name) for field in dataclasses.fields(kind)})  # type: ignore[arg-type]


def listen(
    page: gr.Blocks,
    tab: str,
    kind: Any,
    begin: Callable[[Any, object, str], dict[str, Any]],
    shown: Controls,
    stage: gr.HTML,
    link: gr.HTML,
    first: Any,
    why: str = "",
) -> Callable[[Any, object, str], list[Any]]:
    """Begin a lab when the page is opened, and anew at every change of a control.

    Args:
        tab: its name in links.
        kind: the dataclass of what a link restores; with `data`, a name.
        begin: gives the value of the stage for what is asked, a drawing, and what its settings show; may raise
            UserError.
        first: what is asked at first, and `why`.

    Returns:
        what begins a lab: the values of stage and link.
    """

    def begun(asked: Any, drawing: object, why: str = "", address: bool = True) -> list[Any]:
        linked = None if asked.data == DRAWN else asked
        try:
            return [begin(asked, drawing, why), links.value(tab, linked, address)]
        except UserError as error:
            return [component.message(sentence(error)), links.value(tab, linked, address)]

    def restart(drawing: Any, *given: Any) -> list[Any]:
        """Begin a training with new networks. Returns its first picture."""
        return begun(kind(*given), drawing)

    def opened(request: gr.Request) -> list[Any]:
        """What the address describes, or the first lab."""
        asked, wrong = links.asked(kind, tab, request)
        shown = asked or first
        return [*begun(shown, None, wrong or ("" if asked else why), asked is not None), *dataclasses.astuple(shown)]

    hidden: dict[str, Any] = {**controls.HIDDEN, "queue": False}
    inputs, seed = shown.inputs, shown.inputs[-1]
    changes = [shown.reset.click, seed.submit, shown.pad.change, *(control.input for control in inputs[:-1])]
    gr.on(changes, restart, [shown.pad, *inputs], [stage, link], trigger_mode="always_last",
          api_name=tab.replace(".", "_"), **hidden)  # fmt: skip
    controls.thrown(shown.dice, seed).then(restart, [shown.pad, *inputs], [stage, link], **hidden, **controls.PRIVATE)
    page.load(opened, None, [stage, link, *inputs], **hidden, **controls.PRIVATE)
    return begun
