"""Tests of the choice of an image."""

import base64
import io
import math
import re
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

import playground
from playground.datasets import mnist
from playground.runtime import checkpoint
from playground.runtime.pictures import FULL_BOX, Box
from playground.runtime.validation import UserError
from playground.tabs.latent_diffusion import latent_space
from playground.web import image_picker, photograph
from playground.web.image_picker import Sources


@pytest.mark.parametrize(("frames", "label"), [(1, "(now a.gif)"), (3, "(now a.gif, the first of 3 frames)")])
def test_the_label_says_what_is_read_of_an_animation(tmp_path: Path, frames: int, label: str) -> None:
    first, *others = (Image.new("L", (8, 8), 60 * k) for k in range(frames))
    first.save(tmp_path / "a.gif", save_all=True, append_images=others)
    assert image_picker.label_upload(str(tmp_path / "a.gif")).endswith(label)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_text("no picture")
    assert image_picker.label_upload(str(tmp_path / "a.gif")).endswith("(now a.gif)")
    assert image_picker.label_upload(None) == image_picker.UPLOAD_LABEL


def test_phones_are_asked_for_a_format_that_is_read() -> None:
    """iOS converts a HEIC photograph to JPEG where the picker accepts JPEG and not every image."""
    with gr.Blocks():
        types = image_picker.build_upload("picker", latent_space.read_square).button.file_types
    assert ".jpg" in types
    assert not {"image", ".heic"} & set(types)


def test_the_original_is_shown_beside_what_is_read(tmp_path: Path) -> None:
    with gr.Blocks() as page:
        image_picker.build("picker", (image_picker.UPLOAD,), "", lambda: mnist.DATASET)
    show, read = (next(fn.fn for fn in page.fns.values() if fn.name == name) for name in ("show", "show_reading"))
    path = tmp_path / "a.png"
    Image.fromarray(np.pad(np.zeros((100, 10), np.uint8), 100, constant_values=255)).save(path)
    _, original = show(str(path), None)
    assert decode_image(original["original"]).size == (196, 280)
    assert np.asarray(decode_image(read(str(path), None)))[7:-7, 15:17].min() > 128
    assert "blank" in read(str(path), correction(path, box=(0, 0, 0.2, 1)))
    path.write_text("no picture")
    assert show(str(path), correction(path, swap=True))[1] == gr.skip(), "a corrected picture stays so"
    _, original = show(str(path), None)
    assert original is None
    assert "is not a picture that can be read" in read(str(path), None)


@pytest.mark.parametrize(("pixels", "width"), [(28, 112), (64, 64), (100, 100), (128, 128), (512, 512)])
def test_what_is_read_is_shown_in_whole_pixels(tmp_path: Path, pixels: int, width: int) -> None:
    with gr.Blocks() as page:
        image_picker.build_upload("picker", lambda *_: np.zeros((pixels, pixels, 1), np.uint8))
    read = next(fn.fn for fn in page.fns.values() if fn.name == "show_reading")
    assert f"width:{width}px" in read(str(tmp_path / "a.png"), None)


def decode_image(html: str) -> Image.Image:
    """Return the image in the data: URL of some HTML."""
    return Image.open(io.BytesIO(base64.b64decode(re.search('base64,([^"]+)', html)[1])))


def correction(path: Path, box: Box = FULL_BOX, swap: bool = False) -> dict[str, object]:
    """Return the value of the component after an upload was corrected."""
    return {"of": str(path), "box": box, "swap": swap}


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    """Return digits (N, 1, 32, 32) in [-1, 1], drawn by a generator: those of MNIST would have to be downloaded."""
    images = playground.load("gan-digits-conditional").sample(n=20).images()
    return torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1


def enlarge(digit: torch.Tensor) -> np.ndarray:
    """Return the ink of a digit (1, 32, 32) as (140, 140) in [0, 1]."""
    ink = (digit[None, :, 2:-2, 2:-2] + 1) / 2
    return functional.interpolate(ink, size=(140, 140), mode="bicubic").clamp(0, 1)[0, 0].numpy()


def photograph_label(digit: torch.Tensor, _: torch.Tensor) -> np.ndarray:
    """Return a photograph of a digit in light ink on a dark label on light paper: the label is taken for ink."""
    grey = np.full((420, 420), 235, np.float32)
    grey[110:310, 110:310] = 40
    grey[140:280, 140:280] += 180 * enlarge(digit)
    return grey


