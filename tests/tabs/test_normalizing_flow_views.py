"""What the view of digits of the flow tab shows, on a tiny model."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import cast

import gradio as gr
import pytest
import torch
from torch import Tensor

from playground.datasets import mnist
from playground.families import normalizing_flow
from playground.runtime import checkpoint, pictures
from playground.runtime.cache import Recent
from playground.runtime.paths import Paths
from playground.runtime.rng import Noise
from playground.runtime.validation import UserError
from playground.tabs.normalizing_flow import digits, interpolation, layer_trajectory, likelihood
from playground.tabs.normalizing_flow.digits import PICTURE, SAMPLE, SAMPLES, WAY, ViewParams
from playground.web import image_picker, links
from playground.web.image_picker import NO_SOURCES, Sources
from playground.web.newest import Requests

TINY = normalizing_flow.Config(steps=(2, 1), widths=(8, 8), bins=3, noise_steps=1, noise_width=8)
X = (torch.arange(784) % 256).view(1, 1, 28, 28) / 127.5 - 1
OTHER = -X


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A folder with a small flow that does something, and no data."""
    torch.manual_seed(0)
    model = normalizing_flow.Model(TINY)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    checkpoint.save(tmp_path / "flow-digits.safetensors", model, {})
    return Paths(tmp_path, tmp_path / "data")


@pytest.fixture
def model(paths: Paths) -> normalizing_flow.Model:
    return likelihood.CHECKPOINTS.load(paths, "")


# --- there and back -------------------------------------------------------------------------------


def test_a_picture_comes_back_from_z(model: normalizing_flow.Model) -> None:
    trip = layer_trajectory.round_trip(model, X)
    assert trip.error < 1e-9
    start = normalizing_flow.logits_to_images(trip.run[0].x)
    assert (start - X).abs().max() < 0.01, "but for the noise u"
    assert (pictures.to_uint8(start) == pictures.to_uint8(X)).all(), "which rounding takes away"
    assert (trip.run[trip.turn].x - trip.run[0].x).abs().max() > 0.1, "it went somewhere"
    assert torch.allclose(trip.run[trip.turn].x.float(), model.encode(trip.dequantized.y.float())[0], atol=1e-4)
    assert trip.run[-1].extras["log_det"].abs().item() < 1e-6, "what was stretched is undone"
    for there, back in zip(trip.run, reversed(trip.run), strict=True):
        assert torch.allclose(there.x, back.x, atol=1e-9)


@pytest.mark.parametrize(("error", "told"), [(0.0, "1e−15"), (5.257e-5, "6e−5"), (3.1e-4, "4e−4"), (9.9e-13, "1e−12")])
def test_a_bound_of_one_digit_is_above_the_error(error: float, told: str) -> None:
    assert layer_trajectory.above(error) == told
    assert float(told.replace("−", "-")) > error


def test_the_bits_at_z_are_those_of_the_model(model: normalizing_flow.Model) -> None:
    trip = layer_trajectory.round_trip(model, X)
    expected = model(X, Noise(0, 1)((1, 28, 28))).item()
    assert math.isclose(trip.bits[trip.turn], expected, abs_tol=1e-5)
    assert math.isclose(normalizing_flow.bits_per_dimension(model, X).item(), expected, abs_tol=1e-5)
    value = layer_trajectory.trip_film(trip)
    assert f"{expected:.3f} bits per dimension" in value.captions[trip.turn]
    assert value.start == trip.turn


def test_the_formula_adds_up_at_every_layer(model: normalizing_flow.Model) -> None:
    numbers = layer_trajectory.trip_film(layer_trajectory.round_trip(model, X)).numbers
    rows = zip(*(map(read, numbers[name]) for name in
                 ("normal", "log_det", "log_p", "log_q", "levels", "scale", "bits")), strict=True)  # fmt: skip
    for normal, log_det, log_p, log_q, levels, scale, bits in rows:
        assert math.isclose(normal + log_det, log_p, abs_tol=0.2)
        assert math.isclose((log_q - log_p + levels) / scale, bits, abs_tol=0.002)


def read(number: str) -> float:
    return float(number.replace("−", "-"))


# --- samples --------------------------------------------------------------------------------------


def test_samples_end_with_those_of_the_command_line(model: normalizing_flow.Model) -> None:
    settings = normalizing_flow.Settings(n=3, temperature=0.7, seed=5)
    value = layer_trajectory.sample_film(model, settings)
    *_, end = normalizing_flow.sample(model, settings)
    shown = value.strips[0].frames
    assert shown.shape[1:] == (3, 28, 28, 1)
    assert (shown[-1] == pictures.to_uint8(normalizing_flow.to_images(model, end))).all()
    assert len(shown) == len(value.captions) == 1 + 3 * sum(TINY.steps)


