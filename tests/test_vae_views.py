"""What the views of the VAE tab compute, on a tiny model; what the browser may ask of the server."""

import base64
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from playground import checkpoint, pictures
from playground.__main__ import main
from playground.data import emoji, shapes
from playground.models import vae
from playground.sampling import generator
from playground.tabs import Places
from playground.tabs import vae as tab
from playground.tabs.vae import answers, betas, codes, interpolate, latent_map, meter, save, traverse
from playground.tabs.vae.codes import Settings, Start
from playground.ui import answers as ui_answers
from playground.ui import neighbours, source
from playground.validation import UserError

CONFIG = vae.Config(size=28, latent=3, width=8, multipliers=(1,), patch=4, kept=50)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A folder with the tab's checkpoints, tiny."""
    for seed, name in enumerate(codes.BETAS):
        torch.manual_seed(seed)
        model = vae.Model(CONFIG).requires_grad_(False)
        model.kl.copy_(torch.tensor([0.5, 2.0, 0.01]))
        model.kept_mu.copy_(torch.randn(50, 3, generator=generator(seed)) @ torch.diag(torch.tensor([1.0, 3.0, 0.2])))
        model.kept_class.copy_(torch.arange(50) % 10)
        model.kept_elbo.copy_(-torch.linspace(50, 150, 50))
        checkpoint.save(tmp_path / f"{name}.safetensors", model, {})
    return Places(tmp_path, tmp_path)


@pytest.fixture
def start(places: Places) -> Start:
    model = codes.load(places, "vae-digits")
    x = torch.rand(1, 1, 28, 28, generator=generator(0)) * 2 - 1
    mu, log_var = model.encode(x)
    return Start(Settings(), x, mu[0].detach(), log_var[0].detach(), mu[0].detach())


def array(picture: dict) -> np.ndarray:
    shape = (picture["height"], picture["width"], picture["channels"])
    return np.frombuffer(base64.b64decode(picture["pixels"]), np.uint8).reshape(shape)


def test_only_the_view_of_ways_asks_for_their_other_end(places: Places) -> None:
    wrong = ("vae-digits", codes.PRIOR, 0, "", None, 3, source.TEST, 99_999)
    begun = tab.start(places, *tab.cause("traverse", wrong))
    assert begun.settings == Settings(seed=3)
    with pytest.raises(UserError, match="other end"):
        tab.start(places, *tab.cause("interpolate", wrong))


def test_dimensions_come_by_their_kl_and_the_dead_are_marked(places: Places) -> None:
    model = codes.load(places, "vae-digits")
    assert codes.order(model) == [1, 0, 2]
    made = traverse.dimensions(model, ["", "colour", "x"])
    assert [dimension.index for dimension in made] == [1, 0, 2]
    assert [dimension.dead for dimension in made] == [False, False, True]
    assert [dimension.label for dimension in made] == ["z2 · 2.00 nats · colour", "z1 · 0.50 nats", "z3 · dead"]


def test_what_a_factor_explains_is_the_correlation_ratio() -> None:
    values = torch.arange(5).repeat(2000)
    noise = torch.randn(10_000, generator=generator(0))
    mu = torch.stack([values.float(), values * 0.1 + noise, noise, torch.zeros(10_000)], dim=1)
    own = 0.01 * values.float().var()  # of 0.1 k, k = 0 ... 4
    expected = torch.tensor([1, own / (1 + own), 0, 0])
    torch.testing.assert_close(codes.explained(mu, values), expected, rtol=0, atol=0.01)


def test_dimensions_of_shapes_are_named_after_the_factors_that_they_follow() -> None:
    model = vae.Model(replace(CONFIG, kept=500))
    true = shapes.tests(slice(500))
    follows = torch.stack(
        [true.y.float(), torch.randn(500, generator=generator(0)), -(true.colour.float() ** 2)], dim=1
    )
    model.kept_mu.copy_(follows + 0.1)
    assert codes.tracked("vae-shapes", model) == ["y", "", "colour"]
    assert codes.tracked("vae-digits", model) == ["", "", ""]


def test_a_traversal_moves_one_dimension_a_row(places: Places) -> None:
    model, z = codes.load(places, "vae-digits"), torch.tensor([0.3, -0.2, 0.1])
    sheet = codes.traversal(model, z)
    assert sheet.shape == (3 * 28, codes.COLUMNS * 28, 1)
    moved = z.clone()
    moved[1] = 3  # the first row is the dimension that says most, its last column 3
    assert np.abs(sheet[:28, -28:].astype(int) - array(answers.picture(model, moved))).max() <= 1


def test_every_value_of_a_view_is_json(places: Places, start: Start) -> None:
    for view in (traverse, latent_map, interpolate):
        assert json.dumps(view.show(places, start)[0], allow_nan=False)


# --- the map --------------------------------------------------------------------------------------


