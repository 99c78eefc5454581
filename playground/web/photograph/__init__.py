"""Original of an upload, on which the user corrects how it is read: a frame around it, and ink and paper swapped."""

from typing import NamedTuple

import gradio as gr

from playground.runtime import pictures
from playground.runtime.pictures import FULL_BOX, Box
from playground.runtime.validation import UserError
from playground.web import component
from playground.web.component import Value
from playground.web.scrubber.sheets import data_url

SIDE = 280  # pixels of the original, as it is shown


class Correction(NamedTuple):
    """Correction of how an upload is read: the part of it, and whether light ink is taken for dark and the reverse."""

    box: Box = FULL_BOX
    swap: bool = False


def build(elem_id: str, can_swap: bool) -> gr.HTML:
    """Build the component; listen to its `change`, and `decode` its value."""
    return component.build("photograph", {"SWAP": "" if can_swap else "hidden"}, value=None, elem_id=elem_id)


def pack(path: str) -> Value:
    """Return the value that shows an upload, not corrected yet.

    Raises:
        UserError: It cannot be read.
    """
    return {"of": path, "original": data_url(pictures.open_thumbnail(path, SIDE)), **Correction()._asdict()}


def is_of(value: object, path: str) -> bool:
    """Return true if the component's value is of an upload."""
    return isinstance(value, dict) and value.get("of") == path


def decode(value: object, path: str) -> Correction:
    """Return the correction of an upload; the component's value may still be of the upload before.

    Raises:
        UserError: The component sends no such value.
    """
    if value in (None, ""):  # Gradio may send None as ""
        return Correction()
    try:
        if not isinstance(value, dict):
            raise TypeError("no object")
        left, top, right, bottom = map(float, value["box"])
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1 and isinstance(value["swap"], bool)):
            raise ValueError("out of range")
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            "a correction has a path “of”, a “box” of left, top, right, bottom from 0 to 1, and “swap”, true or false"
        ) from error
    return Correction((left, top, right, bottom), value["swap"]) if is_of(value, path) else Correction()
