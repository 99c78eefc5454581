"""Plane through the latent space: codes of test images on it, and a point to drag with the image at that point."""

import uuid
from collections.abc import Mapping, Sequence

import gradio as gr

from playground.web import component
from playground.web.answers import Answer
from playground.web.component import Value


def build(elem_id: str, functions: Sequence[Answer]) -> gr.HTML:
    """Build the component, with the server functions decode, chart, point and reparameterize."""
    return component.build("plane", elem_id=elem_id, server_functions=list(functions))


def pack(
    model: str,
    z: Sequence[float],
    mu: Sequence[float],
    log_var: Sequence[float],
    axes: Sequence[tuple[str, str]],
    classes: Mapping[str, str],
    chart: Value,
    seed: int,
) -> Value:
    """Return the value: the code of a picture z (Z,), the posterior of its image (Z,), and the plane through z.

    Args:
        axes: Name and title of each axis to choose from.
        classes: Names and colours of the classes.
        chart: Result of the server function `chart`.
        seed: Seed of the noise of the reparameterization.
    """
    return {"id": uuid.uuid4().hex, "model": model, "z": list(z), "mu": list(mu), "log_var": list(log_var),
            "axes": [list(axis) for axis in axes], "names": list(classes), "colours": list(classes.values()),
            "chart": chart, "seed": seed}  # fmt: skip
