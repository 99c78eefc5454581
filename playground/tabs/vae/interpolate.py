"""Interpolate: from the chosen image to another, through the latent space and through pixels."""

from typing import Any

import gradio as gr
import torch
from torch import Tensor

from playground import formulas, interpolation, pictures
from playground.tabs import Places
from playground.tabs.vae import codes
from playground.tabs.vae.codes import Start
from playground.ui import component, controls, how, palette, scrubber
from playground.ui.scrubber import Curve, Series, Strip

TITLE = "Interpolate"
HINT = "**Drag the slider** from one image to another, through codes and through pixels."
FRAMES = 41
HOW = """
Between two codes every point is a code too, and the decoder draws it; the pixels in between are merely two images laid
over each other. In many dimensions the prior's codes lie near a sphere of radius √Z. The straight way cuts through its
middle, where there are no images; the arc stays outside.
"""


def build(places: Places) -> tuple[list[Any], list[Any]]:
    """The components of the view, and its own controls."""
    with gr.Row():
        kind = controls.unchecked(gr.Radio(list(codes.ENDS), value=codes.PRIOR, label="To", info="The other end."))
        number = controls.unchecked(
            gr.Number(1, label="Which", info="Seed of the code, or number of the test image.", precision=0)
        )
    stage = scrubber.build("Interpolation, frame by frame", "vae-interpolate", "Choose an image.")
    how.build(HOW, interpolation.spherical)
    return [stage], [kind, number]


def ways(places: Places, start: Start) -> dict[str, Tensor]:
    """The codes of both ways to the other end, by name; each (FRAMES, Z)."""
    end = codes.end(places, start.settings)
    return {
        "straight": interpolation.straight(start.z, end, FRAMES),
        "arc": interpolation.spherical(start.z, end, FRAMES),
    }


@torch.no_grad()
def show(places: Places, start: Start) -> list[Any]:
    """The values of the components for an image."""
    model, both = codes.load(places, start.settings.model), ways(places, start)
    drawn = {name: codes.decoded(model, way) for name, way in both.items()}
    share = torch.linspace(0, 1, FRAMES)
    faded = torch.lerp(drawn["arc"][:1], drawn["arc"][-1:], share.view(-1, 1, 1, 1))
    hints = {"straight": "the line from code to code", "arc": "around the origin, not through it"}
    strips = [Strip(f"z, {name}", hints[name], pictures.to_uint8(x)[:, None]) for name, x in drawn.items()]
    strips.append(Strip("pixels, cross-faded", "for contrast: no model", pictures.to_uint8(faded)[:, None]))
    colours = {"straight": palette.DATA, "arc": palette.ESTIMATE}
    norms = {name: way.norm(dim=1).tolist() for name, way in both.items()}
    weights = interpolation.spherical_weights(both["arc"][0], both["arc"][-1], FRAMES)
    return [
        scrubber.pack(
            strips,
            [f"{k / (FRAMES - 1):.0%} of the way · |z| = {norms['straight'][k]:.2f} straight, {norms['arc'][k]:.2f} on "
             f"the arc, √Z = {model.config.latent**0.5:.2f} of most codes" for k in range(FRAMES)],
            ("the image", "the other"),
            curves=[Curve("|z|", "Length of the code.", [Series(k, colours[k], v) for k, v in norms.items()])],
            formula=formulas.ways("straight", "arc", "the two codes"),
            numbers=formulas.ways_numbers(*(each.tolist() for each in weights)),
            start=FRAMES // 2,
            keep=True,
        )
    ]  # fmt: skip


def message(text: str) -> list[Any]:
    """The values that say something, and leave what is shown."""
    return [component.message(text)]
