"""A link may hold what the sliders of its page allow, and a message names their limits."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs import vae
from playground.tabs.compare import drawing, interpolations, likelihoods, request
from playground.tabs.ddpm import forward, reverse
from playground.tabs.gan import ask_discriminator, samples
from playground.tabs.gan import lab as gan_lab
from playground.tabs.latent_diffusion import compare, draw, latent_space
from playground.tabs.normalizing_flow import digits as flow_digits
from playground.tabs.normalizing_flow import lab as flow_lab
from playground.tabs.score_matching import digits as score_digits
from playground.tabs.score_matching import lab as score_lab
from playground.tabs.score_matching import langevin_2d, restoration
from playground.tabs.vae.choice import Choice

Inputs = Sequence[gr.components.Component]
VIEWS: dict[type, tuple[type, Callable[[Any], Inputs]]] = {
    # The parameters of a view's link, and its controls in their order.
    **{view: (view.params_type, lambda view: view.layout.inputs) for view in (
        langevin_2d.LangevinView, score_digits.DigitsView, restoration.RestorationView, compare.CompareView,
        drawing.DrawingView, interpolations.InterpolationsView, likelihoods.LikelihoodsView)},
    **{view: (type(view.first), lambda view: view.controls.inputs) for view in (
        gan_lab.GANLabView, score_lab.ScoreLabView, flow_lab.FlowLabView)},
    samples.SamplesView: (samples.ViewParams, lambda view: view.inputs),
    flow_digits.DigitsView: (flow_digits.ViewParams, lambda view: view.inputs),
    request.RequestView: (request.ViewParams, lambda view: view.inputs),
    latent_space.LatentSpaceView: (latent_space.ViewParams, lambda view: [*view.path_inputs, *view.run_inputs]),
    forward.ForwardView: (forward.ViewParams, lambda view: [view.model, *view.image.inputs[:2], view.seed]),
    ask_discriminator.AskView: (ask_discriminator.ViewParams, lambda view: [*view.image.inputs[:2], view.seed]),
}  # fmt: skip
NAMED = {  # views whose controls are in an order of their own
    reverse.ReverseView: (type(reverse.ReverseView.first), reverse.NAMES),
    draw.DrawView: (type(draw.DrawView.first), draw.NAMES),
    vae.VAETab: (vae.ViewParams, Choice._fields),
}


def named_controls(view_type: Any) -> tuple[type, dict[str, Any]]:
    """Return the parameters of a view's link, and its controls by their names there."""
    with gr.Blocks():
        view = view_type(Paths(Path(), Path()))
    if view_type in NAMED:
        params_type, names = NAMED[view_type]
        return params_type, dict(zip(names, view.inputs, strict=True))
    params_type, inputs_of = VIEWS[view_type]
    names = [field.name for field in dataclasses.fields(params_type)]
    return params_type, dict(zip(names, inputs_of(view), strict=True))


@pytest.mark.parametrize("view_type", [*VIEWS, *NAMED])
def test_a_link_is_refused_beyond_the_sliders_with_their_limits(view_type: type) -> None:
    params_type, inputs = named_controls(view_type)
    sliders = {name: control for name, control in inputs.items() if isinstance(control, gr.Slider)}
    assert sliders
    for name, slider in sliders.items():
        low, high = slider.minimum, slider.maximum
        for beyond in (low - 1, high + 1):
            with pytest.raises(UserError) as refused:
                params_type(**{name: beyond})
            assert f"from {low:g} to {high:g}, not" in str(refused.value), name
        for end in (low, high):
            params_type(**{name: end})
