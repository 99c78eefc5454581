"""What the browser asks of the server past Gradio's queue and checks, and pictures as its canvases take them."""

import base64
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from playground.ui.controls import sentence
from playground.validation import UserError

_slots = threading.BoundedSemaphore(2)  # answers under way, of all visitors
PATIENCE = 2.0  # seconds that a question waits for one


def answering(name: str, function: Callable[[Mapping[str, Any]], Any]) -> Callable[[Any], Any]:
    """A function as the browser calls it, by this name and with one object.

    What is wrong with it comes back as {"error": one sentence}.
    """

    def answer(request: Any) -> Any:
        try:
            if not isinstance(request, Mapping):
                raise UserError("ask with one object")
            if not _slots.acquire(timeout=PATIENCE):
                raise UserError("too many visitors are at it: try again in a moment")
            try:
                return function(request)
            finally:
                _slots.release()
        except UserError as error:
            return {"error": sentence(error)}

    answer.__name__ = name
    return answer


def pixels(images: np.ndarray) -> dict[str, Any]:
    """uint8 (H, W, C) as the browser's canvases take it."""
    height, width, channels = images.shape
    return {"pixels": packed(images), "height": height, "width": width, "channels": channels}


def packed(values: np.ndarray) -> str:
    """The bytes of an array as text."""
    return base64.b64encode(values.tobytes()).decode()
