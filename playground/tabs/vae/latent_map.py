"""Map: a plane of the latent space with the test images on it; drag, and draw samples of an image's Gaussian."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from playground import pictures, sampling, validation
from playground.formulas import minus
from playground.models import vae
from playground.tabs import Places
from playground.tabs.vae import answers, codes
from playground.tabs.vae.codes import Start
from playground.ui import component, how, plane, source
from playground.ui.scrubber import data_url
from playground.validation import UserError

TITLE = "Map"
HINT = "**Drag anywhere**: each place is a code, and the decoder draws it. Dots are test images."
TILES = 16  # pictures behind the map, a side
SPAN = 4.0  # the map goes from -SPAN to SPAN
PRINCIPAL = [("p1", "1st principal axis"), ("p2", "2nd principal axis")]
HOW = """
Each dot is a test image, at the mean of its q(z|x) and in the colour of its class; the pictures behind are what the
decoder draws there. The ellipses are one and two standard deviations of the chosen image's q(z|x). To train through a
random code, it is written as z = μ + σ ε with ε ~ N(0, 1): the randomness is outside, and gradients reach μ and σ.

[Kingma and Welling 2014](https://arxiv.org/abs/1312.6114), eq. 10 (the reparameterisation)
"""


def build(places: Places) -> tuple[list[Any], list[Any]]:
    """The components of the view, and its own controls."""

    def point(model: vae.Model, request: Mapping[str, Any]) -> dict[str, Any]:
        return test_image(places, model, request)

    functions = [answers.answering(places, function) for function in (answers.decode, chart, point, reparameterise)]
    stage = plane.build("vae-map", functions)
    how.build(HOW, vae.Model.forward)
    return [stage], []


def show(places: Places, start: Start) -> list[Any]:
    """The values of the components for an image."""
    model = codes.load(places, start.settings.model)
    classes = codes.MODELS[start.settings.model].classes
    axes = axes_of(model)
    made = plan(model, start.mu, start.log_var, [axes[0][0], axes[1][0]])
    mu, log_var = start.mu.tolist(), start.log_var.tolist()
    return [plane.pack(start.settings.model, mu, log_var, axes, classes, made, seed=0)]


def message(text: str) -> list[Any]:
    """The values that say something, and leave what is shown."""
    return [component.message(text)]


def axes_of(model: vae.Model) -> list[tuple[str, str]]:
    """Name and title of every axis that the map can have."""
    own = [(f"z{i + 1}", f"z{i + 1}") for i in codes.order(model)]
    return sorted(own) if model.config.latent == 2 else PRINCIPAL + own


def direction(model: vae.Model, name: object) -> Tensor:
    """The unit vector (Z,) of an axis."""
    name = validation.choice("axis", name, [axis for axis, _ in axes_of(model)])
    if name.startswith("z"):
        return torch.eye(model.config.latent)[int(name[1:]) - 1]
    return torch.linalg.eigh(model.kept_mu.T.cov()).eigenvectors[:, -int(name[1:])]


@torch.no_grad()
def plan(model: vae.Model, mu: Tensor, log_var: Tensor, axes: list[str]) -> dict[str, Any]:
    """The map in the plane of two axes through an image's code mu (Z,); the second is made normal to the first."""
    across, up = (direction(model, name) for name in axes)
    up = up - (up @ across) * across
    if up.norm() < 1e-3:
        raise UserError("a map has two axes: choose another one")
    basis = torch.stack([across, up / up.norm()])  # (2, Z)
    steps = SPAN * (2 * (torch.arange(TILES) + 0.5) / TILES - 1)
    v, u = torch.meshgrid(-steps, steps, indexing="ij")
    here = basis @ mu
    z = mu + (torch.stack([u, v], dim=-1).flatten(0, 1) - here) @ basis  # (TILES^2, Z)
    behind = pictures.grid(pictures.to_uint8(codes.decoded(model, z)), columns=TILES)
    values, vectors = torch.linalg.eigh(basis @ torch.diag(log_var.exp()) @ basis.T)
    titles = dict(axes_of(model))
    places = torch.cat([model.kept_mu @ basis.T, model.kept_class[:, None].float()], dim=1)
    return {
        "axes": axes,
        "titles": [titles[name] for name in axes],
        "basis": basis.tolist(),
        "mu": here.tolist(),
        "span": SPAN,
        "ellipse": (vectors * values.clamp(min=0).sqrt()).T.tolist(),
        "points": np.round(places.numpy(), 3).tolist(),
        "background": data_url(behind),
    }


def chart(model: vae.Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """The map of other axes: {"model", "mu", "log_var", "axes"}."""
    axes = request.get("axes")
    if not isinstance(axes, list) or len(axes) != 2:
        raise UserError("a map has two axes")
    return plan(model, answers.code(model, request.get("mu")), log_variance(model, request.get("log_var")), axes)


def log_variance(model: vae.Model, values: object) -> Tensor:
    """log sigma^2 that came from outside, (Z,)."""
    if not isinstance(values, list) or len(values) != model.config.latent:
        raise UserError(f"log_var of this model is a list of {model.config.latent} numbers")
    return torch.tensor([validation.number("log_var", value, -50, 50) for value in values])


def reparameterise(model: vae.Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """z = mu + sigma eps for the eps of a press: {"model", "mu", "log_var", "seed", "press"}. eq. 10."""
    mu, log_var = answers.code(model, request.get("mu")), log_variance(model, request.get("log_var"))
    key = [validation.integer(name, request.get(name), 0, validation.MAX_SEED) for name in ("seed", "press")]
    eps = torch.randn(len(mu), generator=sampling.generator(*key))
    sigma = (log_var / 2).exp()
    z = (mu + sigma * eps).clamp(-codes.LIMIT, codes.LIMIT)
    lines = [
        minus(f"z{i + 1} = {mu[i]:.2f} + {sigma[i]:.2f} × {eps[i]:.2f} = {z[i]:.2f}") for i in codes.order(model)[:4]
    ]
    return {"z": z.tolist(), "picture": answers.picture(model, z), "numbers": "\n".join(["z = μ + σ ε:", *lines])}


def test_image(places: Places, model: vae.Model, request: Mapping[str, Any]) -> dict[str, Any]:
    """A test image on the map: {"model", "index"}; without its data, what the decoder makes of its code."""
    index = validation.integer("index", request.get("index"), 0, model.config.kept - 1)
    settings = codes.Settings(str(request["model"]), source.TEST, index)
    about = codes.MODELS[settings.model]
    caption = f"test image {index}: {list(about.classes)[int(model.kept_class[index])]}"
    try:
        x = about.image(places, settings, None, None)
        return answers.image(x) | {"caption": caption}
    except UserError:
        return answers.picture(model, model.kept_mu[index]) | {"caption": f"{caption}, as the model draws it"}