def test_the_formula_of_samples_adds_up(model: normalizing_flow.Model) -> None:
    numbers = layer_trajectory.sample_film(model, normalizing_flow.Settings(4)).numbers
    for normal, log_det, log_p in zip(*(map(read, numbers[k]) for k in ("normal", "log_det", "log_p")), strict=True):
        assert math.isclose(normal - log_det, log_p, abs_tol=0.2)
    assert numbers["layer"][:2] == ["none yet", "couple"], "the last layer to z is the first from it"


# --- between two pictures -------------------------------------------------------------------------


def test_both_ways_end_in_the_pictures(model: normalizing_flow.Model) -> None:
    both = interpolation.interpolate(model, X, OTHER)
    for way in both.values():
        assert (way.x[:1] - X).abs().max() < 0.01
        assert (way.x[-1:] - OTHER).abs().max() < 0.01
        assert torch.equal(way.bits, normalizing_flow.bits_per_dimension(model, way.x))
    line, circle = (way.z.norm(dim=1) for way in both.values())
    assert line.min() < circle.min() - 1, "only the line takes the short cut"
    assert len(interpolation.film(both).captions) == interpolation.FRAMES


def test_a_way_to_the_picture_itself_stays_there(model: normalizing_flow.Model) -> None:
    for way in interpolation.interpolate(model, X, X).values():
        assert (way.z - way.z[0]).abs().max() < 1e-3
    interpolation.film(interpolation.interpolate(model, X, X))


# --- likelihood among others ----------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihood, "COMPARED", 6)
    monkeypatch.setattr(likelihood, "N_NOISE", 2)
    monkeypatch.setattr(likelihood, "BATCH", 4)
    monkeypatch.setattr(likelihood.groups, "_made", Recent(1))


@pytest.mark.usefixtures("few")
def test_a_digit_is_compared_without_a_fetched_data_set(paths: Paths) -> None:
    assert not likelihood.groups.is_made(paths, "flow-digits")
    found = likelihood.groups(paths, "flow-digits")
    assert likelihood.groups.is_made(paths, "flow-digits")
    assert likelihood.groups(paths, "flow-digits") is found, "measured once"
    assert [len(values) for values in found.values()] == [6, 6, 2, 1]
    shown = likelihood.table(found, 3.0)
    assert "3.00 bits per dimension" in shown


@pytest.mark.usefixtures("few")
def test_a_picture_is_compared_with_test_digits(
    paths: Paths, model: normalizing_flow.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = mnist.pad(X.repeat(10, 1, 1, 1))
    monkeypatch.setattr(mnist, "load", lambda *_, **__: (x, torch.zeros(10)))
    found = likelihood.groups(paths, "flow-digits")
    blank = cast(Tensor, found["a blank page"])
    bits = normalizing_flow.bits_per_dimension(model, X).item()
    assert math.isclose(found["test digits"][0].item(), bits, abs_tol=1e-4)
    assert blank.shape == (1,)
    shown = likelihood.table(found, found["test digits"].max().item() + 1)
    assert "likelier than 0% of the test digits (▼)" in shown


def test_ticks_stay_within_the_line() -> None:
    scale = likelihood.Scale.of(torch.tensor([0.0, 0.1, 9.0]))
    assert scale.at(0) == scale.at(-1) == "1.0%"
    assert scale.at(9) == "98.0%"
    one = likelihood.Scale.of(torch.ones(3))
    assert one.at(1) == "1.0%"


# --- what is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        ViewParams(),
        ViewParams("", PICTURE, image_picker.TEST_IMAGE, 7),
        ViewParams("mine", WAY, SAMPLE, to=image_picker.TEST_IMAGE, to_number=3, temperature=0.35, seed=9),
    ],
)
def test_a_link_restores_what_was_asked(params: ViewParams) -> None:
    assert links.restore(ViewParams, digits.TAB, links.query(digits.TAB, params)) == params
    assert params.linkable


def test_no_link_holds_a_drawing() -> None:
    assert not ViewParams(show=PICTURE, picture=image_picker.DRAWING).linkable
    assert ViewParams(show=SAMPLES, picture=image_picker.DRAWING).linkable, "which is not shown"


