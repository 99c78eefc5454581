"""Choice of an image: a test image, the drawing pad, an upload, or what else a tab offers."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import gradio as gr
import numpy as np
from torch import Tensor

from playground.datasets.dataset import TEST_NUMBERS, Dataset
from playground.runtime import pictures
from playground.runtime.validation import UserError
from playground.web import controls, drawing_pad, photograph, plots
from playground.web.controls import Control, ControlValue, Trigger
from playground.web.photograph import Correction

TEST_IMAGE, DRAWING, UPLOAD = "Test image", "Draw", "Upload"
UPLOAD_LABEL = "Choose a picture"
READING = 112  # CSS pixels of what is read of an upload, at most, unless it has more pixels itself


class ImagePicker(NamedTuple):
    """Components of a choice of an image.

    Attributes:
        inputs: Controls whose values go to `load_image`: kind, number, and the `Sources`.
        changes: Events of another image.
        settled: Likewise, but a slider that is dragged counts once it is let go.
        choices: Events after which there may be no image yet: see `check_input`.
    """

    inputs: list[Control]
    changes: list[Trigger]
    settled: list[Trigger]
    choices: list[Trigger]


class Sources(NamedTuple):
    """Values of the controls of the user's own images: the drawing pad, the upload, and its correction."""

    drawing: object = ""
    upload: object = None
    correction: object = None


NO_SOURCES = Sources()


class UploadControls(NamedTuple):
    """Button for an upload, whose value is the file's path and whose label then names the file, and its correction."""

    button: Control
    correction: Control

    @property
    def changes(self) -> list[Trigger]:
        """Return the events of another upload, or of another correction."""
        return [self.button.upload, self.correction.change]


FETCHED = "The first 100 digits come with the page; all others are fetched once (MNIST: 11 MB)."


def build(
    name: str, kinds: Sequence[str], hint: str, dataset: Callable[..., Dataset], model: Sequence[Control] = ()
) -> ImagePicker:
    """Build the choice of a kind of image, the first by default, and below it the controls of the chosen kind.

    Args:
        dataset: Function of the value of `model` that returns the data set whose look uploads are given.
        model: The choice of a model, if there is one.
    """
    kind = controls.radio(kinds, kinds[0], "Picture", hint)
    label, visible = "Number of the test image", kinds[0] == TEST_IMAGE
    number = controls.slider(*TEST_NUMBERS, 0, 1, label, FETCHED, visible=visible)

    def read(upload: str, correction: object, *values: ControlValue) -> np.ndarray:
        x = load_image(UPLOAD, 0, Sources("", upload, correction), dataset(*values), Path())
        return pictures.to_uint8(x)[0]

    with gr.Column(visible=False) as drawing_column:
        pad = drawing_pad.build(f"{name}-pad")
    with gr.Column(visible=False) as upload_column:
        upload = build_upload(name, read, model)
        gr.Markdown(
            "Best: one object on a plain background. It is made grey, cropped, centred, and scaled like the data."
        )
    controls.show_for(kind, {TEST_IMAGE: number, DRAWING: drawing_column, UPLOAD: upload_column})
    changes, settled = ([event, *upload.changes] for event in (number.input, number.release))
    return ImagePicker([kind, number, pad, *upload], changes, settled, [kind.input, pad.change])


def build_upload(
    name: str, read: Callable[..., np.ndarray], model: Sequence[Control] = (), can_swap: bool = True
) -> UploadControls:
    """Build the button for an upload; below it the original, on which the user corrects how it is read, beside that.

    Args:
        read: Function of an upload, its correction and the value of `model` that returns what is read, uint8 (H, W, C).
        can_swap: Let the user swap ink and paper.
    """
    button: Control = gr.UploadButton(UPLOAD_LABEL, file_types=list(pictures.FILE_TYPES))
    button.preprocess = lambda payload: payload and payload.path
    with gr.Row():  # always visible: Gradio sets a value that comes with visibility twice, the second time late
        with gr.Column(min_width=120):
            correction = photograph.build(f"{name}-photograph", can_swap)
        with gr.Column(min_width=120):
            reading = gr.HTML(elem_id=f"{name}-reading")

    def show_reading(path: str | None, correction: object, *values: ControlValue) -> str:
        if not path:  # another model was chosen before any upload
            return ""
        try:
            image = read(path, correction, *values)
        except UserError as error:
            return plots.paragraph(controls.error_sentence(error))
        width = max(1, READING // image.shape[1]) * image.shape[1]
        return plots.image_tag(image, "what the model sees of it", width) + plots.paragraph("What the model sees.")

    def show(path: str, correction: object) -> list[object]:
        original = gr.skip() if photograph.is_of(correction, path) else None
        if original is None:  # Gradio may tell twice of an upload, which may be corrected meanwhile
            with suppress(UserError):  # its sentence is shown instead of what is read
                original = photograph.pack(path)
        return [gr.update(label=label_upload(path)), original]

    upload = UploadControls(button, correction)
    button.upload(show, [*upload], [*upload], **controls.INSTANT)
    changes = [*upload.changes, *(control.input for control in model)]
    gr.on(changes, show_reading, [*upload, *model], reading, **controls.INSTANT)
    return upload


def label_upload(path: str | None) -> str:
    """Return the label of the button for an upload; it names the file and says what is read of an animation."""
    if not path:
        return UPLOAD_LABEL
    note = ""
    with suppress(Exception):  # a file that cannot be read is refused where it is used
        n = pictures.count_frames(path)
        note = f", the first of {n} frames" if n > 1 else ""
    return f"{UPLOAD_LABEL} (now {Path(path).name}{note})"


def check_input(kind: object, sources: Sources) -> None:
    """Raise UserError with what the user has to do before there is an image."""
    if kind == DRAWING and not sources.drawing:
        raise UserError("Draw on the pad.")
    if kind == UPLOAD and not sources.upload:
        raise UserError("Choose a picture to upload.")


def load_image(kind: str, number: int, sources: Sources, dataset: Dataset, data_folder: Path) -> Tensor:
    """Return the chosen image, (1, C, H, W) in [-1, 1].

    Args:
        dataset: Data set of the test images, whose look drawings and uploads are given.
        data_folder: Folder of the data sets.

    Raises:
        UserError: There is no such image, or it cannot be read.
    """
    if kind == TEST_IMAGE:
        return dataset.load_test_image(data_folder, number)
    if dataset.normalize is None:
        raise UserError(f"a model of {dataset.title} reads no drawings or uploads: choose a test image")
    if kind == DRAWING:
        return dataset.normalize(drawing_pad.decode(sources.drawing), False)
    path, (box, swap) = read_upload(sources)
    return dataset.normalize(pictures.open_grey(path, box), swap)


def read_upload(sources: Sources) -> tuple[str, Correction]:
    """Return the path of the upload, and its correction.

    Raises:
        UserError: Nothing was uploaded, or its correction cannot be read.
    """
    if not isinstance(sources.upload, str):
        raise UserError("no picture has been uploaded yet: choose a file")
    return sources.upload, photograph.decode(sources.correction, sources.upload)
