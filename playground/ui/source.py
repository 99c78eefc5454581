"""Where a picture comes from: a test digit, the drawing pad, an upload, or a picture the model made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from torch import Tensor

from playground import pictures, validation
from playground.data import digits
from playground.ui import drawing_pad
from playground.ui.controls import unchecked

MODEL, TEST, DRAWN, UPLOADED = "Model's digit", "Test digit", "Draw", "Upload"
KINDS = (MODEL, TEST, DRAWN, UPLOADED)


class Source(NamedTuple):
    """The components of a source; `inputs` go to `picture`, and each of `changes` fires when the picture changes."""

    inputs: list[gr.components.Component]
    changes: list[Callable[..., Any]]


def build(name: str) -> Source:
    """A choice of the four kinds, and under it the controls of the chosen one."""
    kind = unchecked(gr.Radio(list(KINDS), value=MODEL, label="Picture", info="What the noise is added to."))
    number = unchecked(
        gr.Slider(0, 9_999, 0, step=1, label="Number of the test digit", info="One of MNIST's 10,000.", visible=False)
    )
    with gr.Column(visible=False) as drawn:
        pad = drawing_pad.build(f"{name}-pad")
    upload = gr.UploadButton("Choose a picture", file_types=["image"], visible=False)
    upload.preprocess = lambda payload: payload and payload.path  # type: ignore[method-assign]

    def reveal(chosen: str) -> list[Any]:
        return [gr.update(visible=chosen == each) for each in (TEST, DRAWN, UPLOADED)]

    kind.change(reveal, kind, [number, drawn, upload], queue=False, show_progress="hidden", api_visibility="private")
    return Source([kind, number, pad, upload], [kind.input, number.input, pad.change, upload.upload])


def picture(
    kind: object, number: object, drawing: object, upload: object, data: Path, made: Callable[[], Tensor]
) -> Tensor:
    """The chosen picture as a digit, (1, 1, 32, 32) in [-1, 1].

    Args:
        data: the folder of MNIST, fetched there when first needed.
        made: gives the model's picture.

    Raises:
        ValueError, DataError: what to do, in one sentence.
    """
    chosen = validation.choice("picture", kind, KINDS)
    if chosen == MODEL:
        return made()
    if chosen == TEST:
        index = validation.integer("number of the test digit", number, 0, 9_999)
        return digits.load(data, "test", download=True)[0][index : index + 1]
    if chosen == DRAWN:
        return digits.centred(drawing_pad.decode(drawing))
    if not isinstance(upload, str):
        raise ValueError("no picture was uploaded yet: choose a file")
    return digits.centred(pictures.open_grey(upload))
