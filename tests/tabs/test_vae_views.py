"""What the views of the VAE tab compute, on a tiny model; what the browser may ask of the server."""

import base64
import json
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from playground.__main__ import main
from playground.datasets import emoji, mnist, shapes
from playground.families import vae
from playground.runtime import checkpoint, pictures
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError
from playground.tabs.vae import (
    VIEWS,
    VAETab,
    answers,
    betas,
    codes,
    elbo_terms,
    gradients,
    interpolate,
    latent_map,
    nearest,
    save,
    traverse,
)
from playground.tabs.vae.choice import Choice
from playground.tabs.vae.codes import EncodedImage, ViewParams
from playground.tabs.vae.session import Session
from playground.web import answers as ui_answers
from playground.web import image_picker, links, neighbours
from playground.web.image_picker import NO_SOURCES

TRAINED = {"dataset": "digits", "objective": {"kind": "elbo", "beta": 1.0}}
CONFIG = vae.Config(size=28, latent=3, width=8, multipliers=(1,), patch=4, n_test=50)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A folder with the tab's checkpoints, tiny."""
    for seed, (beta, name) in enumerate(betas.BETAS.items()):
        torch.manual_seed(seed)
        model = vae.Model(CONFIG).requires_grad_(False)
        model.kl.copy_(torch.tensor([0.5, 2.0, 0.01]))
        model.test_mu.copy_(torch.randn(50, 3, generator=make_rng(seed)) @ torch.diag(torch.tensor([1.0, 3.0, 0.2])))
        model.test_classes.copy_(torch.arange(50) % 10)
        model.test_elbo.copy_(-torch.linspace(50, 150, 50))
        flags = TRAINED | {"objective": {"kind": "elbo", "beta": beta}}
        checkpoint.save(tmp_path / f"{name}.safetensors", model, {"flags": flags})
    return Paths(tmp_path, tmp_path)


@pytest.fixture
def encoded(paths: Paths) -> EncodedImage:
    model = codes.load(paths, "vae-digits")
    x = torch.rand(1, 1, 28, 28, generator=make_rng(0)) * 2 - 1
    mu, log_var = model.encode(x)
    return EncodedImage(ViewParams(), x, mu[0].detach(), log_var[0].detach(), mu[0].detach())


@pytest.fixture
def tab(paths: Paths) -> VAETab:
    with gr.Blocks():
        return VAETab(paths)


def array(picture: dict) -> np.ndarray:
    shape = (picture["height"], picture["width"], picture["channels"])
    return np.frombuffer(base64.b64decode(picture["pixels"]), np.uint8).reshape(shape)


def test_only_the_view_of_paths_asks_for_their_other_end(paths: Paths) -> None:
    wrong = Choice("vae-digits", codes.PRIOR, 0, *NO_SOURCES, 3, image_picker.TEST_IMAGE, 99_999)
    assert wrong.for_view("traverse").encode(paths).params == ViewParams("vae-digits", seed=3)
    with pytest.raises(UserError, match="other end"):
        wrong.for_view("interpolate").encode(paths)


def test_dimensions_come_by_their_kl_and_the_dead_are_marked(paths: Paths) -> None:
    model = codes.load(paths, "vae-digits")
    assert codes.order(model) == [1, 0, 2]
    made = traverse.dimensions(model, ["", "colour", "x"])
    assert [dimension.index for dimension in made] == [1, 0, 2]
    assert [dimension.dead for dimension in made] == [False, False, True]
    assert [dimension.label for dimension in made] == ["z2 · 2.00 nats · colour", "z1 · 0.50 nats", "z3 · dead"]


def test_what_a_factor_explains_is_the_correlation_ratio() -> None:
    values = torch.arange(5).repeat(2000)
    noise = torch.randn(10_000, generator=make_rng(0))
    mu = torch.stack([values.float(), values * 0.1 + noise, noise, torch.zeros(10_000)], dim=1)
    own = 0.01 * values.float().var()  # of 0.1 k, k = 0 ... 4
    expected = torch.tensor([1, own / (1 + own), 0, 0])
    torch.testing.assert_close(codes.explained(mu, values), expected, rtol=0, atol=0.01)