def test_the_plane_passes_through_the_image_and_holds_its_gaussian(places: Places, start: Start) -> None:
    model = codes.load(places, "vae-digits")
    made = latent_map.plan(model, start.mu, start.log_var, ["z2", "z1"])
    basis, ellipse = torch.tensor(made["basis"]), torch.tensor(made["ellipse"])
    torch.testing.assert_close(torch.tensor(made["mu"]), basis @ start.mu)
    torch.testing.assert_close(ellipse.T @ ellipse, basis @ torch.diag(start.log_var.exp()) @ basis.T)
    assert len(made["points"]) == 50
    torch.testing.assert_close(torch.tensor(made["points"])[:, :2], model.kept_mu @ basis.T, rtol=0, atol=1e-3)


def test_principal_axes_are_those_of_the_codes(places: Places) -> None:
    model = codes.load(places, "vae-digits")
    first, second = latent_map.direction(model, "p1"), latent_map.direction(model, "p2")
    assert abs(first[1]) > 0.95, "the second dimension varies most"
    assert abs(torch.dot(first, second)) < 1e-5
    variance = [(model.kept_mu @ axis).var().item() for axis in (first, second)]
    assert variance == sorted(variance, reverse=True)


def test_the_second_axis_is_made_normal_to_the_first(places: Places, start: Start) -> None:
    model = codes.load(places, "vae-digits")
    basis = torch.tensor(latent_map.plan(model, start.mu, start.log_var, ["p1", "z1"])["basis"])
    torch.testing.assert_close(basis @ basis.T, torch.eye(2))
    torch.testing.assert_close(basis[0], latent_map.direction(model, "p1"))
    with pytest.raises(ValueError, match="choose another one"):
        latent_map.plan(model, start.mu, start.log_var, ["z1", "z1"])


def test_the_reparameterisation_is_mu_plus_sigma_eps(places: Places) -> None:
    model = codes.load(places, "vae-digits")
    request = {"mu": [0.1, 0.2, 0.3], "log_var": [-2.0, -1.0, 0.0], "seed": 5}
    drawn = torch.tensor([latent_map.reparameterise(model, {**request, "press": k})["z"] for k in range(2000)])
    torch.testing.assert_close(drawn.mean(0), torch.tensor([0.1, 0.2, 0.3]), rtol=0, atol=0.08)
    torch.testing.assert_close(drawn.var(0).log(), torch.tensor([-2.0, -1.0, 0.0]), rtol=0, atol=0.1)
    again = latent_map.reparameterise(model, {**request, "press": 3})
    assert again["z"] == drawn[3].tolist()


# --- the meter and the betas ----------------------------------------------------------------------


def test_the_meter_shows_the_terms_and_a_bound_that_rises(places: Places, start: Start) -> None:
    text, curve, _ = meter.show(places, start)
    values = [float(line.split("|")[2].replace("−", "-")) for line in text.splitlines()[2:6]]
    assert values[2] == pytest.approx(values[0] + values[1], abs=0.11)
    assert values[1] == pytest.approx(
        -0.5 * float((start.mu**2 + start.log_var.exp() - start.log_var - 1).sum()), abs=0.06
    )
    bounds = list(curve.data[0].y)
    assert bounds == sorted(bounds)
    assert values[3] == pytest.approx(bounds[-1], abs=0.06)


def test_rate_and_distortion_sum_to_the_bound(places: Places, start: Start) -> None:
    seen = {beta: betas.look(codes.load(places, name), start.x) for name, beta in codes.BETAS.items()}
    test, own = betas.rate_distortion(seen).data
    for rate, distortion in zip(test.x, test.y, strict=True):
        assert rate + distortion == pytest.approx(100, abs=0.1)  # minus the mean of kept_elbo
    assert list(own.x) == pytest.approx([float(each.kl.sum()) for each in seen.values()])


def test_the_nearest_image_is_the_image_itself() -> None:
    images = torch.rand(50, 1, 28, 28, generator=generator(0)) * 2 - 1
    found = neighbours.search(images[7:8], images, 9)
    assert found[0] == (0, 7)
    assert [distance for distance, _ in found] == sorted(distance for distance, _ in found)
    other = (images[found[1][1]] - images[7]).square().mean().sqrt().item()
    assert found[1][0] == pytest.approx(other)


# --- export ---------------------------------------------------------------------------------------


def test_the_code_on_show_is_read_as_the_browser_tells_it(places: Places) -> None:
    name, z = answers.on_show(places, json.dumps({"model": "vae-digits", "z": [0.5, -1, 2]}))
    assert name == "vae-digits"
    assert z.tolist() == [0.5, -1, 2]


@pytest.mark.parametrize("text", ["", None, "[]", "1", '{"model": "vae-digits"}', "[" * 100_000])
def test_no_code_on_show_says_so(places: Places, text: object) -> None:
    with pytest.raises(ValueError, match="open Traverse first"):
        answers.on_show(places, text)


