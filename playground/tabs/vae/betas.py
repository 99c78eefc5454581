"""Beta: the same image through models trained with different β."""

import html
from operator import attrgetter
from typing import NamedTuple

import gradio as gr
import numpy as np
import plotly.graph_objects as go
import torch
from torch import Tensor

from playground.datasets import mnist
from playground.datasets.dataset import Dataset
from playground.families import vae
from playground.runtime import pictures
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError
from playground.tabs.vae import codes
from playground.tabs.vae.choice import ChoiceView
from playground.tabs.vae.codes import EncodedImage
from playground.web import explanation, palette, plots
from playground.web.controls import Control, error_sentence

HINT = "The same image through models trained with different β, the price of information in the code."
HOW = """
β is the price of information in the code. When it is low, the code says a lot and the reconstruction is faithful;
when it is high, only what pays for itself is kept, few dimensions stay alive, and the reconstruction is blurred. The
rate is the KL divergence, what the code costs; the distortion is −log p(x|z), what the reconstruction misses. Their sum
is −ELBO, whatever β was in training.

[Higgins 2017](https://openreview.net/forum?id=Sy2fzU9gl) · [Alemi 2018](https://arxiv.org/abs/1711.00464) (rate and
distortion)
"""
BETAS = {0.5: "vae-digits-beta0.5", 1.0: "vae-digits", 4.0: "vae-digits-beta4", 10.0: "vae-digits-beta10"}  # shipped
DRAWS = 32  # codes of the image, over which its distortion is averaged


class Encoding(NamedTuple):
    """An image as one model sees it."""

    model: vae.Model
    mu: Tensor  # mean of q(z|x), (Z,)
    drawing: Tensor  # what the decoder makes of it, (1, C, H, W)
    kl: Tensor  # KL divergence of each dimension, (Z,), in nats
    distortion: float  # -log p(x|z), in nats


def build(paths: Paths) -> tuple[list[Control], list[Control]]:
    """Build the components of the view, and its own controls."""
    table = gr.HTML(elem_id="vae-betas")
    plot = gr.Plot(show_label=False)
    explanation.build(HOW, vae.loss)
    return [table, plot], []


def show(paths: Paths, encoded: EncodedImage) -> list[object]:
    """Return the values of the components for an image."""
    encodings, wrong = {}, []
    dataset = codes.about(paths, encoded.params.model).dataset
    compared, shipped = comparable_models(paths, dataset), BETAS if dataset is mnist.DATASET else {}
    if len(compared) < 2 and not shipped:
        raise UserError(f"there are no models of these data that differ in β: choose a model of {mnist.DATASET.title}")
    for about in compared:
        try:
            encodings[f"β = {about.beta:g}{about.file_suffix}"] = encode(
                codes.CHECKPOINTS.load(paths, about.name), encoded.x
            )
        except UserError as error:
            wrong.append(error_sentence(error))
    for beta in shipped.keys() - {about.beta for about in compared}:
        wrong.append(
            error_sentence(UserError(f"there is no model of β = {beta:g}: `python -m train {BETAS[beta]}` makes it"))
        )
    max_kl = max([1.0, *(float(encoding.kl.max()) for encoding in encodings.values())])
    rows = [row(name, encoding, max_kl) for name, encoding in encodings.items()]
    table = "".join([*rows, LEGEND, *map(plots.paragraph, wrong)])
    return [table, gr.update(value=rate_distortion(encodings), visible=True)]


def message(text: str) -> list[object]:
    """Return the values that show a text in place of the table, and hide the plot."""
    return [plots.paragraph(text), gr.update(visible=False)]


def comparable_models(paths: Paths, dataset: Dataset | None) -> list[codes.About]:
    """Return the models of a data set by their β, all with as many dimensions as the first of them."""
    every = [codes.About.of(name, header) for name, header in codes.CHECKPOINTS.headers(paths).items()]
    same_data = [about for about in every if dataset and about.dataset is dataset and about.beta and about.n_test]
    return sorted((about for about in same_data if about.latent == same_data[0].latent), key=attrgetter("beta"))