def test_dimensions_of_shapes_are_named_after_the_factors_that_they_follow() -> None:
    model = vae.Model(replace(CONFIG, n_test=500))
    true = shapes.test_factors(slice(500))
    follows = torch.stack([true.y.float(), torch.randn(500, generator=make_rng(0)), -(true.colour.float() ** 2)], dim=1)
    model.test_mu.copy_(follows + 0.1)
    assert codes.tracked(shapes.DATASET, model) == ["y", "", "colour"]
    assert codes.tracked(mnist.DATASET, model) == ["", "", ""]
    assert codes.tracked(shapes.DATASET, vae.Model(replace(CONFIG, n_test=0))) == ["", "", ""]


def test_a_traversal_moves_one_dimension_a_row(paths: Paths) -> None:
    model, z = codes.load(paths, "vae-digits"), torch.tensor([0.3, -0.2, 0.1])
    sheet = codes.traversal(model, z)
    assert sheet.shape == (3 * 28, codes.COLUMNS * 28, 1)
    moved = z.clone()
    moved[1] = 3  # the first row is the dimension that says most, its last column 3
    assert np.abs(sheet[:28, -28:].astype(int) - array(answers.picture(model, moved))).max() <= 1


def test_every_value_of_a_view_is_json(paths: Paths, encoded: EncodedImage) -> None:
    for view in (traverse, latent_map, interpolate):
        assert json.dumps(view.show(paths, encoded)[0], allow_nan=False)


@pytest.mark.parametrize(
    ("changes", "no_map"),
    [({"n_test": 0}, "it keeps no test images"), ({"latent": 1}, "its code is one number"), ({"n_test": 1}, None)],
)
def test_every_view_of_a_model_with_few_test_images_or_dimensions_opens(
    tab: VAETab, paths: Paths, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int], no_map: str | None
) -> None:
    """The model is one of shapes, whose factors dimensions are named after."""
    monkeypatch.setattr(neighbours, "render_rows", lambda *_: "neighbours")
    model = vae.Model(replace(CONFIG, **changes)).requires_grad_(False)
    checkpoint.save(paths.weights / "mine.safetensors", model, {"flags": TRAINED | {"dataset": "shapes"}})
    session, values, refused = Session(), Choice.from_params(ViewParams("mine")), {}
    for view in VIEWS:
        session.selected = view
        outputs = tab.show(session, *values)
        if not session.filled[view]:
            value = outputs[tab.outputs.index(tab.components[view][0])]
            refused[view] = value["message"] if isinstance(value, dict) else value
    assert refused.keys() == ({"beta", "map"} if no_map else {"beta"})
    assert "no models of several beta of these data" in refused["beta"]
    assert (no_map or "") in refused.get("map", "")


# --- the map --------------------------------------------------------------------------------------


def test_the_plane_passes_through_the_image_and_holds_its_gaussian(paths: Paths, encoded: EncodedImage) -> None:
    model = codes.load(paths, "vae-digits")
    made = latent_map.make_map(model, encoded.z, encoded.mu, encoded.log_var, ["z2", "z1"])
    basis, ellipse = torch.tensor(made["basis"]), torch.tensor(made["ellipse"])
    torch.testing.assert_close(torch.tensor(made["mu"]), basis @ encoded.mu)
    torch.testing.assert_close(torch.tensor(made["origin"]), basis @ encoded.z)
    torch.testing.assert_close(ellipse.T @ ellipse, basis @ torch.diag(encoded.log_var.exp()) @ basis.T)
    assert len(made["points"]) == 50
    torch.testing.assert_close(torch.tensor(made["points"])[:, :2], model.test_mu @ basis.T, rtol=0, atol=1e-3)


def test_principal_axes_are_those_of_the_codes(paths: Paths) -> None:
    model = codes.load(paths, "vae-digits")
    first, second = latent_map.direction(model, "p1"), latent_map.direction(model, "p2")
    assert abs(first[1]) > 0.95, "the second dimension varies most"
    assert abs(torch.dot(first, second)) < 1e-5
    variance = [(model.test_mu @ axis).var().item() for axis in (first, second)]
    assert variance == sorted(variance, reverse=True)


