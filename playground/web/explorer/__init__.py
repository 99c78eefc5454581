"""Latent explorer: a slider for each dimension of a code, the image that follows them, and a traversal figure."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import gradio as gr

from playground.web import component
from playground.web.answers import Answer
from playground.web.component import Value


@dataclass(frozen=True)
class Box:
    """Box of the diagram: its explanation, and its content: image, posterior, code, decoded or None."""

    name: str
    about: str
    shows: str | None = None


@dataclass(frozen=True)
class Dimension:
    """Dimension of a code: its index, its label, and whether it carries no information about the image."""

    index: int
    label: str
    dead: bool


def build(elem_id: str, formula: str, decode: Answer, traverse: Answer) -> gr.HTML:
    """Build the component.

    Args:
        formula: HTML in which `<b data-number="NAME">` shows a number of the dimension that was moved last: i, mu,
            sigma, z, kl.
        decode: Server function from {"model", "z"} to an image of `answers.pack_image` or {"error"}.
        traverse: Server function from the same to the traversal figure.
    """
    return component.build("explorer", {"FORMULA": formula}, elem_id=elem_id, server_functions=[decode, traverse])


@dataclass(frozen=True)
class Exploration:
    """Code z (Z,), its dimensions in the order of their sliders, and four images, each of `answers.pack_image`."""

    model: str
    z: Sequence[float]
    # Parameters of the image's posterior q(z|x), (Z,).
    mu: Sequence[float]
    log_var: Sequence[float]
    dimensions: Sequence[Dimension]
    image: Value  # the image that was encoded
    decoded: Value  # its reconstruction
    samples: Value  # what is decoded from other codes of the image's posterior, in a row
    traversal: Value  # figure with a row for each of the first dimensions
    columns: Sequence[float]  # values of the traversal's columns
    limit: float  # bound of the sliders, in both directions
    diagram: Sequence[Box]
    caveat: str = ""  # warning about the model, to be read before its images are judged


def pack(exploration: Exploration) -> Value:
    """Return the value of the component."""
    return {"id": uuid.uuid4().hex, **asdict(exploration)}
