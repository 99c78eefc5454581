"""Gradients: how to learn a distribution by samples from it, with the reparameterization trick and without it."""

from functools import lru_cache
from typing import NamedTuple

import gradio as gr
import plotly.graph_objects as go
import torch
from plotly.subplots import make_subplots
from torch import Tensor

from playground.families import vae
from playground.families.vae import gradients
from playground.families.vae.gradients import Estimator, Gradients
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.tabs.vae import codes
from playground.tabs.vae.choice import ChoiceView, message_without_plots
from playground.tabs.vae.codes import EncodedImage, ViewParams
from playground.web import controls, explanation, palette, plots
from playground.web.controls import Control
from playground.web.formula import format_number, use_minus_signs

HINT = "Training needs the gradient of a mean over random z. Here are two ways to estimate it from the same samples."
HOW = """
z comes from N(μ, σ²), and we want to know how the mean of f(z) changes with μ and with σ. **With the
reparameterization trick** z = μ + σ ε, so the slope of f gives both: f′(z) for μ, f′(z) ε for σ. **Without it** (the
score-function estimator, REINFORCE) each sample counts f(z) times the gradient of log q(z): ε / σ and (ε² − 1) / σ.
That needs no slope of f, and so works where z is discrete; but the size of f itself makes it noisy, and more so the
smaller σ is. Both are unbiased: right on average. The variance falls as 1 / n with n samples per estimate.

On the left f(z) = (z − a)² with μ = 0, whose gradient is known: 2 (μ − a) and 2 σ. On the right f is log p(x|z) of the
chosen image, the first term of the ELBO; μ and σ are the encoder's, in the dimension of the code that says most. There
the line is the mean of all estimates with the trick.

[Kingma and Welling 2014](https://arxiv.org/abs/1312.6114), section 2.4 ·
[Mohamed 2020](https://arxiv.org/abs/1906.10652), sections 4 and 5
"""
ESTIMATES = 1000  # of the gradient of (z - a)^2
# Samples of log p(x|z), whose gradient passes through the decoder; colour takes longer.
DRAWS, COLOUR_DRAWS = 400, 100
CHUNK = 100  # samples at a time
WITH_TRICK = "with the trick"
ESTIMATORS: dict[str, Estimator] = {WITH_TRICK: gradients.reparameterized, "without it": gradients.score_function}
COLOURS = (palette.ESTIMATE, palette.NOISE)
HEIGHT = 340  # pixels of a plot
EDGE = 0.005  # share of the estimates beyond each end of an axis


class Comparison(NamedTuple):
    """Estimates of the gradient of the mean of a function, in one dimension of z."""

    title: str
    estimates: dict[str, Gradients]  # by `ESTIMATORS`, each (N,)
    true: Gradients  # scalars
    reference: str  # name of `true`, which is known or a mean of estimates


def build(paths: Paths) -> tuple[list[Control], list[Control]]:
    """Build the components of the view, and its own controls."""
    with gr.Row():
        with gr.Column(min_width=300):
            known_plot = gr.Plot(show_label=False, elem_id="vae-gradients-known")
        with gr.Column(min_width=300):
            image_plot = gr.Plot(show_label=False)
    with gr.Row():
        first = ViewParams()
        hint = "Where f(z) = (z − a)² is 0; μ is 0."
        a = controls.slider(-codes.MAX_A, codes.MAX_A, first.a, 0.1, "a", hint)
        hint = "Spread of z, on the left."
        sigma = controls.slider(codes.MIN_SIGMA, codes.MAX_SIGMA, first.sigma, 0.05, "σ", hint)
        hint = "Their mean is one estimate."
        samples = controls.slider(1, codes.MAX_SAMPLES, first.samples, 1, "Samples per estimate", hint)
    table = gr.Markdown(elem_id="vae-gradients")
    explanation.build(HOW, gradients.reparameterized)
    return [table, known_plot, image_plot], [a, sigma, samples]


@torch.no_grad()
def show(paths: Paths, encoded: EncodedImage) -> list[object]:
    """Return the values of the components for an image."""
    params, model = encoded.params, codes.CHECKPOINTS.load(paths, encoded.params.model)
    comparisons = [compare_known(params), compare_image(model, encoded)]
    figures = [gr.update(value=draw(comparison), visible=True) for comparison in comparisons]
    return ["\n\n".join(map(to_table, comparisons)), *figures]


