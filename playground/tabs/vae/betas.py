"""Beta: the same image through models that were charged differently for their codes."""

from typing import Any, NamedTuple

import gradio as gr
import plotly.graph_objects as go
import torch
from torch import Tensor

from playground import pictures, sampling
from playground.checkpoint import CheckpointError
from playground.models import vae
from playground.tabs import Places
from playground.tabs.vae import codes
from playground.tabs.vae.codes import Start
from playground.ui import how, palette, plots
from playground.ui.controls import sentence
from playground.validation import UserError

TITLE = "Beta"
HINT = "The same image through models that were charged differently for their codes."
HOW = """
β is the price of a nat of the code. At a low price the code tells much and the drawing is faithful; at a high one only
what pays for itself is told, few dimensions stay alive, and the drawing is blurred. Rate is the KL divergence, what
the code costs; distortion is −log p(x|z), what is missing from the drawing. Their sum is −ELBO,
whatever β was in training.

[Higgins 2017](https://openreview.net/forum?id=Sy2fzU9gl) · [Alemi 2018](https://arxiv.org/abs/1711.00464) (rate and
distortion)
"""
DRAWS = 32  # codes of the image, over which its distortion is averaged


class Seen(NamedTuple):
    """An image as one model sees it: its drawing (1, C, H, W), KL of each dimension (Z,), and -log p(x|z) in nats."""

    model: vae.Model
    mu: Tensor
    drawn: Tensor
    kl: Tensor
    distortion: float


def build(places: Places) -> tuple[list[Any], list[Any]]:
    """The components of the view, and its own controls."""
    table = gr.HTML(elem_id="vae-betas")
    plot = gr.Plot(show_label=False)
    how.build(HOW, vae.loss)
    return [table, plot], []


def show(places: Places, start: Start) -> list[Any]:
    """The values of the components for an image."""
    if start.x.shape[1] != 1:
        raise UserError("the models of several beta are of digits: choose a model of digits")
    seen, missing = {}, []
    for name, beta in codes.BETAS.items():
        try:
            seen[beta] = look(codes.load(places, name), start.x)
        except CheckpointError as error:
            missing.append(plots.paragraph(sentence(error)))
    most = max([1.0, *(float(each.kl.max()) for each in seen.values())])
    rows = [HEADINGS, *(row(beta, each, most) for beta, each in seen.items()), *missing]
    return ["".join(rows), gr.update(value=rate_distortion(seen), visible=True)]


def message(text: str) -> list[Any]:
    """The values that say something, and leave what is shown."""
    return [plots.paragraph(text), gr.update(visible=False)]


@torch.no_grad()
def look(model: vae.Model, x: Tensor) -> Seen:
    """An image (1, C, H, W) through a model."""
    made = model(x, torch.randn(DRAWS, 1, model.config.latent, generator=sampling.generator(0)))
    parts = vae.terms(model, x, made)
    return Seen(model, made.mu[0], codes.decoded(model, made.mu), parts.kl[0], -parts.reconstruction.mean().item())


HEADINGS = (
    "<p>Of each model: what it draws of the image · the KL of each dimension, all on one scale · nats that the code "
    "tells (rate) and that the drawing still lacks (distortion) · its first dimension moved from −3 to 3.</p>"
)


def row(beta: float, seen: Seen, most: float) -> str:
    """HTML of a model: its drawing, the KL of each dimension as bars, and a traversal of its first dimension.

    Args:
        most: nats of the highest bar there can be.
    """
    kl = seen.kl.sort(descending=True).values
    bars = "".join(
        f'<span title="{value:.2f} nats" style="width:8px;height:{max(1, 56 * value / most):.0f}px;'
        f'background:{palette.ESTIMATE}"></span>'
        for value in kl.tolist()
    )
    strip = pictures.grid(walk(seen), columns=codes.COLUMNS)
    first = codes.order(seen.model)[0] + 1
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:16px;align-items:center;margin:8px 0">'
        f'<b style="width:64px">β = {beta:g}</b>'
        f"{plots.picture(pictures.to_uint8(seen.drawn)[0], f'drawn by the model of beta {beta:g}', 84)}"
        f'<span style="display:flex;gap:2px;align-items:flex-end;height:60px" role="img" '
        f'aria-label="KL of each dimension">{bars}</span>'
        f'<span style="width:150px">{kl.sum():.1f} nats told<br>{seen.distortion:.1f} nats missing</span>'
        f"{plots.picture(strip, f'z{first} from -3 to 3', 28 * codes.COLUMNS)}</div>"
    )


def walk(seen: Seen) -> Any:
    """Pictures along the dimension that says most, uint8 (COLUMNS, H, W, C)."""
    z = seen.mu.repeat(codes.COLUMNS, 1)
    z[:, codes.order(seen.model)[0]] = torch.tensor(codes.VALUES)
    return pictures.to_uint8(codes.decoded(seen.model, z))


def rate_distortion(seen: dict[float, Seen]) -> go.Figure:
    """Rate against distortion: the mean over test images, and this image."""
    names = [f"β = {beta:g}" for beta in seen]
    rates = [float(each.model.kl.sum()) for each in seen.values()]
    distortions = [-float(each.model.kept_elbo.mean()) - rate for each, rate in zip(seen.values(), rates, strict=True)]
    own = [float(each.kl.sum()) for each in seen.values()], [each.distortion for each in seen.values()]
    return plots.figure(
        "rate: KL, nats", "distortion: −log p(x|z), nats",
        go.Scatter(x=rates, y=distortions, text=names, mode="lines+markers+text", textposition="top center",
                   cliponaxis=False, name="test images", marker={"size": 9, "color": palette.DATA},
                   line={"color": palette.DATA}),
        go.Scatter(x=own[0], y=own[1], text=names, mode="markers", name="this image",
                   marker={"size": 13, "color": palette.ESTIMATE, "symbol": "circle-open", "line": {"width": 3}}),
    )  # fmt: skip
