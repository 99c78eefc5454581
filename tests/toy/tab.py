"""The tab of the toy."""

from functools import partial

import gradio as gr
import numpy as np

from playground.families import toy
from playground.runtime import pictures
from playground.runtime.paths import Paths
from playground.runtime.run import last_frame
from playground.tabs import Tab
from playground.web.checkpoint_picker import CheckpointPicker

PICKER = CheckpointPicker("toy", "toy-chequers")


def build(page: gr.Blocks, paths: Paths) -> None:
    model, image = PICKER.build(paths), gr.Image(label="Samples of the toy")
    gr.Button("Sample the toy").click(partial(draw, paths), model, image)


def draw(paths: Paths, name: str) -> np.ndarray:
    """Return four samples, uint8 (H, W, 1)."""
    x = last_frame(toy.sample(PICKER.load(paths, name), toy.Settings())).x
    return pictures.make_grid(pictures.to_uint8(x))


TAB = Tab("Toy", 100, "A toy.", build)
