"""ELBO: the bound of the chosen image, its two terms, and how more samples raise it."""

import math

import gradio as gr
import plotly.graph_objects as go
import torch
from torch import Tensor

from playground.families import vae
from playground.families.vae import elbo
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.tabs.vae import codes
from playground.tabs.vae.choice import ChoiceView, message_without_plots
from playground.tabs.vae.codes import EncodedImage
from playground.web import explanation, palette, plots
from playground.web.component import Value
from playground.web.controls import Control
from playground.web.formula import use_minus_signs

HINT = "What this image's code costs, and how well the image is reconstructed from it."
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # samples of the importance-weighted bound
IN_COLOUR = " Pictures in colour have a density, which may exceed 1, so that its log can be above 0."
HOW = """
log p(x) cannot be computed, but it can be bounded from below: the ELBO is log p(x|z), averaged over codes from q(z|x),
minus KL(q(z|x) ‖ p(z)). Weighing k codes by p(x, z) / q(z|x) gives a bound that rises with k. For a binary image it
rises to log p(x); for a grey one log p(x|z) is the mean over the binary images drawn from it, and what it rises
to lies a little below the mean of their log p. Bits per dimension: nats / (D ln 2), where D is the number of pixels,
three times as many in colour.

[Kingma and Welling 2014](https://arxiv.org/abs/1312.6114), eq. 7 · [Burda 2016](https://arxiv.org/abs/1509.00519),
eq. 8 (the importance-weighted bound)
"""


def build(paths: Paths) -> tuple[list[Control], list[Control]]:
    """Build the components of the view, and its own controls."""
    numbers = gr.Markdown(elem_id="vae-meter")
    with gr.Row():
        with gr.Column(min_width=300):
            bound = gr.Plot(show_label=False)
        with gr.Column(min_width=300):
            where = gr.Plot(show_label=False)
    explanation.build(HOW, elbo.compute_terms)
    return [numbers, bound, where], []


@torch.no_grad()
def show(paths: Paths, encoded: EncodedImage) -> list[object]:
    """Return the values of the components for an image."""
    model = codes.CHECKPOINTS.load(paths, encoded.params.model)
    draws = 4 * COUNTS[-1] if encoded.x.shape[1] == 1 else COUNTS[-1]  # colour takes longer
    parts = list(vae.sample_terms(model, encoded.x, draws, make_rng(0), chunk_size=250))
    reconstruction = torch.cat([part.reconstruction[:, 0] for part in parts])
    log_weights = reconstruction + torch.cat([part.log_ratio[:, 0] for part in parts])
    distortion, rate = -reconstruction.mean().item(), parts[0].kl.sum().item()
    # The bound of k samples is the mean over groups of k.
    bounds = [(log_weights.view(-1, k).logsumexp(1) - math.log(k)).mean().item() for k in COUNTS]
    bound, per_bit = -distortion - rate, encoded.x.numel() * math.log(2)
    rows = {"E log p(x given z): how well the code draws x": -distortion, "− KL(q ‖ p): what the code costs": -rate,
            "**ELBO**, their sum": bound, f"bound of {COUNTS[-1]:,} samples": bounds[-1]}  # fmt: skip
    lines = [use_minus_signs(f"| {name} | {value:.1f} | {value / per_bit:.3f} |") for name, value in rows.items()]
    text = "\n".join(["| | nats | bits per dimension |", "|---|---|---|", *lines])
    comparison, histogram = compare(model, bound)
    note = IN_COLOUR if model.config.channels == 3 else ""
    return [f"{text}\n\n{comparison}Higher is better.{note}", gr.update(value=_curve(bounds), visible=True), histogram]


def compare(model: vae.Model, bound: float) -> tuple[str, Value]:
    """Return a sentence and the value of a plot that compare a bound, in nats, with those of the test images: "" and a
    hidden plot if the model keeps none."""
    if not model.config.n_test:
        return "", gr.update(visible=False)
    below = (model.test_elbo < bound).float().mean().item()
    plot = gr.update(value=_histogram(model.test_elbo, bound), visible=True)
    return f"{below:.0%} of the test images have a lower ELBO. ", plot


def _curve(bounds: list[float]) -> go.Figure:
    line = {"color": palette.DATA}
    plot = plots.figure("samples k", "bound, nats", go.Scatter(x=COUNTS, y=bounds, mode="lines+markers", line=line))
    plot.update_xaxes(type="log")
    return plot


def _histogram(test_elbo: Tensor, bound: float) -> go.Figure:
    bars = go.Histogram(x=test_elbo.tolist(), nbinsx=50, marker={"color": palette.DATA}, name="test images")
    plot = plots.figure("ELBO, nats", "test images", bars)
    plot.add_vline(x=bound, line={"color": palette.NOISE, "width": 3}, annotation_text="this image",
                   annotation_position="top")  # fmt: skip
    return plot


VIEW = ChoiceView("ELBO", HINT, build, show, message_without_plots)
