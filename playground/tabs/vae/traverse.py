"""Traverse: one slider a dimension, and the picture that follows it."""

import math
from typing import Any

from playground.models import vae
from playground.tabs import Places
from playground.tabs.vae import answers, codes
from playground.tabs.vae.codes import Start
from playground.ui import component, explorer, how
from playground.ui.explorer import Box, Dimension

TITLE = "Traverse"
HINT = "**Move a slider**, and see what that number of the code means."
HOW = """
The encoder reads an image x and gives a Gaussian over codes, q(z|x) = N(μ, σ²); the decoder draws an image from a code.
Training rewards a faithful drawing and charges for each nat that the code tells about the image: the KL divergence
from the prior N(0, 1), whose mean over test images stands beside each slider. A dimension that pays for nothing is
dead: its KL is 0, and moving it changes nothing.

[Kingma and Welling 2014](https://arxiv.org/abs/1312.6114) ·
[Higgins 2017](https://openreview.net/forum?id=Sy2fzU9gl) (traversals)
"""
FORMULA = (
    'KL(q ‖ p) of z<sub><b data-number="i"></b></sub> = ½ (μ² + σ² − ln σ² − 1) = ½ ((<b data-number="mu"></b>)² + '
    '<b data-number="sigma"></b>² − ln <b data-number="sigma"></b>² − 1) = <b data-number="kl"></b> nats '
    "<i>Kingma and Welling 2014, appendix B</i><br><i class=where>μ, σ: mean and deviation of q(z|x), where the "
    "encoder puts this image along the dimension that was moved last; the prior has 0 and 1 · beside each slider: "
    "the mean of its KL over test images</i>"
)
DIAGRAM = (
    Box("x", "The image that the encoder sees.", "image"),
    Box("encoder", "A network that reads the image and answers with a Gaussian over codes."),
    Box("μ, σ", "Mean and deviation of the image's code along the dimension that was moved last.", "posterior"),
    Box("code", "The code as the sliders have it.", "code"),
    Box("decoder", "A network that draws an image from any code."),
    Box("x̂", "What it draws from this one.", "decoded"),
)


def build(places: Places) -> tuple[list[Any], list[Any]]:
    """The components of the view, and its own controls."""
    functions = [answers.answering(places, function) for function in (answers.decode, answers.traverse)]
    stage = explorer.build("vae-traverse", FORMULA, *functions)
    how.build(HOW, vae.Model.forward)
    return [stage], []


def show(places: Places, start: Start) -> list[Any]:
    """The values of the components for an image."""
    name = start.settings.model
    model, z = codes.load(places, name), start.z.clamp(-codes.LIMIT, codes.LIMIT)
    return [
        explorer.pack(
            name, z.tolist(), start.mu.tolist(), start.log_var.tolist(),
            dimensions(model, codes.tracked(name, model)),
            image=answers.image(start.x),
            decoded=answers.picture(model, z),
            traversal=answers.pixels(codes.traversal(model, z)),
            columns=codes.VALUES,
            limit=max(4, math.ceil(z.abs().max())),
            diagram=DIAGRAM,
            caveat=codes.MODELS[name].caveat,
        )
    ]  # fmt: skip


def message(text: str) -> list[Any]:
    """The values that say something, and leave what is shown."""
    return [component.message(text)]


def dimensions(model: vae.Model, tracked: list[str]) -> list[Dimension]:
    """Every dimension with its KL and the factor that it tracks, those that say most first."""
    return [_dimension(i, float(model.kl[i]), tracked[i]) for i in codes.order(model)]


def _dimension(i: int, kl: float, factor: str) -> Dimension:
    dead = kl < vae.DEAD
    said = "dead" if dead else f"{kl:.2f} nats" + (f" · {factor}" if factor else "")
    return Dimension(i, f"z{i + 1} · {said}", dead)
