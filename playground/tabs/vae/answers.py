"""What the browser asks of the server past Gradio's queue, and what it is answered: pictures as pixels."""

import base64
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from playground import pictures, validation
from playground.models import vae
from playground.tabs import Places
from playground.tabs.vae import codes
from playground.ui.controls import sentence
from playground.validation import UserError


def pixels(images: np.ndarray) -> dict[str, Any]:
    """uint8 (H, W, C) as the browser's canvases take it."""
    height, width, channels = images.shape
    data = base64.b64encode(images.tobytes()).decode()
    return {"pixels": data, "height": height, "width": width, "channels": channels}


def image(x: Tensor) -> dict[str, Any]:
    """An image (1, C, H, W) as pixels."""
    return pixels(pictures.to_uint8(x)[0])


def picture(model: vae.Model, z: Tensor) -> dict[str, Any]:
    """What the decoder makes of a code (Z,), as pixels."""
    return image(codes.decoded(model, z[None]))


def code(model: vae.Model, values: object) -> Tensor:
    """A code that came from outside, (Z,)."""
    wanted = model.config.latent
    if not isinstance(values, (list, tuple)) or len(values) != wanted:
        raise UserError(f"a code of this model is a list of {wanted} numbers")
    return torch.tensor(
        [validation.number(f"z{i + 1}", value, -codes.LIMIT, codes.LIMIT) for i, value in enumerate(values)]
    )


# JavaScript that gives a handler the code on show in Traverse, as JSON for `on_show`.
ON_SHOW = "() => [document.querySelector('#vae-traverse [data-code]')?.dataset.code ?? '']"


def on_show(places: Places, text: object) -> tuple[str, Tensor]:
    """The model and the code (Z,) on show in Traverse."""
    try:
        asked = json.loads(str(text))
        name, values = asked["model"], asked["z"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError("there is no code on show yet: open Traverse first") from None
    return name, code(codes.load(places, name), values)


_slots = threading.BoundedSemaphore(2)  # answers under way, of all visitors: they pass Gradio's queue by
PATIENCE = 2.0  # seconds that a question waits for one


def answering(places: Places, function: Callable[[vae.Model, Mapping[str, Any]], Any]) -> Callable[[Any], Any]:
    """A function of a model as the browser calls it: with one object that names the model, past every queue and check.

    What is wrong with it comes back as {"error": one sentence}.
    """

    def answer(request: Any) -> Any:
        try:
            if not isinstance(request, Mapping):
                raise UserError("ask with an object that names the model")
            if not _slots.acquire(timeout=PATIENCE):
                raise UserError("too many visitors are moving sliders: try again in a moment")
            try:
                return function(codes.load(places, request.get("model")), request)
            finally:
                _slots.release()
        except UserError as error:
            return {"error": sentence(error)}

    answer.__name__ = function.__name__
    return answer


def decode(model: vae.Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """The picture of a code: {"model", "z"} -> its pixels."""
    return picture(model, code(model, request.get("z")))


def traverse(model: vae.Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """The traversal at a code: {"model", "z"} -> its pixels."""
    return pixels(codes.traversal(model, code(model, request.get("z"))))
