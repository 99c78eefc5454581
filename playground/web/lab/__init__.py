"""Training in the plane, to be watched: planes with points, arrows and a field of colour, and curves over the steps."""

import uuid
from collections.abc import Sequence
from typing import NamedTuple

import gradio as gr

from playground.web import component
from playground.web.answers import Answer
from playground.web.component import Value


class Mark(NamedTuple):
    """Entry of a legend: a colour, or "" for none, and its meaning."""

    colour: str
    text: str


class Plane(NamedTuple):
    """Square of the plane."""

    label: str  # description in words
    legend: Sequence[Mark]  # meaning of its points and colours
    # Colours of the lowest and of the highest value of its field, red, green and blue in 0 ... 255.
    ramp: tuple[tuple[int, int, int], tuple[int, int, int]] = ((0, 0, 12), (89, 102, 127))


class Curve(NamedTuple):
    """Lines over the steps, by their names in a frame's row; their range includes 0 and 1."""

    label: str
    lines: dict[str, Mark]


class Action(NamedTuple):
    """Step that the user takes by hand: its name, and the text and the hint of its button."""

    name: str
    title: str
    hint: str


class Dial(NamedTuple):
    """Slider that selects another view of a training: its title, the labels of its positions, and the first one."""

    title: str
    marks: Sequence[str]
    at: int = 0


class Box(NamedTuple):
    """Box of the diagram of what flows where; each frame has the "numbers" below their names."""

    name: str
    about: str  # explanation, shown when it is pressed
    comes_from_right: bool = False  # what flows here comes from the next box instead of the one before
    has_gradient: bool = False  # a gradient flows back from here to the box before


class View(NamedTuple):
    """Planes, curves, buttons and diagram of a kind of lab."""

    planes: Sequence[Plane]
    curves: Sequence[Curve]
    actions: Sequence[Action] = ()
    diagram: Sequence[Box] = ()


def build(elem_id: str, train: Answer) -> gr.HTML:
    """Build the component, which trains by `lab_sessions.train`; a picture that it saves is named after its id."""
    return component.build("lab", elem_id=elem_id, server_functions=[train])


def pack(view: View, session: Value, why: str = "") -> Value:
    """Return the value: a lab that `lab_sessions.start_session` started, and why its settings are worth a look."""
    parts = {name: [part._asdict() for part in parts] for name, parts in view._asdict().items()}
    return {"id": uuid.uuid4().hex, "why": why, **parts, **session}
