"""What the browser asks of the server past Gradio's queue, and what it is answered: pictures as pixels."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from playground.families import vae
from playground.runtime import pictures, validation
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.vae import codes
from playground.web import answers
from playground.web.answers import Answer, pack_image
from playground.web.component import Value

ModelFunction: TypeAlias = Callable[[vae.Model, Mapping[str, object]], Value]


def image(x: Tensor) -> Value:
    """Return an image (1, C, H, W) as pixels."""
    return pack_image(pictures.to_uint8(x)[0])


def picture(model: vae.Model, z: Tensor) -> Value:
    """Decode a code (Z,) into pixels."""
    return image(codes.decode(model, z[None]))


def parse_code(model: vae.Model, values: object) -> Tensor:
    """Return a code (Z,) that came from outside, or raise UserError if it is none of the model's."""
    n_dimensions = model.config.latent
    if not isinstance(values, (list, tuple)) or len(values) != n_dimensions:
        raise UserError(f"a code of this model is a list of {n_dimensions} numbers")
    return torch.tensor(
        [validation.check_number(f"z{i + 1}", value, -codes.LIMIT, codes.LIMIT) for i, value in enumerate(values)]
    )


def answering(paths: Paths, name: str, function: ModelFunction) -> Answer:
    """Return a function of a model as the browser calls it: by a name, and with one object that names the model."""
    return answers.server_function(
        name, lambda request: function(codes.CHECKPOINTS.load(paths, request.get("model")), request)
    )


def decode(model: vae.Model, request: Mapping[str, object]) -> Value:
    """Return the picture of a code: {"model", "z"} -> its pixels."""
    return picture(model, parse_code(model, request.get("z")))


def traverse(model: vae.Model, request: Mapping[str, object]) -> Value:
    """Return the traversal at a code: {"model", "z"} -> its pixels."""
    return pack_image(codes.traversal(model, parse_code(model, request.get("z"))))
