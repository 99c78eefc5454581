"""Interpolate: from the chosen image to another, through the latent space and through pixels."""

import gradio as gr
import torch
from torch import Tensor

from playground.nn import interpolation
from playground.runtime import pictures
from playground.runtime.paths import Paths
from playground.tabs.vae import codes
from playground.tabs.vae.choice import ChoiceView
from playground.tabs.vae.codes import EncodedImage
from playground.web import controls, explanation, formula, palette, scrubber
from playground.web.controls import Control
from playground.web.scrubber import Curve, Film, Series, Strip

HINT = "**Drag the slider** from one image to another, through codes and through pixels."
FRAMES = 41
HOW = """
Between two codes every point is a code too, and the decoder draws it; the pixels in between are merely two images laid
over each other. In many dimensions the prior's codes lie near a sphere of radius √Z. The straight line cuts through its
middle, where there are no images; the arc avoids it.
"""


def build(paths: Paths) -> tuple[list[Control], list[Control]]:
    """Build the components of the view, and its own controls."""
    stage = scrubber.build("Interpolation, frame by frame", "vae-interpolate", "Choose an image.")
    with gr.Row():
        kind = controls.radio(list(codes.ENDS), codes.PRIOR, "To", "Where the path ends.")
        hint = "Seed of the random code, or number of the test image."
        number = controls.number(1, "Seed or number", hint, precision=0)
    explanation.build(HOW, interpolation.slerp)
    return [stage], [kind, number]


def latent_paths(paths: Paths, encoded: EncodedImage) -> dict[str, Tensor]:
    """Return the codes of both paths to the other end, by name; each (FRAMES, Z)."""
    end = codes.encode_path_end(paths, encoded.params)
    return {"straight": interpolation.lerp(encoded.z, end, FRAMES), "arc": interpolation.slerp(encoded.z, end, FRAMES)}


@torch.no_grad()
def show(paths: Paths, encoded: EncodedImage) -> list[object]:
    """Return the values of the components for an image."""
    model, codes_by_path = codes.CHECKPOINTS.load(paths, encoded.params.model), latent_paths(paths, encoded)
    images = {name: codes.decode(model, z) for name, z in codes_by_path.items()}
    share = torch.linspace(0, 1, FRAMES)
    faded = torch.lerp(images["arc"][:1], images["arc"][-1:], share.view(-1, 1, 1, 1))
    hints = {"straight": "the line from code to code", "arc": "around the origin, not through it"}
    strips = [Strip(f"z, {name}", hints[name], pictures.to_uint8(x)[:, None]) for name, x in images.items()]
    strips.append(Strip("pixels, cross-faded", "for contrast: no model", pictures.to_uint8(faded)[:, None]))
    colours, n = {"straight": palette.DATA, "arc": palette.ESTIMATE}, model.config.latent
    norms = {name: z.norm(dim=1).tolist() for name, z in codes_by_path.items()}
    return [
        scrubber.pack(Film(
            strips,
            [f"{k / (FRAMES - 1):.0%} of the way · |z| = {norms['straight'][k]:.2f} straight, {norms['arc'][k]:.2f} on "
             f"the arc, about √{n} = {n**0.5:.2f} for codes of the prior" for k in range(FRAMES)],
            ("this image", "the other"),
            curves=[Curve("|z|", "Length of the code.", [Series(k, colours[k], v) for k, v in norms.items()])],
            formula=formula.render(interpolation.path_formulas("straight", "arc", "the two codes")),
            numbers=interpolation.path_numbers(codes_by_path["arc"][[0, -1]], FRAMES),
            start=FRAMES // 2,
            keep=True,
        ))
    ]  # fmt: skip


VIEW = ChoiceView("Interpolate", HINT, build, show)
