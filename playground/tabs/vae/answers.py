"""What the browser asks of the server past Gradio's queue, and what it is answered: pictures as pixels."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from playground import pictures, validation
from playground.models import vae
from playground.tabs import Places
from playground.tabs.vae import codes
from playground.ui import answers
from playground.ui.answers import pixels
from playground.validation import UserError


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


def answering(places: Places, function: Callable[[vae.Model, Mapping[str, Any]], Any]) -> Callable[[Any], Any]:
    """A function of a model as the browser calls it: with one object that names the model."""
    return answers.answering(
        function.__name__, lambda request: function(codes.load(places, request.get("model")), request)
    )


def decode(model: vae.Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """The picture of a code: {"model", "z"} -> its pixels."""
    return picture(model, code(model, request.get("z")))


def traverse(model: vae.Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """The traversal at a code: {"model", "z"} -> its pixels."""
    return pixels(codes.traversal(model, code(model, request.get("z"))))