@torch.no_grad()
def encode(model: vae.Model, x: Tensor) -> Encoding:
    """Return an image (1, C, H, W) as a model sees it, or raise UserError if it has another size than the model's."""
    codes.check(model, x)
    output = model(x, torch.randn(DRAWS, 1, model.config.latent, generator=make_rng(0)))
    parts = vae.compute_terms(model, x, output)
    return Encoding(
        model, output.mu[0], codes.decode(model, output.mu), parts.kl[0], -parts.reconstruction.mean().item()
    )


LEGEND = (
    "<p>For each model, in order: its reconstruction · the KL of each dimension, all on one scale · the rate "
    "(nats that the code carries) and the distortion (nats that the reconstruction misses) · its first dimension moved "
    "from −3 to 3.</p>"
)


def row(name: str, encoding: Encoding, max_kl: float) -> str:
    """Return HTML of a model: its drawing, the KL of each dimension as bars, of which the highest can have `max_kl`
    nats, and a traversal of its first dimension."""
    kl = encoding.kl.sort(descending=True).values
    bars = "".join(
        f'<span style="width:7px;height:{max(1, 56 * value / max_kl):.0f}px;background:{palette.ESTIMATE}"></span>'
        for value in kl.tolist()
    )
    numbers = ", ".join(f"{value:.2f}" for value in kl.tolist())
    strip = pictures.make_grid(walk(encoding), columns=codes.COLUMNS)
    first = codes.order(encoding.model)[0] + 1
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:8px 10px;align-items:end;margin:8px 0 16px">'
        f'<figure style="margin:0;width:84px"><figcaption><b>{html.escape(name)}</b></figcaption>'
        f"{plots.image_tag(pictures.to_uint8(encoding.drawing)[0], f'drawn by the model of {name}', 84)}</figure>"
        '<span style="display:flex;gap:2px;align-items:flex-end;height:60px" role="img" tabindex="0" '
        f'aria-label="KL of each dimension" title="KL of each dimension, in nats: {numbers}">{bars}</span>'
        f'<span style="width:122px">rate {kl.sum():.1f} nats<br>distortion {encoding.distortion:.1f} nats</span>'
        f"{plots.image_tag(strip, f'z{first} from -3 to 3', 28 * codes.COLUMNS)}</div>"
    )


def walk(encoding: Encoding) -> np.ndarray:
    """Return pictures along the dimension that says most, uint8 (COLUMNS, H, W, C)."""
    z = encoding.mu.repeat(codes.COLUMNS, 1)
    z[:, codes.order(encoding.model)[0]] = torch.tensor(codes.VALUES)
    return pictures.to_uint8(codes.decode(encoding.model, z))


def rate_distortion(encodings: dict[str, Encoding]) -> go.Figure:
    """Return rate against distortion: the mean over test images, and this image."""
    names = list(encodings)
    rates = [float(encoding.model.kl.sum()) for encoding in encodings.values()]
    distortions = [
        -float(encoding.model.test_elbo.mean()) - rate for encoding, rate in zip(encodings.values(), rates, strict=True)
    ]
    own = (
        [float(encoding.kl.sum()) for encoding in encodings.values()],
        [encoding.distortion for encoding in encodings.values()],
    )
    return plots.figure(
        "rate: KL, nats", "distortion: −log p(x|z), nats",
        go.Scatter(x=rates, y=distortions, text=names, mode="lines+markers+text", textposition="top center",
                   cliponaxis=False, name="test images", marker={"size": 9, "color": palette.DATA},
                   line={"color": palette.DATA}),
        go.Scatter(x=own[0], y=own[1], text=names, mode="markers", name="this image",
                   marker={"size": 13, "color": palette.ESTIMATE, "symbol": "circle-open", "line": {"width": 3}}),
    )  # fmt: skip


VIEW = ChoiceView("Beta", HINT, build, show, message)
