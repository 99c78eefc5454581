"""Functions that the browser calls directly, without Gradio's queue and checks, and images as its canvases read
them."""

import base64
import threading
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from playground.runtime.validation import UserError
from playground.web.component import Value
from playground.web.controls import error_sentence

_slots = threading.BoundedSemaphore(2)  # calls that run at the same time, for all visitors together
TRAINING_SLOTS = threading.BoundedSemaphore(2)  # and calls that train for a moment: no slider waits for these
Answer: TypeAlias = Callable[[object], Value]  # function as the browser calls it: it must check what it gets
SLOT_TIMEOUT = 2.0  # seconds that a call waits for a slot


def server_function(
    name: str, function: Callable[[Mapping[str, object]], Value], slots: threading.Semaphore = _slots
) -> Answer:
    """Return a function as the browser calls it: by its name, and with one object, while one of the slots is free.

    A `UserError` is returned as {"error": one sentence}.
    """

    def call(request: object) -> Value:
        try:
            if not isinstance(request, Mapping):
                raise UserError("ask with one object")
            if not slots.acquire(timeout=SLOT_TIMEOUT):
                raise UserError("the server is busy: try again in a moment")
            try:
                return function(request)
            finally:
                slots.release()
        except UserError as error:
            return {"error": error_sentence(error)}

    call.__name__ = name
    return call


def pack_image(image: np.ndarray) -> Value:
    """Return an image uint8 (H, W, C) as the browser's `paintPixels` reads it."""
    height, width, channels = image.shape
    return {"pixels": encode_base64(image), "height": height, "width": width, "channels": channels}


def encode_base64(values: np.ndarray) -> str:
    """Return the bytes of an array in base64."""
    return base64.b64encode(values.tobytes()).decode()
