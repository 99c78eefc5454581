"""A pad to draw a digit on: its value is 28 x 28 grey pixels, sent a moment after each stroke."""

import base64
import binascii

import gradio as gr
import numpy as np

from playground.ui import component, scrubber
from playground.validation import UserError

SIZE = 28


def build(elem_id: str, wanted: str = "draw a digit") -> gr.HTML:
    """The component; listen to its `change`, and `decode` its value. `wanted` is what to do, in words."""
    return component.build("drawing_pad", words={"WANTED": wanted}, value="", elem_id=elem_id)


def under(picture: np.ndarray | None) -> dict[str, str]:
    """The value that shows a picture uint8 (H, W, C) under what is drawn, or none; what is drawn stays."""
    return {"under": scrubber.data_url(picture) if picture is not None else ""}


def decode(value: object) -> np.ndarray:
    """The pad's value as uint8 (28, 28), white ink on black.

    Raises:
        UserError: a blank pad, or a value that no pad sends.
    """
    if value in (None, ""):
        raise UserError("the drawing pad is blank: draw something on it")
    try:
        pixels = np.frombuffer(base64.b64decode(str(value), validate=True), np.uint8)
    except (binascii.Error, ValueError):
        pixels = np.zeros(0, np.uint8)
    if pixels.size != SIZE * SIZE:
        raise UserError(f"a drawing is {SIZE} x {SIZE} grey bytes in base64")
    return pixels.reshape(SIZE, SIZE)
