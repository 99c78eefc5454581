"""Nearest: the training images that are most like what the decoder draws. Is it memorised?"""

from typing import Any

import gradio as gr
from torch import Tensor

from playground.tabs import Places
from playground.tabs.vae import answers, codes
from playground.tabs.vae.codes import Start
from playground.ui import controls, how, neighbours, plots
from playground.ui.controls import sentence
from playground.validation import UserError

TITLE = "Nearest"
HINT = "Is what the decoder draws a copy? Its nearest among the 60,000 training digits (11 MB, fetched once)."
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

    again.click(searched, shown, table, js=answers.ON_SHOW, **controls.SLOW)
    how.build(HOW, neighbours.search)
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
    return neighbours.rows(codes.decoded(model, z[None]), SHOWN, places.data)
