"""The latent explorer: a slider for each dimension of a code, the picture that follows it, and a traversal figure."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from playground.ui import component


@dataclass(frozen=True)
class Box:
    """A box of the diagram: what it says when touched, and what is in it: image, posterior, code, decoded or None."""

    name: str
    about: str
    shows: str | None = None


@dataclass(frozen=True)
class Dimension:
    """One coordinate: its place in the code, what is said of it, and whether it says nothing of the image."""

    index: int
    label: str
    dead: bool


def build(elem_id: str, formula: str, decode: Callable[[Any], Any], traverse: Callable[[Any], Any]) -> gr.HTML:
    """The component.

    Args:
        formula: HTML in which `<b data-number="NAME">` shows a number of the dimension that was moved last: i, mu,
            sigma, z, kl.
        decode, traverse: take {"model", "z"} and give {"pixels", "height", "width", "channels"} or {"error"}.
    """
    functions = [decode, traverse]
    words = {"FORMULA": formula}
    return component.build(
        "explorer", ["elements", "pixels", "diagram"], words, elem_id=elem_id, server_functions=functions
    )


def pack(
    model: str,
    z: Sequence[float],
    mu: Sequence[float],
    log_var: Sequence[float],
    dimensions: Sequence[Dimension],
    image: dict[str, Any],
    decoded: dict[str, Any],
    traversal: dict[str, Any],
    columns: Sequence[float],
    limit: float,
    diagram: Sequence[Box],
    caveat: str = "",
) -> dict[str, Any]:
    """The value: a code z (Z,), its dimensions in the order of their sliders, and three pictures as pixels.

    Args:
        mu, log_var: of the Gaussian of codes that the image has, (Z,).
        image: what was encoded; decoded: what became of it; traversal: a row for each of the first dimensions.
        columns: the values of the traversal's columns; limit: of the sliders, in both directions.
        caveat: what to know of the model before judging its pictures.
    """
    return {
        "id": uuid.uuid4().hex,
        "model": model,
        "z": list(z),
        "mu": list(mu),
        "log_var": list(log_var),
        "dimensions": [asdict(dimension) for dimension in dimensions],
        "image": image,
        "decoded": decoded,
        "traversal": traversal,
        "columns": list(columns),
        "limit": limit,
        "diagram": [asdict(box) for box in diagram],
        "caveat": caveat,
    }