def photograph_two(digit: torch.Tensor, other: torch.Tensor) -> np.ndarray:
    """Return a photograph of a digit on the left, and another on the right."""
    grey = np.full((300, 600), 230, np.float32)
    grey[80:220, 60:200] -= 190 * enlarge(digit)
    grey[80:220, 380:520] -= 190 * enlarge(other)
    return grey


@pytest.mark.parametrize(
    ("take", "box", "swap"),
    [(photograph_label, FULL_BOX, True), (photograph_label, (0.28, 0.28, 0.72, 0.72), False),
     (photograph_two, (0, 0, 0.5, 1), False)],
)  # fmt: skip
@torch.no_grad()
def test_corrected_photographs_are_read_as_the_judge_reads_the_digits(
    take: Callable[..., np.ndarray], box: Box, swap: bool, digits: torch.Tensor, tmp_path: Path
) -> None:
    judge, path, readings = checkpoint.load(checkpoint.WEIGHTS / "judge-digits.safetensors"), tmp_path / "a.png", []
    for digit, other in zip(digits, digits.flip(0), strict=True):
        Image.fromarray(take(digit, other).round().astype(np.uint8)).save(path)
        for value in (None, correction(path, box, swap)):
            sources = Sources(upload=str(path), correction=value)
            readings.append(image_picker.load_image(image_picker.UPLOAD, 0, sources, mnist.DATASET, tmp_path))
    known, read = judge(digits).argmax(1), judge(torch.cat(readings)).argmax(1)
    assert (read[::2] == known).float().mean() < 0.3, "as they are"
    assert (read[1::2] == known).float().mean() > 0.9, "corrected"


@pytest.mark.parametrize(
    ("ink", "paper"),
    [((250, 225, 40), (248, 246, 240)), ((200, 50, 60), (70, 100, 205)), ((240, 240, 90), (90, 70, 160))],
)  # fmt: skip
@torch.no_grad()
def test_digits_in_ink_of_any_colour_are_read_as_they_are(
    ink: tuple[int, ...], paper: tuple[int, ...], digits: torch.Tensor, tmp_path: Path
) -> None:
    judge, path, readings = checkpoint.load(checkpoint.WEIGHTS / "judge-digits.safetensors"), tmp_path / "a.jpg", []
    for digit in digits:
        cover = np.pad(enlarge(digit), 80)[..., None]
        light = np.linspace(1, 0.6, len(cover))[:, None, None]  # a shadow
        pixels = light * (cover * ink + (1 - cover) * paper)
        Image.fromarray(pixels.round().astype(np.uint8)).save(path, quality=85)
        sources = Sources(upload=str(path))
        readings.append(image_picker.load_image(image_picker.UPLOAD, 0, sources, mnist.DATASET, tmp_path))
    known, read = judge(digits).argmax(1), judge(torch.cat(readings)).argmax(1)
    assert (read == known).float().mean() >= 0.95


def test_a_part_of_a_photograph_in_colour_is_read(tmp_path: Path) -> None:
    pixels = np.zeros((50, 100, 3), np.uint8)
    pixels[:, 60:] = 255, 128, 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    path = tmp_path / "a.png"
    square = latent_space.read_square(str(path), correction(path, box=(0.6, 0.1, 0.9, 0.9)))
    assert square.shape == (64, 64, 3)
    assert (square == (255, 128, 0)).all()
    assert not (latent_space.read_square(str(path), None) == (255, 128, 0)).all()


def test_a_correction_is_of_its_own_upload() -> None:
    value = {"of": "a.png", "box": [0.1, 0, 0.5, 1], "swap": True}
    assert photograph.decode(value, "a.png") == ((0.1, 0, 0.5, 1), True)
    for other in (photograph.decode(value, "b.png"), photograph.decode(None, "a.png"), photograph.decode("", "a.png")):
        assert other == (FULL_BOX, False)


@pytest.mark.parametrize(
    "value",
    ["seven", [], {}, {"of": "a.png", "box": FULL_BOX}, {"of": "a.png", "box": FULL_BOX, "swap": 1},
     *({"of": "a.png", "box": box, "swap": True} for box in
       ([0, 0, 1], [0, 0, 0, 1], [0.5, 0, 0.2, 1], [0, 0, 1, 1.1], [0, 0, 1, math.nan], ["x", 0, 1, 1], 7))],
)  # fmt: skip
def test_what_the_page_never_sends_is_one_sentence(value: object) -> None:
    with pytest.raises(UserError, match="a correction has a path"):
        photograph.decode(value, "a.png")
