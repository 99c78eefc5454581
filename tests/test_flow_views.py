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

from playground import checkpoint, pictures
from playground.data import digits as mnist
from playground.models import flow
from playground.sampling import Noise
from playground.tabs import Places
from playground.tabs.flow import between, digits, likelihood, passes
from playground.tabs.flow.digits import PICTURE, SAMPLE, SAMPLES, WAY, Asked
from playground.ui import links, source
from playground.validation import UserError

TINY = flow.Config(steps=(2, 1), widths=(8, 8), bins=3, noise_steps=1, noise_width=8)
X = (torch.arange(784) % 256).view(1, 1, 28, 28) / 127.5 - 1
OTHER = -X


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A folder with a small flow that does something, and no data."""
    torch.manual_seed(0)
    model = flow.Model(TINY)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    checkpoint.save(tmp_path / "flow-digits.safetensors", model, {})
    return Places(tmp_path, tmp_path / "data")


@pytest.fixture
def model(places: Places) -> flow.Model:
    return likelihood.load_model(places)


# --- there and back -------------------------------------------------------------------------------


def test_a_picture_comes_back_from_z(model: flow.Model) -> None:
    trip = passes.there_and_back(model, X)
    assert trip.error < 1e-9
    assert (trip.run[0].x - X).abs().max() < 0.01, "but for the noise u"
    assert (pictures.to_uint8(trip.run[0].x) == pictures.to_uint8(X)).all(), "which rounding takes away"
    assert (trip.run[trip.turn].y - trip.run[0].y).abs().max() > 0.1, "it went somewhere"
    assert torch.allclose(trip.run[trip.turn].y.float(), model.encode(trip.given.y.float())[0], atol=1e-4)
    assert trip.run[-1].log_det.abs().item() < 1e-6, "what was stretched is undone"
    for there, back in zip(trip.run, reversed(trip.run), strict=True):
        assert torch.allclose(there.y, back.y, atol=1e-9)


@pytest.mark.parametrize(("error", "told"), [(0.0, "1e-15"), (5.257e-5, "6e-5"), (3.1e-4, "4e-4"), (9.9e-13, "10e-13")])
def test_a_bound_of_one_digit_is_above_the_error(error: float, told: str) -> None:
    assert passes._above(error) == told
    assert float(told) > error


def test_the_bits_at_z_are_those_of_the_model(model: flow.Model) -> None:
    trip = passes.there_and_back(model, X)
    expected = model(X, Noise(0, 1)((1, 28, 28))).item()
    assert math.isclose(trip.bits[trip.turn], expected, abs_tol=1e-5)
    assert math.isclose(likelihood.bits(model, X).item(), expected, abs_tol=1e-5)
    value = passes.described(trip)
    assert f"{expected:.3f} bits per dimension" in value["captions"][trip.turn]
    assert value["start"] == trip.turn


def test_the_formula_adds_up_at_every_layer(model: flow.Model) -> None:
    numbers = passes.described(passes.there_and_back(model, X))["numbers"]
    rows = zip(*(map(read, numbers[name]) for name in
                 ("normal", "log_det", "log_p", "log_q", "levels", "scale", "bits")), strict=True)  # fmt: skip
    for normal, log_det, log_p, log_q, levels, scale, bits in rows:
        assert math.isclose(normal + log_det, log_p, abs_tol=0.2)
        assert math.isclose((log_q - log_p + levels) / scale, bits, abs_tol=0.002)


def read(number: str) -> float:
    return float(number.replace("−", "-"))


# --- samples --------------------------------------------------------------------------------------


def test_samples_end_with_those_of_the_command_line(model: flow.Model) -> None:
    settings = flow.Settings(n=3, temperature=0.7, seed=5)
    value = passes.samples(model, settings)
    *_, end = flow.sample(model, settings)
    shown = value["strips"][0].frames
    assert shown.shape[1:] == (3, 28, 28, 1)
    assert (shown[-1] == pictures.to_uint8(end.x)).all()
    assert len(shown) == len(value["captions"]) == 1 + 3 * sum(TINY.steps)


def test_at_temperature_0_every_seed_gives_the_same_picture(model: flow.Model) -> None:
    one, other = (passes.samples(model, flow.Settings(2, 0, seed))["strips"][0].frames for seed in (0, 1))
    assert (one == other).all()
    assert (one[:, 0] == one[:, 1]).all()


def test_the_formula_of_samples_adds_up(model: flow.Model) -> None:
    numbers = passes.samples(model, flow.Settings(4))["numbers"]
    for normal, log_det, log_p in zip(*(map(read, numbers[k]) for k in ("normal", "log_det", "log_p")), strict=True):
        assert math.isclose(normal - log_det, log_p, abs_tol=0.2)
    assert numbers["layer"][:2] == ["none yet", "couple"], "the last layer to z is the first from it"


# --- between two pictures -------------------------------------------------------------------------


def test_both_ways_end_in_the_pictures(model: flow.Model) -> None:
    both = between.ways(model, X, OTHER)
    for way in both.values():
        assert (way.x[:1] - X).abs().max() < 0.01
        assert (way.x[-1:] - OTHER).abs().max() < 0.01
        assert torch.equal(way.bits, likelihood.bits(model, way.x))
    line, circle = (way.z.norm(dim=1) for way in both.values())
    assert line.min() < circle.min() - 1, "only the line takes the short cut"
    assert len(between.compared(both)["captions"]) == between.FRAMES


def test_a_way_to_the_picture_itself_stays_there(model: flow.Model) -> None:
    for way in between.ways(model, X, X).values():
        assert (way.z - way.z[0]).abs().max() < 1e-3
    between.compared(between.ways(model, X, X))


# --- likelihood among others ----------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihood, "COMPARED", 6)
    monkeypatch.setattr(likelihood, "OTHERS", (2, 1))
    monkeypatch.setattr(likelihood, "BATCH", 4)
    likelihood._measured.clear()


@pytest.mark.usefixtures("few")
def test_without_test_digits_samples_stand_for_them(places: Places) -> None:
    assert not likelihood.is_measured(places)
    found = likelihood.groups(places)
    assert likelihood.is_measured(places)
    assert likelihood.groups(places) is found, "measured once"
    assert [len(values) for values in found.values()] == [6, 6, 2, 1]
    shown = likelihood.table(found, 3.0)
    assert "3.00 bits per dimension" in shown
    assert likelihood.UNFETCHED in shown


@pytest.mark.usefixtures("few")
def test_a_picture_is_compared_with_test_digits(
    places: Places, model: flow.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = mnist.pad(X.repeat(10, 1, 1, 1))
    monkeypatch.setattr(mnist, "load", lambda *_, **__: (x, torch.zeros(10)))
    found = likelihood.groups(places)
    blank = cast(Tensor, found["a blank page"])
    assert math.isclose(found["test digits"][0].item(), likelihood.bits(model, X).item(), abs_tol=1e-4)
    assert blank.shape == (1,)
    shown = likelihood.table(found, found["test digits"].max().item() + 1)
    assert "likelier than 0% of the test digits (▼)" in shown
    assert likelihood.UNFETCHED not in shown


def test_ticks_stay_within_the_line() -> None:
    scale = likelihood.Scale.of(torch.tensor([0.0, 0.1, 9.0]))
    assert scale.at(0) == scale.at(-1) == "1.0%"
    assert scale.at(9) == "98.0%"
    one = likelihood.Scale.of(torch.ones(3))
    assert one.at(1) == "1.0%"


# --- what is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [Asked(), Asked(PICTURE, source.TEST, 7), Asked(WAY, SAMPLE, to=source.TEST, other=3, temperature=0.35, seed=9)],
)
def test_a_link_restores_what_was_asked(asked: Asked) -> None:
    assert links.restore(Asked, digits.TAB, links.query(digits.TAB, asked)) == asked
    assert asked.linkable


def test_no_link_holds_a_drawing() -> None:
    assert not Asked(PICTURE, source.DRAWN).linkable
    assert Asked(SAMPLES, source.DRAWN).linkable, "which is not shown"


@pytest.mark.parametrize(
    ("name", "value"),
    [("what", "magic"), ("picture", None), ("number", 10_000), ("to", source.DRAWN), ("other", 1.5), ("n", 0),
     ("n", 26), ("temperature", float("nan")), ("temperature", 2.1), ("temperature", "hot"), ("seed", -1)],
)  # fmt: skip
def test_absurd_settings_are_refused(name: str, value) -> None:
    with pytest.raises(UserError):
        Asked(**{name: value})


def test_a_test_image_that_is_not_there_is_refused_where_it_is_asked_for() -> None:
    with pytest.raises(UserError, match="other end"):
        Asked(WAY, to=source.TEST, other=10_000)
    assert Asked(SAMPLES, to=source.TEST, other=10_000).other == 10_000, "which is not shown"


# --- the view -------------------------------------------------------------------------------------


@pytest.fixture
def show(places: Places):
    """The function that all events call, and with which arguments."""
    with gr.Blocks() as page:
        digits.build(page, places)
    function = next(each for each in page.fns.values() if each.api_name == "flow_digits").fn

    def ask(asked: dict, drawing: object = "", upload: object = None) -> list[list]:
        return list(function(drawing, upload, *(asdict(Asked()) | asked).values()))

    return ask


@pytest.mark.usefixtures("few")
def test_every_kind_of_picture_is_shown(show) -> None:
    frames = {}
    for what in digits.WHAT:
        *_, made = show({"what": what, "n": 2})[:1]
        frames[what] = made[0]["frames"]
        assert made[1]["link"]["what"] == what
        assert len(json.loads(made[0]["following"])["captions"]) == made[0]["frames"]
    layers = 3 * sum(TINY.steps)
    assert frames == {SAMPLES: layers + 1, PICTURE: 2 * layers + 1, WAY: between.FRAMES}


@pytest.mark.usefixtures("few")
def test_the_likelihood_comes_after_the_picture(show) -> None:
    first, second = show({"what": PICTURE})
    assert likelihood.MEASURING in first[4]
    assert "verdicts" in second[4]
    again, _ = show({"what": PICTURE, "seed": 3})
    assert "verdicts" not in str(again[4]), "what stands there stays until the next comes"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [({"n": float("nan")}, "must be a whole number"), ({"temperature": -1}, "must be a number from 0 to 2"),
     ({"what": PICTURE, "picture": source.DRAWN}, "is blank"), ({"what": [1]}, "must be one of"),
     ({"what": PICTURE, "picture": source.UPLOADED}, "no picture was uploaded"), ({"seed": None}, "must be a whole")],
)  # fmt: skip
def test_bad_input_is_one_sentence(show, asked: dict, sentence: str) -> None:
    ((made, *_),) = show(asked)
    assert sentence in made["message"].lower()


def test_a_missing_checkpoint_is_one_sentence(show, places: Places) -> None:
    (places.weights / "flow-digits.safetensors").unlink()
    ((made, *_),) = show({})
    assert "`python -m train flow-digits` makes it" in made["message"]
