"""A training in the plane, watched: planes with points, arrows and a field of colour, and curves over the steps."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import gradio as gr

from playground.ui import component


class Mark(NamedTuple):
    """A line of a legend: a colour, if there is one, and what it means."""

    colour: str
    text: str


class Plane(NamedTuple):
    """A square of the plane.

    Attributes:
        label: what it shows, in words.
        legend: of its points and colours.
        ramp: the colours of the lowest and of the highest value of its field, red, green and blue in 0 ... 255.
    """

    label: str
    legend: Sequence[Mark]
    ramp: tuple[tuple[int, int, int], tuple[int, int, int]] = ((0, 0, 12), (89, 102, 127))


class Curve(NamedTuple):
    """Lines over the steps, by their names in a frame's row; from 0 to 1 at least."""

    label: str
    lines: dict[str, Mark]


class Turn(NamedTuple):
    """A step that is taken by hand: its name, and what its button says and explains."""

    name: str
    title: str
    hint: str


class Dial(NamedTuple):
    """What is turned to see another side of a training: its title, its places, and at which it begins."""

    title: str
    marks: Sequence[str]
    at: int = 0


class View(NamedTuple):
    """What a kind of lab shows."""

    planes: Sequence[Plane]
    curves: Sequence[Curve]
    turns: Sequence[Turn] = ()


def build(elem_id: str, train: Callable[[Any], Any]) -> gr.HTML:
    """The component; a picture that it saves has its id for a name.

    Args:
        train: a slice of a lab's training; takes one object and gives a frame, or {"error"}.
    """
    return component.build("lab", ["elements"], elem_id=elem_id, server_functions=[train])


def pack(view: View, begun: dict[str, Any], why: str = "") -> dict[str, Any]:
    """The value: a lab that has begun, and what its settings show."""
    planes = [plane._asdict() for plane in view.planes]
    curves = [curve._asdict() for curve in view.curves]
    return {"id": uuid.uuid4().hex, "why": why, "planes": planes, "curves": curves,
            "turns": [turn._asdict() for turn in view.turns], **begun}  # fmt: skip
