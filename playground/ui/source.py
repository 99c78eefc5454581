"""Where a picture comes from: a test digit, the drawing pad, an upload, or what else a tab offers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from torch import Tensor

from playground import pictures
from playground.data import digits
from playground.ui import controls, drawing_pad
from playground.ui.controls import unchecked
from playground.validation import UserError

TEST, DRAWN, UPLOADED = "Test image", "Draw", "Upload"
CHOOSE = "Choose a picture"


class Source(NamedTuple):
    """The components of a source: `inputs` go to `picture`.

    Each of `changes` fires when the picture changes, each of `choices` when there may be none yet, as `awaited` says.
    """

    inputs: list[Any]
    changes: list[Callable[..., Any]]
    choices: list[Callable[..., Any]]


def build(name: str, kinds: Sequence[str], hint: str) -> Source:
    """A choice of kinds, the first by default, and under it the controls of the chosen one."""
    hint += " Test digits (MNIST, 11 MB) are fetched when first asked for."
    kind = unchecked(gr.Radio(list(kinds), value=kinds[0], label="Picture", info=hint, elem_classes="chips"))
    number = unchecked(
        gr.Slider(0, 9_999, 0, step=1, label="Number of the test image", info="One of 10,000.", visible=False)
    )
    with gr.Column(visible=False) as drawn:
        pad = drawing_pad.build(f"{name}-pad")
    with gr.Column(visible=False) as uploaded:
        upload: Any = gr.UploadButton(CHOOSE, file_types=["image"])
        gr.Markdown("Best is one handwritten digit: it is made grey, cut out, centred and scaled as MNIST's are.")
    upload.preprocess = lambda payload: payload and payload.path
    upload.upload(lambda path: gr.update(label=f"{CHOOSE} (now {Path(path).name})" if path else CHOOSE), upload, upload,
                  queue=False, **controls.HIDDEN, **controls.PRIVATE)  # fmt: skip

    def reveal(chosen: str) -> list[Any]:
        return [gr.update(visible=chosen == each) for each in (TEST, DRAWN, UPLOADED)]

    kind.change(reveal, kind, [number, drawn, uploaded], queue=False, **controls.HIDDEN, **controls.PRIVATE)
    return Source([kind, number, pad, upload], [number.input, upload.upload], [kind.input, pad.change])


def awaited(kind: object, drawing: object, upload: object) -> str | None:
    """What the user has to do before there is a picture, if anything."""
    if kind == DRAWN and not drawing:
        return "Draw a digit on the pad."
    if kind == UPLOADED and not upload:
        return "Choose a picture to upload."
    return None


def picture(kind: str, number: int, drawing: object, upload: object, data: Path) -> Tensor:
    """The chosen picture as a digit, (1, 1, 32, 32) in [-1, 1].

    Args:
        data: the folder of MNIST, fetched there when first needed.

    Raises:
        UserError: what to do, in one sentence.
    """
    if kind == TEST:
        return digits.load(data, "test", download=True)[0][number : number + 1]
    if kind == DRAWN:
        return digits.centred(drawing_pad.decode(drawing))
    if not isinstance(upload, str):
        raise UserError("no picture was uploaded yet: choose a file")
    return digits.centred(pictures.open_grey(upload))
