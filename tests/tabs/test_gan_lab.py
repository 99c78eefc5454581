"""The controls of the lab of adversarial networks: presets, and what is refused."""

import dataclasses
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground.datasets import densities
from playground.families.gan.lab import PRESETS
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.gan import lab
from playground.tabs.gan.lab import ViewParams
from playground.tabs.normalizing_flow.lab import FlowLabView
from playground.tabs.score_matching.lab import ScoreLabView
from playground.web import lab_sessions, lab_view, links


@pytest.fixture(autouse=True)
def alone(monkeypatch) -> None:
    """Begin without the labs of other tests, and train a step at a time."""
    monkeypatch.setattr(lab_sessions, "_sessions", type(lab_sessions._sessions)())
    monkeypatch.setitem(lab_sessions.ACTIONS, "play", 1e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_the_controls_hold_a_whole_preset(name: str) -> None:
    asked = lab.preset_params(name, "grid", 7)
    assert asked.settings() == replace(PRESETS[name].settings, seed=7)
    assert links.restore(ViewParams, "gan.lab", links.query("gan.lab", asked)) == asked


@pytest.mark.parametrize("name", PRESETS)
def test_the_lit_preset_is_the_one_that_the_controls_are(name: str) -> None:
    fields = dataclasses.asdict(lab.preset_params(name, "grid", 7))
    assert lab.find_preset(*fields.values()) == name
    for field, value in (("r1", 0.5), ("lr_d", None), ("steps", 300)):
        assert lab.find_preset(*(fields | {field: value}).values()) is None


@pytest.fixture(scope="module")
def view() -> lab.GANLabView:
    with gr.Blocks():
        return lab.GANLabView(Paths(Path(), Path()))


def test_what_is_refused_is_named_by_its_label(view: lab.GANLabView) -> None:
    wrong = {"lr_d": 5, "r1": None, "seed": -1, "k": None}
    values = dataclasses.asdict(ViewParams(width=8, batch=16)) | wrong
    stage_value, *_ = view.restart(None, *values.values())
    assert stage_value["refused"] == ["R1", "number input for Steps of D", "Learning rate of D", "Seed"]
    assert stage_value["message"].startswith("R1 must be")
    stage_value, *_ = view.restart(None, *(values | dict.fromkeys(wrong, 1)).values())
    assert stage_value["refused"] == []


@pytest.mark.parametrize("kind", [lab.GANLabView, ScoreLabView, FlowLabView])
def test_a_message_calls_each_number_as_its_control_does(kind: type[lab_view.LabView[Any]]) -> None:
    with gr.Blocks():
        view = kind(Paths(Path(), Path()))
    for field, control in zip(dataclasses.fields(view.first), view.controls.inputs, strict=True):
        if isinstance(control, (gr.Number, gr.Slider)):
            with pytest.raises(UserError) as error:
                replace(view.first, **{field.name: -1e9})
            assert str(error.value).lower().startswith(f"{control.label.lower()} must be")


def test_the_controls_begin_as_the_first_preset() -> None:
    assert ViewParams() == lab.preset_params(lab.FIRST)


@pytest.mark.parametrize("data", [*densities.DENSITIES, lab_view.DRAWING])
def test_every_kind_of_data_can_be_learned(view: lab.GANLabView, data: str) -> None:
    value = view.make_lab(replace(ViewParams(), data=data), "[[[50, 120], [200, 120]]]")
    modes = {"ring": 8, "grid": 25, "uneven": 2}.get(data)
    told = " ".join(value["frame"]["caption"])
    assert (f"of {modes}" in told) == bool(modes)
    assert ("modes" in value["frame"]["row"]) == bool(modes)


BAD = [("data", "photographs"), ("data", lab_view.DRAWING), ("lr_d", 0), ("lr_g", math.nan), ("lr_g", "fast"),
       ("width", 10**6), ("k", None), ("loss", "love"), ("gp", -1), ("unroll", 99),
       ("spectral", 1), ("steps", 1e12)]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD)
def test_a_bad_control_is_one_sentence(view: lab.GANLabView, field: str, value: object) -> None:
    with pytest.raises(UserError) as refused:
        view.make_lab(replace(ViewParams(), **{field: value}), "")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("given", "sentence"),
    [({"batch": 1024, "kernels": 64}, "time or memory"), ({"batch": 256, "kernels": 16, "unroll": 10}, "memory"),
     ({"batch": 1024, "k": 20, "unroll": 1}, "time"), ({"spectral": True, "clip": 0.1}, "choose one")],
)  # fmt: skip
def test_what_would_starve_other_visitors_or_does_nothing_is_refused(given: dict, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        replace(ViewParams(), **given)


def test_a_link_with_a_bad_number_is_refused_in_words() -> None:
    with pytest.raises(UserError, match="k"):
        links.restore(ViewParams, "gan.lab", {"view": "lab", "k": "many"})


def test_a_preset_stays_lit_as_long_as_the_lab_is_its(tmp_path: Path) -> None:
    """The preset comes with the lab: an answer of its own might be late."""
    with gr.Blocks() as page:
        view = lab.GANLabView(Paths(tmp_path, tmp_path))
        view.bind(page)
    fields = dataclasses.asdict(lab.preset_params(lab.FIRST))
    for values, expected in ((fields, lab.FIRST), (fields | {"r1": 0.5}, None)):
        assert view.restart(None, *values.values())[view.outputs.index(view.preset)] == expected
    name = next(name for name in PRESETS if name != lab.FIRST)
    assert view.choose(name, None, "ring", 0)[view.outputs.index(view.preset)] == name
    setting = [event for event in page.fns.values() if event.fn and view.preset in event.outputs]
    assert [view.requests in event.inputs for event in setting].count(True) == 3
    assert len(setting) == 4, "a change, a new seed, a preset and the opening of the page"