def compare_known(params: ViewParams) -> Comparison:
    """Estimate the gradient for f(z) = (z - a)^2, z ~ N(0, sigma^2)."""
    eps = torch.randn(ESTIMATES * params.samples, 1, generator=make_rng(0))
    mu, sigma = torch.zeros(1), torch.tensor([params.sigma])
    f = gradients.squared_distance(params.a)
    estimates = {
        name: gradients.average_in_groups(estimator(f, mu, sigma, eps), 0, params.samples)
        for name, estimator in ESTIMATORS.items()
    }
    true = Gradients(*(value[0] for value in gradients.squared_distance_gradients(mu, sigma, params.a)))
    return Comparison(use_minus_signs(f"f(z) = (z - {params.a:g})²"), estimates, true, "true gradient")


def compare_image(model: vae.Model, encoded: EncodedImage) -> Comparison:
    """Estimate the gradient for f(z) = log p(x|z) in the dimension that says most, z ~ q(z|x)."""
    samples, dimension = _sample_image(model, encoded.x.numpy().tobytes()), codes.order(model)[0]
    n = encoded.params.samples
    estimates = {name: gradients.average_in_groups(values, dimension, n) for name, values in samples.items()}
    best = Gradients(*(values[:, dimension].mean() for values in samples[WITH_TRICK]))
    return Comparison(f"f(z) = log p(x given z), z{dimension + 1}", estimates, best, "best estimate")


@lru_cache(maxsize=8)  # while other settings of the view are tried
def _sample_image(model: vae.Model, image: bytes) -> dict[str, Gradients]:
    """Return estimates from single samples, each (K, Z), for the pixels of an image."""
    config = model.config
    x = torch.frombuffer(bytearray(image), dtype=torch.float32).view(1, config.channels, config.size, config.size)
    mu, log_var = (values[0] for values in model.encode(x))
    f, draws = gradients.image_log_likelihood(model, x), DRAWS if config.channels == 1 else COLOUR_DRAWS
    eps, sigma = torch.randn(draws, config.latent, generator=make_rng(0)), (log_var / 2).exp()
    return {
        name: gradients.estimate_in_chunks(estimator, f, mu, sigma, eps, CHUNK)
        for name, estimator in ESTIMATORS.items()
    }


def to_table(comparison: Comparison) -> str:
    """Return a table of the means and standard deviations of a comparison as Markdown."""
    with_it, without = comparison.estimates.values()
    rows = {
        comparison.title: ("∂/∂μ", "∂/∂σ"),
        "---": ("---", "---"),
        comparison.reference: (format_number(float(value)) for value in comparison.true),
        **{f"{name}, mean ± deviation": map(_spread, values) for name, values in comparison.estimates.items()},
        "variance without the trick ÷ with it": (
            format_number(float(b.var() / a.var()), 2) for a, b in zip(with_it, without, strict=True)
        ),
    }
    return "\n".join(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())


def _spread(values: Tensor) -> str:
    return f"{format_number(float(values.mean()))} ± {format_number(float(values.std()))}"


def draw(comparison: Comparison) -> go.Figure:
    """Return histograms of both estimates of the gradient by mu, one below the other, with the true one as a line."""
    values = torch.cat([gradient.mu for gradient in comparison.estimates.values()])
    low, high = values.quantile(torch.tensor([EDGE, 1 - EDGE])).tolist()
    bins = {"start": low, "end": high, "size": (high - low) / 50}
    titles = [f"{comparison.title}, {name}" for name in ESTIMATORS]
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.16, subplot_titles=titles)
    figure.update_annotations(font_size=13)
    for row, (gradient, colour) in enumerate(zip(comparison.estimates.values(), COLOURS, strict=True), 1):
        bars = go.Histogram(x=gradient.mu.tolist(), xbins=bins, marker={"color": colour}, showlegend=False)
        figure.add_trace(bars, row, 1)
    figure.add_vline(x=comparison.true.mu.item(), line={"color": palette.DATA, "width": 2})
    figure.update_xaxes(title_text=f"estimates of ∂/∂μ; line: the {comparison.reference}", row=2)
    return plots.restyle(figure, HEIGHT)


VIEW = ChoiceView("Gradients", HINT, build, show, message_without_plots)