def test_the_command_draws_the_chosen_code_from_the_prior(places: Places, capsys, tmp_path: Path) -> None:
    settings = Settings(seed=5)
    words = save.command(settings).split()[3:-1]
    out = tmp_path / "one.npz"
    assert main([*words, str(out), "--weights", str(places.weights)]) == 0
    shown = codes.start(places, settings, "", None).x
    assert np.array_equal(np.load(out)["images"], pictures.to_uint8(shown))
    assert save.command(replace(settings, picture="Test image")) == save.FROM_IMAGE


def test_a_way_ends_at_the_code_of_the_other_end(places: Places, start: Start) -> None:
    for way in interpolate.ways(places, start).values():
        torch.testing.assert_close(way[0], start.z)
        torch.testing.assert_close(way[-1], codes.end(places, start.settings))


# --- what a browser may ask -----------------------------------------------------------------------

GOOD = {"model": "vae-digits", "z": [0.0, 0.0, 0.0]}
BAD = [
    (None, "one object"),
    ("vae-digits", "one object"),
    ({}, "Model must be one of"),
    ({**GOOD, "model": "../judge-digits"}, "Model must be one of"),
    ({**GOOD, "model": ["vae-digits"]}, "Model must be one of"),
    ({**GOOD, "z": None}, "list of 3 numbers"),
    ({**GOOD, "z": [0.0] * 4}, "list of 3 numbers"),
    ({**GOOD, "z": [0.0] * 1_000_000}, "list of 3 numbers"),
    *(
        ({**GOOD, "z": [0.0, value, 0.0]}, "Z2 must be a number")
        for value in (math.nan, math.inf, 11.0, "1", None, [1])
    ),
]


@pytest.mark.parametrize(("request_", "sentence"), BAD)
@pytest.mark.parametrize("function", [answers.decode, answers.traverse])
def test_a_bad_question_is_answered_with_a_sentence(places: Places, function, request_, sentence: str) -> None:
    answer = answers.answering(places, function)(request_)
    assert sentence in answer["error"]
    assert len(answer["error"]) < 200


@pytest.mark.parametrize(
    ("function", "request_", "sentence"),
    [
        (latent_map.chart, {"axes": "z1"}, "two axes"),
        (latent_map.chart, {"axes": ["z1", "z9"], "mu": [0.0] * 3, "log_var": [0.0] * 3}, "Axis must be one of"),
        (latent_map.chart, {"axes": ["z1", "z2"], "mu": [0.0] * 3, "log_var": [math.nan] * 3}, "Log_var must be"),
        (latent_map.chart, {"axes": ["z1", "z2"], "mu": [0.0] * 3, "log_var": 3}, "list of 3 numbers"),
        (latent_map.reparameterise, {"mu": [0.0] * 3, "log_var": [0.0] * 3, "seed": 0, "press": 0.5}, "Press must be"),
    ],
)
def test_a_bad_question_to_the_map_too(places: Places, function, request_, sentence: str) -> None:
    assert sentence in answers.answering(places, function)({"model": "vae-digits", **request_})["error"]


def test_a_question_waits_for_its_turn_and_is_then_turned_away(places: Places, monkeypatch) -> None:
    monkeypatch.setattr(ui_answers, "PATIENCE", 0.01)
    with ui_answers._slots, ui_answers._slots:
        assert "too many visitors" in answers.answering(places, answers.decode)(GOOD)["error"].lower()
    assert "pixels" in answers.answering(places, answers.decode)(GOOD)


def test_a_missing_checkpoint_names_its_recipe(places: Places) -> None:
    (places.weights / "vae-digits.safetensors").unlink()
    assert "vae-digits" in answers.answering(places, answers.decode)(GOOD)["error"]


def test_an_image_of_the_map_is_shown_without_the_data_set(places: Places) -> None:
    def point(model: vae.Model, request: dict) -> dict:
        return latent_map.test_image(places, model, request)

    answer = answers.answering(places, point)
    assert answer({"model": "vae-digits", "index": 12})["caption"] == "test image 12: 2, as the model draws it"
    for index in (-1, 50, 1.5, None):
        assert "Index must be" in answer({"model": "vae-digits", "index": index})["error"]


@pytest.mark.parametrize("name", ["vae-shapes", "vae-emoji"])
def test_a_model_of_colour_reads_no_drawings(places: Places, name: str, monkeypatch) -> None:
    glyphs = emoji.Glyphs([f"emoji {i}" for i in range(40)], torch.full((40, 4, 64, 64), 0.5), "")
    monkeypatch.setattr(emoji, "load", lambda root, download: glyphs)
    torch.manual_seed(0)
    config = replace(CONFIG, size=64, channels=3, patch=16)
    checkpoint.save(places.weights / f"{name}.safetensors", vae.Model(config), {})
    settings = Settings(model=name, picture="Draw")
    with pytest.raises(ValueError, match="reads drawings"):
        codes.start(places, settings, "", None)
    one, same, other = (
        codes.start(places, replace(settings, picture="Test image", number=number), "", None).x for number in (3, 3, 4)
    )
    assert one.shape == (1, 3, 64, 64)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
