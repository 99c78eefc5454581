"""Interpolate: from the chosen image to another, through the latent space and through pixels."""

from typing import Any

import gradio as gr
import torch

from playground import interpolation, pictures
from playground.models import vae
from playground.tabs import Places
from playground.tabs.vae import codes
from playground.tabs.vae.codes import Start
from playground.ui import controls, palette, scrubber
from playground.ui.scrubber import Curve, Series, Strip

TITLE = "Interpolate"
FRAMES = 41
HOW = """
Between two codes every point is a code too, and the decoder draws it; the pixels in between are merely two images laid
over each other. In many dimensions the prior's codes lie near a sphere of radius √Z. The straight way cuts through its
middle, where there are no images; the arc stays outside.
"""


def build(places: Places) -> tuple[list[Any], list[Any]]:
    """The components of the view, and its own controls."""
    other = controls.unchecked(
        gr.Number(1, label="To", info="Seed of the other code, which comes from the prior.", precision=0)
    )
    stage = scrubber.build("Interpolation, frame by frame", "vae-interpolate", "Choose an image.")
    with gr.Accordion("How it works", open=False):
        gr.Markdown(HOW)
    return [stage], [other]


@torch.no_grad()
def show(places: Places, start: Start) -> list[Any]:
    """The values of the components for an image."""
    model = codes.load(places, start.settings.model)
    end = vae.codes(model, vae.Settings(n=1, seed=start.settings.other))[0]
    ways = {"straight": interpolation.straight(start.z, end, FRAMES)}
    ways["arc"] = interpolation.spherical(start.z, end, FRAMES)
    drawn = {name: model.mean(model.decode(way)).clamp(-1, 1) for name, way in ways.items()}
    faded = torch.lerp(drawn["arc"][:1], drawn["arc"][-1:], torch.linspace(0, 1, FRAMES).view(-1, 1, 1, 1))
    hints = {"straight": "the line from code to code", "arc": "around the origin, not through it"}
    strips = [Strip(f"z, {name}", hints[name], pictures.to_uint8(x)[:, None]) for name, x in drawn.items()]
    strips.append(Strip("pixels, cross-faded", "for contrast: no model", pictures.to_uint8(faded)[:, None]))
    colours = {"straight": palette.DATA, "arc": palette.ESTIMATE}
    norms = {name: way.norm(dim=1).tolist() for name, way in ways.items()}
    return [
        scrubber.pack(
            strips,
            [f"{k / (FRAMES - 1):.0%} of the way · |z| = {norms['straight'][k]:.2f} straight, {norms['arc'][k]:.2f} on "
             f"the arc; √Z = {model.config.latent**0.5:.2f}" for k in range(FRAMES)],
            ("the image", "the other"),
            curves=[Curve("|z|", "Length of the code.", [Series(k, colours[k], v) for k, v in norms.items()])],
            start=FRAMES // 2,
            keep=True,
        )
    ]  # fmt: skip


def message(text: str) -> list[Any]:
    """The values that say something, and leave what is shown."""
    return [scrubber.message(text)]
