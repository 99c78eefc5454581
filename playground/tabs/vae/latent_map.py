"""Map: a plane of the latent space with the test images on it; drag, and draw samples of an image's Gaussian."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor

from playground.families import vae
from playground.runtime import pictures, validation
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError
from playground.tabs.vae import answers, codes
from playground.tabs.vae.answers import ModelFunction
from playground.tabs.vae.choice import ChoiceView
from playground.tabs.vae.codes import EncodedImage
from playground.web import explanation, image_picker, plane
from playground.web.component import Value
from playground.web.controls import Control
from playground.web.formula import use_minus_signs
from playground.web.image_picker import NO_SOURCES
from playground.web.scrubber import data_url

HINT = "**Drag anywhere**: each place is a code, and the decoder draws it. Dots are test images."
TILES = 16  # pictures behind the map, a side
SPAN = 4.0  # the map goes from -SPAN to SPAN
PRINCIPAL = [("p1", "1st principal axis"), ("p2", "2nd principal axis")]
HOW = """
Each dot is a test image, at the mean of its q(z|x) and in the colour of its class; the pictures behind are what the
decoder draws there. The ellipses are one and two standard deviations of the chosen image's q(z|x). To train through a
random code, it is written as z = μ + σ ε with ε ~ N(0, 1): the randomness is outside, and gradients reach μ and σ.

