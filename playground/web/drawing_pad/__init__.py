"""Drawing pad for a digit: its value is its strokes, sent a moment after each.

They are drawn here, since browsers that protect against fingerprinting alter the pixels of a canvas when it is read.
"""

import json

import gradio as gr
import numpy as np
from PIL import Image, ImageDraw

from playground.runtime.validation import UserError
from playground.web import component
from playground.web.scrubber.sheets import data_url

SIZE = 28
SIDE = 280  # pixels of the canvas, as in the script
INK_WIDTH = 22  # likewise
MAX_LENGTH = 200_000  # characters of a value
MAX_COORDINATE = 10_000  # a pointer may leave the canvas


def build(elem_id: str, instruction: str = "draw a digit") -> gr.HTML:
    """Build the component; listen to `change`, or for the user's strokes alone to `input`, and `decode` its value."""
    return component.build("drawing_pad", {"INSTRUCTION": instruction}, value="", elem_id=elem_id)


def pack_background(image: np.ndarray | None) -> dict[str, str]:
    """Return the value that puts an image uint8 (H, W, C), or none, under the drawing, which stays."""
    return {"background": data_url(image) if image is not None else ""}


def decode(value: object) -> np.ndarray:
    """Draw the strokes of the pad's value, as uint8 (28, 28), white ink on black; raise UserError if there are none."""
    if value in (None, ""):
        raise UserError("the drawing pad is blank: draw something on it")
    image = Image.new("L", (SIDE, SIDE))
    pen = ImageDraw.Draw(image)
    radius = INK_WIDTH / 2
    for stroke in _parse(value):
        pen.line(stroke, 255, INK_WIDTH)
        for x, y in stroke:  # round caps and joints
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], 255)
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BOX))


def _parse(value: object) -> list[list[tuple[float, float]]]:
    """Return the points (x, y) of each stroke of the pad's value, in pixels of its canvas."""
    try:
        text = str(value)
        if len(text) > MAX_LENGTH:
            raise ValueError("too long")
        strokes = [[(float(x), float(y)) for x, y in stroke] for stroke in json.loads(text)]
        if not all(abs(coordinate) < MAX_COORDINATE for stroke in strokes for point in stroke for coordinate in point):
            raise ValueError("out of range")
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"a drawing is JSON: a list of strokes, each a list of points [x, y] from 0 to {SIDE}"
        ) from error
    return strokes
