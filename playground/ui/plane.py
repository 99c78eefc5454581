"""A plane through the latent space: codes of test images on it, and a point to drag whose picture follows."""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from playground.ui import palette

_HERE = Path(__file__).parent


def build(elem_id: str, functions: Sequence[Callable[[Any], Any]]) -> gr.HTML:
    """The component.

    Args:
        functions: decode, chart, point and reparameterise; each takes one object and gives one, or {"error"}.
    """
    read = lambda name: (_HERE / name).read_text(encoding="utf-8")  # noqa: E731
    return gr.HTML(
        elem_id=elem_id,
        html_template=read("plane.html"),
        css_template=read("plane.css"),
        js_on_load=read("pixels.js") + read("plane.js"),
        server_functions=list(functions),
        apply_default_css=False,
    )


def pack(
    model: str,
    mu: Sequence[float],
    log_var: Sequence[float],
    z: Sequence[float],
    axes: Sequence[tuple[str, str]],
    names: Sequence[str],
    chart: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """The value: an image's Gaussian (Z,), the code that is shown first (Z,), and the plane it lies in.

    Args:
        axes: name and title of all that can be chosen; names: of the classes.
        chart: what the function chart gives.
        seed: of the noise of the reparameterisation.
    """
    return {"id": uuid.uuid4().hex, "model": model, "mu": list(mu), "log_var": list(log_var), "z": list(z),
            "axes": [list(axis) for axis in axes], "names": list(names), "colours": palette.CLASSES,
            "chart": chart, "seed": seed}  # fmt: skip


def message(text: str) -> dict[str, Any]:
    """The value that says something, and leaves what is shown."""
    return {"id": uuid.uuid4().hex, "message": text}
