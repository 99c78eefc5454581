"""Nearest: the training images that are most like what the decoder draws. Is it memorized?"""

import gradio as gr
from torch import Tensor

from playground.runtime.paths import Paths
from playground.tabs.vae import codes
from playground.tabs.vae.choice import ChoiceView
from playground.tabs.vae.codes import EncodedImage
from playground.web import explanation, neighbours, plots
from playground.web.controls import Control

HINT = "Does the decoder copy its training data? Its picture, beside the nearest training images (MNIST: 11 MB, once)."
N_NEIGHBOURS = 9
WIDTH = 140  # CSS pixels of an image
HOW = """
The distance is the root mean square over pixels, between black (−1) and white (1). A model that memorized its data
would draw images at distance 0 from a training image; one that generalizes draws images unlike any single one.
"""


def build(paths: Paths) -> tuple[list[Control], list[Control]]:
    """Build the components of the view, and its own controls."""
    table = gr.HTML(elem_id="vae-nearest")
    search = gr.Button("Search for the picture in Traverse", size="sm")
    explanation.build(HOW, neighbours.find_nearest)
    return [table, search], []


def show(paths: Paths, encoded: EncodedImage) -> list[object]:
    """Return the values of the components for an image."""
    return [find_neighbours(paths, encoded.params.model, encoded.z), gr.skip()]


def message(text: str) -> list[object]:
    """Return the values that show a text in place of the neighbours, and leave the button."""
    return [plots.paragraph(text), gr.skip()]


def find_neighbours(paths: Paths, name: str, z: Tensor) -> str:
    """Return HTML of what the decoder makes of a code (Z,), and of the training images nearest to it."""
    x = codes.decode(codes.CHECKPOINTS.load(paths, name), z[None])
    return neighbours.render_rows(x, codes.CHECKPOINTS.dataset(paths, name), paths.data, N_NEIGHBOURS, WIDTH)


VIEW = ChoiceView("Nearest", HINT, build, show, message)
