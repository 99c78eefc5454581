"""Nearest: the training images that are most like what the decoder draws. Is it memorised?"""

from typing import Any

import gradio as gr
import torch
from torch import Tensor

from playground import pictures
from playground.data import digits
from playground.tabs import Places
from playground.tabs.vae import answers, codes
from playground.tabs.vae.codes import Start
from playground.ui import how, plots
from playground.ui.controls import sentence
from playground.validation import UserError

TITLE = "Nearest"
SHOWN = 9
HOW = """
The distance is the root mean square over pixels, between black (−1) and white (1). A model that had memorised its data
would draw an image with a neighbour at distance 0; one that generalises draws what lies between many.
"""


def build(places: Places) -> tuple[list[Any], list[Any]]:
    """The components of the view, and its own controls."""
    table = gr.HTML(elem_id="vae-nearest")
    again = gr.Button("Search for the picture in Traverse", size="sm")
    shown = gr.Textbox(visible=False)

    def searched(text: Any) -> str:
        try:
            name, z = answers.on_show(places, text)
            return found(places, name, z)
        except UserError as error:
            return plots.paragraph(sentence(error))

    again.click(searched, shown, table, js=answers.ON_SHOW, show_progress="minimal", api_visibility="private")
    how.build(HOW, search)
    return [table], []


def show(places: Places, start: Start) -> list[Any]:
    """The values of the components for an image."""
    return [found(places, start.settings.model, start.z)]


def message(text: str) -> list[Any]:
    """The values that say something, and leave what is shown."""
    return [plots.paragraph(text)]


def found(places: Places, name: str, z: Tensor) -> str:
    """HTML of what the decoder makes of a code (Z,), and of the training images nearest to it."""
    model = codes.load(places, name)
    if model.config.channels != 1:
        raise UserError("this model saw each of its pictures once, and none is kept: choose a model of digits")
    x = codes.decoded(model, z[None])
    images, labels = digits.load(places.data, "train", download=True)
    images = digits.crop(images)
    cells = [_cell(x, "drawn by the decoder", "drawn")]
    for distance, index in search(x, images):
        about = f"training image {index}, a {labels[index]}"
        cells.append(_cell(images[index : index + 1], about, f"{labels[index]} · {distance:.2f}"))
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(cells)}</div>'


def search(x: Tensor, images: Tensor) -> list[tuple[float, int]]:
    """Root mean square distance from x (1, C, H, W) and index of its nearest among images (N, C, H, W)."""
    distances = torch.cat([(part - x).square().mean((1, 2, 3)).sqrt() for part in images.split(5000)])
    nearest = distances.topk(SHOWN, largest=False)
    return list(zip(nearest.values.tolist(), nearest.indices.tolist(), strict=True))


def _cell(x: Tensor, about: str, caption: str) -> str:
    shown = plots.picture(pictures.to_uint8(x)[0], about, 112)
    return f'<figure style="margin:0;text-align:center">{shown}<br><small>{caption}</small></figure>'
