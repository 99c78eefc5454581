"""Nearest: the training images that are most like what the decoder draws. Is it memorised?"""

from typing import Any

import gradio as gr
import torch

from playground import pictures
from playground.data import digits
from playground.tabs import Places
from playground.tabs.vae import codes
from playground.tabs.vae.codes import Start
from playground.ui import plots
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
    with gr.Accordion("How it works", open=False):
        gr.Markdown(HOW)
    return [table], []


@torch.no_grad()
def show(places: Places, start: Start) -> list[Any]:
    """The values of the components for an image."""
    if start.x.shape[1] != 1:
        raise UserError("this model saw every picture once, and none is kept: choose a model of digits")
    model = codes.load(places, start.settings.model)
    drawn = model.mean(model.decode(start.z[None])).clamp(-1, 1)
    images, labels = digits.load(places.data, "train", download=True)
    images = digits.crop(images)
    distances = torch.cat([(part - drawn).square().mean((1, 2, 3)).sqrt() for part in images.split(5000)])
    nearest = distances.topk(SHOWN, largest=False)
    cells = [_cell(pictures.to_uint8(drawn)[0], "drawn by the decoder", "drawn")]
    for distance, index in zip(nearest.values.tolist(), nearest.indices.tolist(), strict=True):
        about = f"training image {index}, a {labels[index]}"
        cells.append(_cell(pictures.to_uint8(images[index : index + 1])[0], about, f"{labels[index]} · {distance:.2f}"))
    return [f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(cells)}</div>']


def message(text: str) -> list[Any]:
    """The values that say something, and leave what is shown."""
    return [plots.paragraph(text)]


def _cell(image: Any, about: str, caption: str) -> str:
    shown = plots.picture(image, about, 112)
    return f'<figure style="margin:0;text-align:center">{shown}<br><small>{caption}</small></figure>'