def test_the_second_axis_is_made_normal_to_the_first(paths: Paths, encoded: EncodedImage) -> None:
    model = codes.load(paths, "vae-digits")
    basis = torch.tensor(latent_map.make_map(model, encoded.z, encoded.mu, encoded.log_var, ["p1", "z1"])["basis"])
    torch.testing.assert_close(basis @ basis.T, torch.eye(2))
    torch.testing.assert_close(basis[0], latent_map.direction(model, "p1"))
    with pytest.raises(ValueError, match="choose another one"):
        latent_map.make_map(model, encoded.z, encoded.mu, encoded.log_var, ["z1", "z1"])


def test_the_reparameterization_is_mu_plus_sigma_eps(paths: Paths) -> None:
    model = codes.load(paths, "vae-digits")
    request = {"mu": [0.1, 0.2, 0.3], "log_var": [-2.0, -1.0, 0.0], "seed": 5}
    drawn = torch.tensor([latent_map.reparameterize(model, {**request, "press": k})["z"] for k in range(2000)])
    torch.testing.assert_close(drawn.mean(0), torch.tensor([0.1, 0.2, 0.3]), rtol=0, atol=0.08)
    torch.testing.assert_close(drawn.var(0).log(), torch.tensor([-2.0, -1.0, 0.0]), rtol=0, atol=0.1)
    again = latent_map.reparameterize(model, {**request, "press": 3})
    assert again["z"] == drawn[3].tolist()


# --- the meter and the betas ----------------------------------------------------------------------


def test_the_meter_shows_the_terms_and_a_bound_that_rises(paths: Paths, encoded: EncodedImage) -> None:
    text, curve, _ = elbo_terms.show(paths, encoded)
    values = [float(line.split("|")[2].replace("−", "-")) for line in text.splitlines()[2:6]]
    assert values[2] == pytest.approx(values[0] + values[1], abs=0.11)
    assert values[1] == pytest.approx(
        -0.5 * float((encoded.mu**2 + encoded.log_var.exp() - encoded.log_var - 1).sum()), abs=0.06
    )
    bounds = list(curve["value"].data[0].y)
    assert bounds == sorted(bounds)
    assert values[3] == pytest.approx(bounds[-1], abs=0.06)


def test_the_meter_of_a_model_without_test_images_compares_with_none(paths: Paths, encoded: EncodedImage) -> None:
    text, curve, histogram = elbo_terms.show(paths, encoded)
    assert "of the test images have a lower ELBO" in text
    assert (curve["visible"], histogram["visible"]) == (True, True)
    checkpoint.save(paths.weights / "vae-digits.safetensors", vae.Model(replace(CONFIG, n_test=0)), {})
    text, curve, histogram = elbo_terms.show(paths, encoded)
    assert "**ELBO**" in text
    assert "test images" not in text
    assert (curve["visible"], histogram["visible"]) == (True, False)


@pytest.mark.parametrize("view", ["beta", "elbo"])
def test_an_error_hides_the_plots_of_the_image_before(tab: VAETab, view: str) -> None:
    session, (_, *plots) = Session(), tab.components[view]
    session.selected = view
    blank = choice(0)._replace(picture=image_picker.DRAWING)
    for values, visible in ((choice(0), True), (blank, False), (choice(1), True)):
        outputs = tab.show(session, *values)
        assert [outputs[tab.outputs.index(plot)]["visible"] for plot in plots] == [visible] * len(plots)


