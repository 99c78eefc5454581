"""Traverse: one slider a dimension, and the picture that follows it."""

import math
from typing import Any

import gradio as gr

from playground.models import vae
from playground.tabs import Places
from playground.tabs.vae import codes
from playground.tabs.vae.codes import Start
from playground.ui import explorer
from playground.ui.explorer import Dimension

TITLE = "Traverse"
HOW = """
The encoder reads an image x and gives a Gaussian over codes, q(z|x) = N(μ, σ²); the decoder draws an image from a code.
Training rewards a faithful drawing and charges for each nat that the code tells about the image: the KL divergence
from the prior N(0, 1), whose mean over test images stands beside each slider. A dimension that pays for nothing is
dead: its KL is 0, and moving it changes nothing.

[Kingma and Welling 2014](https://arxiv.org/abs/1312.6114) ·
[Higgins 2017](https://openreview.net/forum?id=Sy2fzU9gl) (traversals)
"""


def build(places: Places) -> tuple[list[Any], list[Any]]:
    """The components of the view, and its own controls."""
    stage = explorer.build(
        "vae-traverse", codes.answering(places, codes.decode), codes.answering(places, codes.traverse)
    )
    with gr.Accordion("How it works", open=False):
        gr.Markdown(HOW)
    return [stage], []


def show(places: Places, start: Start) -> list[Any]:
    """The values of the components for an image."""
    model = codes.load(places, start.settings.model)
    columns = [-3 + 6 * i / (codes.COLUMNS - 1) for i in range(codes.COLUMNS)]
    z = start.z.clamp(-codes.LIMIT, codes.LIMIT)
    return [
        explorer.pack(
            start.settings.model, z.tolist(), dimensions(model), codes.image(start.x), codes.picture(model, z),
            codes.traversal(model, z), columns, max(4, math.ceil(z.abs().max()))
        )
    ]  # fmt: skip


def message(text: str) -> list[Any]:
    """The values that say something, and leave what is shown."""
    return [explorer.message(text)]


def dimensions(model: vae.Model) -> list[Dimension]:
    """Every dimension with its KL, those that say most first."""
    return [
        Dimension(i, f"z{i + 1} · dead" if model.kl[i] < vae.DEAD else f"z{i + 1} · {model.kl[i]:.2f} nats",
                  bool(model.kl[i] < vae.DEAD))
        for i in codes.order(model)
    ]  # fmt: skip
