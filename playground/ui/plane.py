"""A plane through the latent space: codes of test images on it, and a point to drag whose picture follows."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from playground.ui import component


def build(elem_id: str, functions: Sequence[Callable[[Any], Any]]) -> gr.HTML:
    """The component.

    Args:
        functions: decode, chart, point and reparameterise; each takes one object and gives one, or {"error"}.
    """
    return component.build("plane", ["elements", "pixels"], elem_id=elem_id, server_functions=list(functions))


def pack(
    model: str,
    mu: Sequence[float],
    log_var: Sequence[float],
    axes: Sequence[tuple[str, str]],
    classes: Mapping[str, str],
    chart: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """The value: an image's Gaussian (Z,), and the plane through its mean.

    Args:
        axes: name and title of all that can be chosen; classes: their names and colours.
        chart: what the function chart gives.
        seed: of the noise of the reparameterisation.
    """
    return {"id": uuid.uuid4().hex, "model": model, "mu": list(mu), "log_var": list(log_var),
            "axes": [list(axis) for axis in axes], "names": list(classes), "colours": list(classes.values()),
            "chart": chart, "seed": seed}  # fmt: skip