def test_fewer_samples_and_no_trick_spread_the_estimates_of_a_gradient(paths: Paths, encoded: EncodedImage) -> None:
    few, many = (replace(encoded.params, a=1.5, sigma=0.5, samples=n) for n in (1, 20))
    for params in (few, many):
        comparisons = gradients.compare_known(params), gradients.compare_image(codes.load(paths, ""), encoded)
        for with_it, without in (comparison.estimates.values() for comparison in comparisons):
            assert without.mu.var() > 3 * with_it.mu.var()
    spread = [gradients.compare_known(params).estimates["without it"].mu for params in (few, many)]
    assert [len(values) for values in spread] == [gradients.ESTIMATES] * 2
    assert (spread[0].var() / spread[1].var()).item() == pytest.approx(20, rel=0.4)
    text, known, image = gradients.show(paths, encoded._replace(params=many))
    assert "| true gradient | −3 | 1 |" in text
    for plot in (known, image):
        assert [len(trace.x) > 0 for trace in plot["value"].data] == [True, True]
    assert len(image["value"].data[0].x) == gradients.DRAWS // 20


def test_settings_of_one_view_change_no_other(paths: Paths) -> None:
    values = choice(0)._replace(a=3.0, sigma=0.5, samples=7)
    assert values.for_view("traverse") == choice(0).for_view("traverse")
    assert values.for_view("gradients").params.samples == 7
    for field, value, word in (("samples", 21, "samples per estimate"), ("sigma", 0, "σ"), ("a", "x", "a must")):
        with pytest.raises(UserError, match=word):
            values._replace(**{field: value}).for_view("gradients").encode(paths)
        values._replace(**{field: value}).for_view("elbo").encode(paths)


def test_rate_and_distortion_sum_to_the_bound(paths: Paths, encoded: EncodedImage) -> None:
    seen = {name: betas.encode(codes.load(paths, name), encoded.x) for name in betas.BETAS.values()}
    test, own = betas.rate_distortion(seen).data
    for rate, distortion in zip(test.x, test.y, strict=True):
        assert rate + distortion == pytest.approx(100, abs=0.1)  # minus the mean of test_elbo
    assert list(own.x) == pytest.approx([float(each.kl.sum()) for each in seen.values()])


def test_the_nearest_image_is_the_image_itself() -> None:
    images = torch.rand(50, 1, 28, 28, generator=make_rng(0)) * 2 - 1
    found = neighbours.find_nearest(images[7:8], images, 9)
    assert found[0] == (0, 7)
    assert [distance for distance, _ in found] == sorted(distance for distance, _ in found)
    other = (images[found[1][1]] - images[7]).square().mean().sqrt().item()
    assert found[1][0] == pytest.approx(other)


# --- export ---------------------------------------------------------------------------------------


def stage_text(z: Tensor, model: str = "vae-digits") -> str:
    """Return what the browser tells of a stage that shows a code."""
    return json.dumps({"ready": "1", "code": json.dumps({"model": model, "z": z.tolist()})})


def choice(seed: int, to_number: int = 1) -> Choice:
    return Choice.from_params(ViewParams("vae-digits", seed=seed, to_number=to_number))


def exported(value: dict) -> Image.Image:
    with Image.open(value["file"]["path"]) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize("view", ["traverse", "map"])
def test_exports_command_and_link_are_of_the_picture_on_show(tab: VAETab, paths: Paths, view: str) -> None:
    """Open a view, change the seed, move the code, and move it back."""
    session = Session()
    tab.show(session, *choice(0))
    tab.turn(view, session, *choice(0))
    outputs = tab.show(session, *choice(5))
    z = codes.from_prior(codes.load(paths, "vae-digits"), 5)[0]
    picture = exported(save.save_picture(paths, stage_text(z), session))
    assert json.loads(picture.text["z"]) == z.tolist()
    assert picture.text["command"] == outputs[tab.outputs.index(tab.command)]
    assert "--seed 5" in picture.text["command"]
    stage = outputs[tab.outputs.index(tab.components[view][0])]
    assert stage["z"] == z.tolist(), "what the view draws first is what the command draws"

    moved = stage_text(z + 0.5)
    link, command = tab.on_move(moved, session)
    assert (command, "without the moved code" in link["copied"]) == (save.MOVED, True)
    picture = exported(save.save_picture(paths, moved, session))
    assert json.loads(picture.text["z"]) == (z + 0.5).tolist()
    assert not {"command", "link"} & picture.text.keys()
    assert json.loads(picture.text["settings"]) == {"model": "vae-digits", "z": (z + 0.5).tolist()}
    tab.turn("beta", session, *choice(5))
    outputs = tab.turn(view, session, *choice(5))
    assert outputs[tab.outputs.index(tab.command)] == save.MOVED, "it is found as it was left"
    link, command = tab.on_move(stage_text(z), session)
    assert ("--seed 5" in command, link["copied"]) == (True, "Copied")


