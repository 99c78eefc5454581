"""Traverse: one slider a dimension, and the picture that follows it."""

import math

from playground.families import vae
from playground.runtime.formula import Formula
from playground.runtime.paths import Paths
from playground.tabs.vae import answers, codes
from playground.tabs.vae.choice import ChoiceView
from playground.tabs.vae.codes import EncodedImage
from playground.web import explanation, explorer, formula
from playground.web.controls import Control
from playground.web.explorer import Box, Dimension, Exploration

HINT = "**Move a slider** to see what that number of the code controls."
HOW = """
The encoder reads an image x and gives a Gaussian over codes, q(z|x) = N(μ, σ²); the decoder draws an image from a code.
Training rewards a faithful reconstruction and charges for the information in the code: the KL divergence from the prior
N(0, 1), in nats, whose mean over test images stands beside each slider. A dimension that carries no information is
dead: its KL is 0, and moving it changes nothing.

[Kingma and Welling 2014](https://arxiv.org/abs/1312.6114) ·
[Higgins 2017](https://openreview.net/forum?id=Sy2fzU9gl) (traversals)
"""
FORMULA = Formula(
    "KL(q ‖ p) of z_{i} = ½ (μ² + σ² − ln σ² − 1)",
    "= ½ (({mu})² + {sigma}² − ln {sigma}² − 1) = {kl} nats",
    "Kingma and Welling 2014, appendix B",
    "μ, σ: mean and deviation of q(z|x), where the encoder puts this image along the dimension moved last; the "
    "prior has 0 and 1 · beside each slider: the mean of its KL over test images",
)
DIAGRAM = (
    Box("x", "The image that the encoder sees.", "image"),
    Box("encoder", "A network that reads the image and answers with a Gaussian over codes."),
    Box("μ, σ", "Mean and deviation of the image's code along the dimension that was moved last.", "posterior"),
    Box("code", "The code as the sliders set it; once moved, it no longer follows μ.", "code"),
    Box("decoder", "A network that draws an image from any code."),
    Box("x̂", "What the decoder draws from this code.", "decoded"),
)


def build(paths: Paths) -> tuple[list[Control], list[Control]]:
    """Build the components of the view, and its own controls."""
    functions = {"decode": answers.decode, "traverse": answers.traverse}
    server_functions = [answers.answering(paths, name, function) for name, function in functions.items()]
    stage = explorer.build("vae-traverse", formula.render([FORMULA]), *server_functions)
    explanation.build(HOW, vae.Model.forward)
    return [stage], []


def show(paths: Paths, encoded: EncodedImage) -> list[object]:
    """Return the values of the components for an image."""
    name, about = encoded.params.model, codes.about(paths, encoded.params.model)
    model, z = codes.CHECKPOINTS.load(paths, name), encoded.z.clamp(-codes.LIMIT, codes.LIMIT)
    exploration = Exploration(
        name, z.tolist(), encoded.mu.tolist(), encoded.log_var.tolist(),
        dimensions(model, codes.tracked(about.dataset, model)),
        image=answers.image(encoded.x),
        decoded=answers.picture(model, z),
        samples=answers.pack_image(codes.posterior_samples(model, encoded)),
        traversal=answers.pack_image(codes.traversal(model, z)),
        columns=codes.VALUES,
        limit=max(4, math.ceil(z.abs().max())),
        diagram=DIAGRAM,
        caveat=about.caveat,
    )  # fmt: skip
    return [explorer.pack(exploration)]


def dimensions(model: vae.Model, tracked: list[str]) -> list[Dimension]:
    """Return every dimension with its KL and the factor that it tracks, those that say most first."""

    def describe(i: int) -> Dimension:
        kl = float(model.kl[i])
        dead = kl < vae.INACTIVE_NATS
        caption = "dead" if dead else f"{kl:.2f} nats" + (f" · {tracked[i]}" if tracked[i] else "")
        return Dimension(i, f"z{i + 1} · {caption}", dead)

    return [describe(i) for i in codes.order(model)]


VIEW = ChoiceView("Traverse", HINT, build, show)
