"""What the views of the VAE tab compute, on a tiny model."""

import base64
import json
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
import torch
from tiny_vae import CONFIG, TRAINED, choice

from playground.datasets import mnist, shapes
from playground.families import vae
from playground.runtime import checkpoint
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
    traverse,
)
from playground.tabs.vae.choice import Choice
from playground.tabs.vae.codes import EncodedImage, ViewParams
from playground.tabs.vae.session import Session
from playground.web import image_picker, neighbours
from playground.web.image_picker import NO_SOURCES


def array(picture: dict) -> np.ndarray:
    shape = (picture["height"], picture["width"], picture["channels"])
    return np.frombuffer(base64.b64decode(picture["pixels"]), np.uint8).reshape(shape)


def test_only_the_view_of_paths_asks_for_their_other_end(paths: Paths) -> None:
    wrong = Choice("vae-digits", codes.PRIOR, 0, *NO_SOURCES, 3, image_picker.TEST_IMAGE, 99_999)
    assert wrong.for_view("traverse").encode(paths).params == ViewParams("vae-digits", seed=3)
    with pytest.raises(UserError, match="other end"):
        wrong.for_view("interpolate").encode(paths)


def test_dimensions_come_by_their_kl_and_the_dead_are_marked(paths: Paths) -> None:
    model = codes.CHECKPOINTS.load(paths, "vae-digits")
    assert codes.order(model) == [1, 0, 2]
    made = traverse.dimensions(model, ["", "colour", "x"])
    assert [dimension.index for dimension in made] == [1, 0, 2]
    assert [dimension.dead for dimension in made] == [False, False, True]
    assert [dimension.label for dimension in made] == ["z2 · 2.00 nats · colour", "z1 · 0.50 nats", "z3 · dead"]


def test_samples_of_the_posterior_have_its_mean_and_variance(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    model, drawn = codes.CHECKPOINTS.load(paths, "vae-digits"), list[torch.Tensor]()
    monkeypatch.setattr(codes, "COLUMNS", 20_000)
    monkeypatch.setattr(codes, "decode", lambda _, z: drawn.append(z) or torch.zeros(len(z), 1, 1, 1))
    mu, log_var = torch.tensor([1.0, -2.0, 0.0]), torch.tensor([0.0, -4.0, 1.0])
    codes.posterior_samples(model, EncodedImage(ViewParams(), torch.zeros(1, 1, 28, 28), mu, log_var, mu))
    assert drawn[0].shape == (20_000, 3)
    torch.testing.assert_close(drawn[0].mean(0), mu, rtol=0, atol=0.05)
    torch.testing.assert_close(drawn[0].var(0), log_var.exp(), rtol=0.05, atol=0)


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


@pytest.mark.parametrize(("channels", "words"), [(1, "in one channel, and"), (3, "in 3 channels, and")])
def test_an_image_of_another_size_is_refused(channels: int, words: str) -> None:
    with pytest.raises(UserError, match=f"28 x 28 pixels {words}"):
        codes.check(vae.Model(replace(CONFIG, channels=channels)), torch.zeros(1, channels, 8, 8))


def test_a_traversal_moves_one_dimension_a_row(paths: Paths) -> None:
    model, z = codes.CHECKPOINTS.load(paths, "vae-digits"), torch.tensor([0.3, -0.2, 0.1])
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
    assert "no models of these data that differ in β" in refused["beta"]
    assert (no_map or "") in refused.get("map", "")


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
        comparisons = (
            gradients.compare_known(params),
            gradients.compare_image(codes.CHECKPOINTS.load(paths, ""), encoded),
        )
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
    seen = {name: betas.encode(codes.CHECKPOINTS.load(paths, name), encoded.x) for name in betas.BETAS.values()}
    test, own = betas.rate_distortion(seen).data
    for rate, distortion in zip(test.x, test.y, strict=True):
        assert rate + distortion == pytest.approx(100, abs=0.1)  # minus the mean of test_elbo
    assert list(own.x) == pytest.approx([float(each.kl.sum()) for each in seen.values()])


def test_the_nearest_image_is_the_image_itself() -> None:
    images = torch.rand(50, 1, 28, 28, generator=make_rng(0)) * 2 - 1
    found, nearest_to_other = neighbours.find_nearest(images[[7, 30]], images.split(20), 9)
    assert nearest_to_other[0] == (0, 30)
    assert found[0] == (0, 7)
    assert [distance for distance, _ in found] == sorted(distance for distance, _ in found)
    other = (images[found[1][1]] - images[7]).square().mean().sqrt().item()
    assert found[1][0] == pytest.approx(other)


def test_map_opens_with_the_model_of_two_numbers_until_one_is_chosen(tab: VAETab, paths: Paths) -> None:
    torch.manual_seed(0)
    model = vae.Model(replace(CONFIG, latent=2)).requires_grad_(False)
    checkpoint.save(paths.weights / f"{codes.MAP_MODEL}.safetensors", model, {"flags": TRAINED})
    session = Session()
    tab.show(session, *choice(0))
    for view, shown, expected in (("map", "vae-digits", codes.MAP_MODEL), ("elbo", codes.MAP_MODEL, "vae-digits")):
        *_, model_value = tab.on_select(view, session, shown, *choice(0)[1:])
        assert model_value == expected
        assert session.filled[view].model == expected
    assert tab.on_select("elbo", session, *choice(0)) == [*tab.unchanged, gr.skip()], "it is selected already"
    tab.on_model(session, "vae-digits", codes.PRIOR)
    *_, model_value = tab.on_select("map", session, *choice(0))
    assert model_value == gr.skip()
    assert session.filled["map"].model == "vae-digits"