@pytest.mark.parametrize("view", VIEWS)
def test_an_error_leaves_neither_link_nor_command_of_the_picture_before(tab: VAETab, view: str) -> None:
    session = Session()
    tab.show(session, *choice(0))
    tab.turn(view, session, *choice(0))
    outputs = tab.show(session, *choice(0)._replace(picture=image_picker.DRAWING))
    link, command = (outputs[tab.outputs.index(part)] for part in (tab.link, tab.command))
    assert (link["link"], link["copied"], command) == (None, links.NOTHING, "")


def test_only_a_picture_that_a_command_draws_has_a_command(tab: VAETab, paths: Paths) -> None:
    session, z = Session(), codes.from_prior(codes.load(paths, "vae-digits"), 0)[0]
    tab.show(session, *choice(0))
    assert "command" in exported(save.save_picture(paths, stage_text(z), session)).text
    assert "command" not in exported(save.save_traversal(paths, stage_text(z), session)).text
    drawn = choice(0)._replace(picture=image_picker.DRAWING, drawing="[[[50, 120], [200, 120]]]")
    outputs = tab.show(session, *drawn)
    assert outputs[tab.outputs.index(tab.command)] == save.FROM_IMAGE
    drawing = exported(save.save_picture(paths, stage_text(drawn.encode(paths).z), session)).text
    assert not {"command", "link"} & drawing.keys()
    assert json.loads(drawing["settings"])["picture"] == image_picker.DRAWING


def test_a_path_is_saved_as_it_is_shown(tab: VAETab, paths: Paths) -> None:
    session = Session()
    tab.show(session, *choice(2))
    with pytest.raises(UserError, match="no interpolation is shown: open Interpolate first"):
        save.save_path(paths, "", session)
    outputs = tab.turn("interpolate", session, *choice(2, to_number=3))
    assert outputs[tab.outputs.index(tab.command)] == save.INTERPOLATION
    tab.turn("traverse", session, *choice(2, to_number=3))
    outputs = tab.turn("interpolate", session, *choice(2, to_number=3))
    assert outputs[tab.outputs.index(tab.command)] == save.INTERPOLATION, "it is found as it was left"
    frame = session.picture(paths, json.dumps({"ready": "1", "index": "10"}))
    path_ends = choice(2, to_number=3).encode(paths)
    torch.testing.assert_close(frame.z, interpolate.latent_paths(paths, path_ends)["arc"][10])
    with Image.open(save.save_path(paths, "", session)["file"]["path"]) as animation:
        assert animation.n_frames == interpolate.FRAMES


def test_nearest_searches_for_the_picture_of_the_chosen_image_only(tab: VAETab, paths: Paths, monkeypatch) -> None:
    monkeypatch.setattr(nearest, "find_neighbours", lambda paths, name, z: f"{name} {z.tolist()}")
    session, code = Session(), json.dumps({"model": "vae-digits", "z": [0.0, 0.0, 0.0]})
    tab.show(session, *choice(0))
    tab.turn("nearest", session, *choice(0))
    assert tab.search(code, session, *choice(0)) == "vae-digits [0.0, 0.0, 0.0]"
    tab.show(session, *choice(1))
    assert "Traverse shows another picture" in tab.search(code, session, *choice(1))


@pytest.mark.parametrize("text", ["", None, "[]", "1", '{"ready": "1"}', '{"code": "[]"}', "[" * 100_000])
def test_no_code_on_show_says_so(paths: Paths, text: object) -> None:
    with pytest.raises(ValueError, match="no picture on show"):
        Session().picture(paths, text)