@pytest.mark.parametrize(
    ("name", "value"),
    [("show", "magic"), ("picture", None), ("number", 10_000), ("to", image_picker.DRAWING), ("to_number", 1.5),
     ("n", 0), ("n", 26), ("temperature", float("nan")), ("temperature", 2.1), ("temperature", "hot"), ("seed", -1)],
)  # fmt: skip
def test_absurd_settings_are_refused(name: str, value) -> None:
    with pytest.raises(UserError):
        ViewParams(**{name: value})


def test_a_test_image_that_is_not_there_is_refused_where_it_is_asked_for() -> None:
    with pytest.raises(UserError, match="other end"):
        ViewParams(show=WAY, to=image_picker.TEST_IMAGE, to_number=10_000)
    samples = ViewParams(show=SAMPLES, to=image_picker.TEST_IMAGE, to_number=10_000)
    assert samples.to_number == 10_000, "which is not shown"


# --- the view -------------------------------------------------------------------------------------


@pytest.fixture
def show(paths: Paths):
    """The function that all events call, and with which arguments."""
    with gr.Blocks() as page:
        digits.DigitsView.build(page, paths)
    function = next(each for each in page.fns.values() if each.api_name == "normalizing_flow_digits").fn

    def ask(params: dict, sources: Sources = NO_SOURCES) -> list[list]:
        return list(function(Requests(), *sources, *(asdict(ViewParams()) | params).values()))

    return ask


@pytest.mark.usefixtures("few")
def test_every_kind_of_picture_is_shown(show) -> None:
    frames = {}
    for what in digits.CONTENTS:
        *_, made = show({"show": what, "n": 2})[:1]
        frames[what] = made[0]["frames"]
        assert made[1]["link"]["show"] == what
        assert len(json.loads(made[0]["following"])["captions"]) == made[0]["frames"]
    layers = 3 * sum(TINY.steps)
    assert frames == {SAMPLES: layers + 1, PICTURE: 2 * layers + 1, WAY: interpolation.FRAMES}


@pytest.mark.usefixtures("few")
def test_the_likelihood_comes_after_the_picture(show, paths: Paths) -> None:
    first, second = show({"show": PICTURE})
    assert likelihood.MEASURING in first[4]
    assert not likelihood.groups.is_made(paths, "flow-digits"), "an event of its own measures, for which no other waits"
    *_, uncompared = second
    with gr.Blocks():
        view = digits.DigitsView(paths)
    requests = Requests()
    assert view.compare_newest(requests, None) == gr.skip()
    requests.next_number(uncompared.request)
    assert "verdicts" in view.compare_newest(requests, uncompared)
    requests.next_number(("another picture",))
    assert view.compare_newest(requests, uncompared) == gr.skip()
    again, told = show({"show": PICTURE, "seed": 3})
    assert "verdicts" not in str(again[4]), "what stands there stays until the next comes"
    assert "verdicts" in told[4]
    assert told[5] is None


@pytest.mark.parametrize(
    ("params", "sentence"),
    [({"n": float("nan")}, "must be a whole number"), ({"temperature": -1}, "must be a number from 0 to 2"),
     ({"show": PICTURE, "picture": image_picker.DRAWING}, "is blank"), ({"show": [1]}, "must be one of"),
     ({"show": PICTURE, "picture": image_picker.UPLOAD}, "no picture has been uploaded"),
     ({"seed": None}, "must be a whole")],
)  # fmt: skip
def test_bad_input_is_one_sentence(show, params: dict, sentence: str) -> None:
    ((made, link, run, _, table, _),) = show(params)
    assert sentence in made["message"].lower()
    assert (made["outdated"], run, table) == (True, None, ""), "nothing of the picture before stands as this one's"
    assert link["link"] is None


def test_a_missing_checkpoint_is_one_sentence(show, paths: Paths) -> None:
    (paths.weights / "flow-digits.safetensors").unlink()
    ((made, *_),) = show({})
    assert "“python -m train flow-digits” makes it" in made["message"]


def test_a_bad_link_shows_a_first_picture_that_can_be_saved(paths: Paths) -> None:
    with gr.Blocks():
        view = digits.DigitsView(paths)
    request = gr.Request(headers={}, query_params={"view": "digits", "seed": "x"})
    wrong, link, model, *values = view.on_load(request)
    assert wrong == "The link's seed must be a whole number, not 'x'."
    assert link["link"], "so that the picture is made"
    stage, _, run, *_ = next(view.show_first(wrong, *NO_SOURCES, model["value"], *values))
    assert stage["notice"] == wrong
    assert run is not None