[Kingma and Welling 2014](https://arxiv.org/abs/1312.6114), eq. 10 (the reparameterization)
"""


def build(paths: Paths) -> tuple[list[Control], list[Control]]:
    """Build the components of the view, and its own controls."""
    functions: dict[str, ModelFunction] = {
        "decode": answers.decode,
        "chart": map_of_axes,
        "point": partial(test_image, paths),
        "reparameterize": reparameterize,
    }
    stage = plane.build("vae-map", [answers.answering(paths, name, function) for name, function in functions.items()])
    explanation.build(HOW, vae.Model.forward)
    return [stage], []


def show(paths: Paths, encoded: EncodedImage) -> list[object]:
    """Return the values of the components for an image."""
    model = codes.CHECKPOINTS.load(paths, encoded.params.model)
    axes, classes = axes_of(model), codes.about(paths, encoded.params.model).classes(n_classes(model))
    z = encoded.z.clamp(-codes.LIMIT, codes.LIMIT)
    map_value = make_map(model, z, encoded.mu, encoded.log_var, [axes[0][0], axes[1][0]])
    code = z.tolist(), encoded.mu.tolist(), encoded.log_var.tolist()
    return [plane.pack(encoded.params.model, *code, axes, classes, map_value, seed=0)]


def axes_of(model: vae.Model) -> list[tuple[str, str]]:
    """Return name and title of every axis that the map can have, or raise UserError if the model has no map."""
    n_test, n_dimensions = model.config.n_test, model.config.latent
    if not n_test:
        raise UserError("this model has no map, since it keeps no test images: train one with a larger config.n_test")
    if n_dimensions < 2:
        raise UserError("this model has no map, since its code is one number: choose a model of more dimensions")
    own = [(f"z{i + 1}", f"z{i + 1}") for i in codes.order(model)]
    if n_dimensions == 2:
        return sorted(own)
    return PRINCIPAL + own if n_test > 1 else own  # one code varies along no axis


def direction(model: vae.Model, name: object) -> Tensor:
    """Return the unit vector (Z,) of an axis."""
    name = validation.check_choice("axis", name, [axis for axis, _ in axes_of(model)])
    if name.startswith("z"):
        return torch.eye(model.config.latent)[int(name[1:]) - 1]
    return torch.linalg.eigh(model.test_mu.T.cov()).eigenvectors[:, -int(name[1:])]


@torch.no_grad()
def make_map(model: vae.Model, z: Tensor, mu: Tensor, log_var: Tensor, axes: list[str]) -> Value:
    """Return the map in the plane of two axes through a code z (Z,), with the posterior (Z,) of its image; the second
    axis is made normal to the first."""
    across, up = (direction(model, name) for name in axes)
    up = up - (up @ across) * across
    if up.norm() < 1e-3:
        raise UserError("a map needs two different axes: choose another one")
    basis = torch.stack([across, up / up.norm()])  # (2, Z)
    steps = SPAN * (2 * (torch.arange(TILES) + 0.5) / TILES - 1)
    v, u = torch.meshgrid(-steps, steps, indexing="ij")
    origin = basis @ z
    tiles = z + (torch.stack([u, v], dim=-1).flatten(0, 1) - origin) @ basis  # (TILES^2, Z)
    behind = pictures.make_grid(pictures.to_uint8(codes.decode(model, tiles)), columns=TILES)
    values, vectors = torch.linalg.eigh(basis @ torch.diag(log_var.exp()) @ basis.T)
    titles = dict(axes_of(model))
    points = torch.cat([model.test_mu @ basis.T, model.test_classes[:, None].float()], dim=1)
    return {
        "axes": axes,
        "titles": [titles[name] for name in axes],
        "basis": basis.tolist(),
        "origin": origin.tolist(),
        "mu": (basis @ mu).tolist(),
        "span": SPAN,
        "ellipse": (vectors * values.clamp(min=0).sqrt()).T.tolist(),
        "points": np.round(points.numpy(), 3).tolist(),
        "background": data_url(behind),
    }


def map_of_axes(model: vae.Model, request: Mapping[str, object]) -> Value:
    """Return the map of other axes: {"model", "z", "mu", "log_var", "axes"}."""
    axes = request.get("axes")
    if not isinstance(axes, list) or len(axes) != 2:
        raise UserError("a map has two axes")
    z, mu = (answers.parse_code(model, request.get(name)) for name in ("z", "mu"))
    return make_map(model, z, mu, log_variance(model, request.get("log_var")), axes)


def log_variance(model: vae.Model, values: object) -> Tensor:
    """Return log sigma^2 that came from outside, (Z,)."""
    if not isinstance(values, list) or len(values) != model.config.latent:
        raise UserError(f"log_var of this model is a list of {model.config.latent} numbers")
    return torch.tensor([validation.check_number("log_var", value, -50, 50) for value in values])


def reparameterize(model: vae.Model, request: Mapping[str, object]) -> Value:
    """Return z = mu + sigma eps for the eps of a press: {"model", "mu", "log_var", "seed", "press"}. eq. 10."""
    mu, log_var = answers.parse_code(model, request.get("mu")), log_variance(model, request.get("log_var"))
    key = [validation.check_integer(name, request.get(name), 0, validation.MAX_SEED) for name in ("seed", "press")]
    eps = torch.randn(len(mu), generator=make_rng(*key))
    sigma = (log_var / 2).exp()
    z = (mu + sigma * eps).clamp(-codes.LIMIT, codes.LIMIT)
    lines = [
        use_minus_signs(f"z{i + 1} = {mu[i]:.2f} + {sigma[i]:.2f} × {eps[i]:.2f} = {z[i]:.2f}")
        for i in codes.order(model)[:4]
    ]
    return {"z": z.tolist(), "picture": answers.picture(model, z), "numbers": "\n".join(["z = μ + σ ε:", *lines])}


def n_classes(model: vae.Model) -> int:
    """Return the number of classes of a model's test images."""
    return int(model.test_classes.max()) + 1


def test_image(paths: Paths, model: vae.Model, request: Mapping[str, object]) -> Value:
    """Return a test image on the map: {"model", "index"}; without its data, what the decoder makes of its code."""
    index = validation.check_integer("index", request.get("index"), 0, model.config.n_test - 1)
    params = codes.ViewParams(str(request["model"]), image_picker.TEST_IMAGE, index)
    classes = list(codes.about(paths, params.model).classes(n_classes(model)))
    caption = f"test image {index}: {classes[int(model.test_classes[index])]}"
    try:
        return answers.image(codes.load_image(paths, params, NO_SOURCES)) | {"caption": caption}
    except UserError:
        return answers.picture(model, model.test_mu[index]) | {"caption": f"{caption}, as the model draws it"}


VIEW = ChoiceView("Map", HINT, build, show)