def test_a_late_answer_changes_nothing(tab: VAETab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slow view that was left is answered after the one that was selected then."""
    session, late = Session(), []
    tab.show(session, *choice(0))
    slow_show = elbo_terms.show

    def show_and_turn(paths: Paths, encoded: EncodedImage) -> list[object]:
        late.append(tab.turn("map", session, *choice(7)))
        return slow_show(paths, encoded)

    monkeypatch.setitem(VIEWS, "elbo", replace(VIEWS["elbo"], show=show_and_turn))
    assert tab.turn("elbo", session, *choice(7)) == tab.unchanged
    assert late[0][tab.outputs.index(tab.link)]["link"]["view"] == "map"
    assert (session.selected, session.filled.get("elbo")) == ("map", None)
    outputs = tab.show(session, *choice(8))
    assert outputs[tab.outputs.index(tab.link)]["link"]["seed"] == "8"
    assert session.filled["map"] == choice(8), "a further seed moves the map"


def test_the_command_draws_the_chosen_code_from_the_prior(paths: Paths, capsys, tmp_path: Path) -> None:
    params = ViewParams(seed=5)
    words = save.build_command(paths, "traverse", params).split()[3:-1]
    out = tmp_path / "one.npz"
    assert main([*words, str(out)]) == 0
    shown = codes.encode_choice(paths, params, NO_SOURCES).x
    assert np.array_equal(np.load(out)["images"], pictures.to_uint8(shown))
    assert save.command_text(paths, "traverse", replace(params, picture="Test image")) == save.FROM_IMAGE


def test_a_path_ends_at_the_code_of_the_other_end(paths: Paths, encoded: EncodedImage) -> None:
    for path in interpolate.latent_paths(paths, encoded).values():
        torch.testing.assert_close(path[0], encoded.z)
        torch.testing.assert_close(path[-1], codes.encode_path_end(paths, encoded.params))


# --- what a browser may ask -----------------------------------------------------------------------

PLANE = {"axes": ["z1", "z2"], "z": [0.0] * 3, "mu": [0.0] * 3, "log_var": [0.0] * 3}
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
def test_a_bad_question_is_answered_with_a_sentence(paths: Paths, function, request_, sentence: str) -> None:
    answer = answers.answering(paths, "ask", function)(request_)
    assert sentence in answer["error"]
    assert len(answer["error"]) < 200


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


def test_a_question_waits_for_its_turn_and_is_then_turned_away(paths: Paths, monkeypatch) -> None:
    monkeypatch.setattr(ui_answers, "SLOT_TIMEOUT", 0.01)
    with ui_answers._slots, ui_answers._slots:
        assert "the server is busy" in answers.answering(paths, "decode", answers.decode)(GOOD)["error"].lower()
    with ui_answers.TRAINING_SLOTS, ui_answers.TRAINING_SLOTS:
        assert "pixels" in answers.answering(paths, "decode", answers.decode)(GOOD), "no slider waits for a training"


def test_a_missing_checkpoint_names_its_recipe(paths: Paths) -> None:
    (paths.weights / "vae-digits.safetensors").unlink()
    assert "vae-digits" in answers.answering(paths, "decode", answers.decode)(GOOD)["error"]


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


@pytest.mark.parametrize("dataset", ["shapes", "emoji"])
def test_a_model_of_colour_reads_no_drawings(paths: Paths, dataset: str, monkeypatch) -> None:
    glyphs = emoji.Glyphs([f"emoji {i}" for i in range(40)], torch.full((40, 4, 64, 64), 180, dtype=torch.uint8), "")
    monkeypatch.setattr(emoji, "load", lambda root, download: glyphs)
    torch.manual_seed(0)
    config = replace(CONFIG, size=64, channels=3, patch=16)
    checkpoint.save(paths.weights / "mine.safetensors", vae.Model(config), {"flags": {"dataset": dataset}})
    params = ViewParams(model="mine", picture="Draw")
    with pytest.raises(ValueError, match="reads no drawings"):
        codes.encode_choice(paths, params, NO_SOURCES)
    one, same, other = (
        codes.encode_choice(paths, replace(params, picture="Test image", number=number), NO_SOURCES).x
        for number in (3, 3, 4)
    )
    assert one.shape == (1, 3, 64, 64)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
