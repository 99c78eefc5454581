"""The map of the latent plane: its plane, its axes, and what is asked of it."""

import math
from functools import partial

import pytest
import torch

from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.vae import answers, codes, latent_map
from playground.tabs.vae.codes import EncodedImage


def test_the_plane_passes_through_the_image_and_holds_its_gaussian(paths: Paths, encoded: EncodedImage) -> None:
    model = codes.CHECKPOINTS.load(paths, "vae-digits")
    made = latent_map.make_map(model, encoded.z, encoded.mu, encoded.log_var, ["z2", "z1"])
    basis, ellipse = torch.tensor(made["basis"]), torch.tensor(made["ellipse"])
    torch.testing.assert_close(torch.tensor(made["mu"]), basis @ encoded.mu)
    torch.testing.assert_close(torch.tensor(made["origin"]), basis @ encoded.z)
    torch.testing.assert_close(ellipse.T @ ellipse, basis @ torch.diag(encoded.log_var.exp()) @ basis.T)
    assert len(made["points"]) == 50
    torch.testing.assert_close(torch.tensor(made["points"])[:, :2], model.test_mu @ basis.T, rtol=0, atol=1e-3)


def test_principal_axes_are_those_of_the_codes(paths: Paths) -> None:
    model = codes.CHECKPOINTS.load(paths, "vae-digits")
    first, second = latent_map.direction(model, "p1"), latent_map.direction(model, "p2")
    assert abs(first[1]) > 0.95, "the second dimension varies most"
    assert abs(torch.dot(first, second)) < 1e-5
    variance = [(model.test_mu @ axis).var().item() for axis in (first, second)]
    assert variance == sorted(variance, reverse=True)


def test_the_second_axis_is_made_normal_to_the_first(paths: Paths, encoded: EncodedImage) -> None:
    model = codes.CHECKPOINTS.load(paths, "vae-digits")
    basis = torch.tensor(latent_map.make_map(model, encoded.z, encoded.mu, encoded.log_var, ["p1", "z1"])["basis"])
    torch.testing.assert_close(basis @ basis.T, torch.eye(2))
    torch.testing.assert_close(basis[0], latent_map.direction(model, "p1"))
    with pytest.raises(ValueError, match="choose another one"):
        latent_map.make_map(model, encoded.z, encoded.mu, encoded.log_var, ["z1", "z1"])


def test_the_reparameterization_is_mu_plus_sigma_eps(paths: Paths) -> None:
    model = codes.CHECKPOINTS.load(paths, "vae-digits")
    request = {"mu": [0.1, 0.2, 0.3], "log_var": [-2.0, -1.0, 0.0], "seed": 5}
    drawn = torch.tensor([latent_map.reparameterize(model, {**request, "press": k})["z"] for k in range(2000)])
    torch.testing.assert_close(drawn.mean(0), torch.tensor([0.1, 0.2, 0.3]), rtol=0, atol=0.08)
    torch.testing.assert_close(drawn.var(0).log(), torch.tensor([-2.0, -1.0, 0.0]), rtol=0, atol=0.1)
    again = latent_map.reparameterize(model, {**request, "press": 3})
    assert again["z"] == drawn[3].tolist()


# --- what a browser may ask -----------------------------------------------------------------------

PLANE = {"axes": ["z1", "z2"], "z": [0.0] * 3, "mu": [0.0] * 3, "log_var": [0.0] * 3}


@pytest.mark.parametrize(
    ("function", "request_", "sentence"),
    [
        (latent_map.map_of_axes, {"axes": "z1"}, "two axes"),
        (
            latent_map.map_of_axes,
            {**PLANE, "axes": ["z1", "z9"]},
            "Axis must be one of",
        ),
        (
            latent_map.map_of_axes,
            {**PLANE, "log_var": [math.nan] * 3},
            "Log_var must be",
        ),
        (latent_map.map_of_axes, {**PLANE, "log_var": 3}, "list of 3 numbers"),
        (latent_map.reparameterize, {"mu": [0.0] * 3, "log_var": [0.0] * 3, "seed": 0, "press": 0.5}, "Press must be"),
    ],
)
def test_a_bad_question_to_the_map_too(paths: Paths, function, request_, sentence: str) -> None:
    assert sentence in answers.answering(paths, "ask", function)({"model": "vae-digits", **request_})["error"]


def test_an_image_of_the_map_is_shown_without_the_data_set(paths: Paths) -> None:
    answer = answers.answering(paths, "point", partial(latent_map.test_image, paths))
    assert answer({"model": "vae-digits", "index": 12})["caption"] == "test image 12: 2"


def test_an_image_of_the_map_without_its_file_is_as_the_model_draws_it(paths: Paths, monkeypatch) -> None:
    def load(*_: object) -> None:
        raise UserError("not here")

    monkeypatch.setattr(codes, "load_image", load)
    answer = answers.answering(paths, "point", partial(latent_map.test_image, paths))
    assert answer({"model": "vae-digits", "index": 12})["caption"] == "test image 12: 2, as the model draws it"
    for index in (-1, 50, 1.5, None):
        assert "Index must be" in answer({"model": "vae-digits", "index": index})["error"]
