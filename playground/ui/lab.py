"""A training in the plane, watched: points, the discriminator's verdict, and where the generator is pulled."""

import uuid
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.ui import component, palette

REAL, FAKE = palette.DATA, palette.NOISE


def build(elem_id: str, train: Callable[[Any], Any]) -> gr.HTML:
    """The component.

    Args:
        train: a slice of a lab's training; takes one object and gives a picture, or {"error"}.
    """
    words = {"REAL": REAL, "FAKE": FAKE}
    return component.build("lab", ["elements"], words, elem_id=elem_id, server_functions=[train])


def pack(begun: dict[str, Any], why: str = "") -> dict[str, Any]:
    """The value: a lab that has begun, and what its settings show."""
    return {"id": uuid.uuid4().hex, "why": why, "colours": [REAL, FAKE], **begun}
