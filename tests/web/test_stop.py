"""A run that is stopped stays, and says so; what comes after it is as before."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from playground.families import ddpm
from playground.runtime import checkpoint, inference
from playground.runtime.paths import Paths
from playground.runtime.turns import Place, Turns
from playground.tabs.ddpm import runs
from playground.tabs.ddpm.reverse import NAMES, ReverseView
from playground.tabs.ddpm.runs import ViewParams
from playground.web import export, links, live_run, run_view, stop
from playground.web.stop import UnderWay, keep_run

PARAMS = ViewParams(model="ddpm-digits", n=2, steps=12, seed=3)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [(Place(0, 2.4), "this run is next · about 2 s left"), (Place(3, 0.2), "3 runs before this one · about 1 s left")],
)
def test_a_run_that_waits_says_what_comes_first(place: Place, sentence: str) -> None:
    assert live_run.describe_place(place) == f"Waiting for the model: {sentence}"


@pytest.fixture
def reverse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReverseView:
    """The view of a tiny model, which shows every step."""
    monkeypatch.setattr(live_run, "PAUSE", -1)
    model = ddpm.Model(ddpm.Config(size=8, width=8, multipliers=(1,), blocks=1, emb_dim=8))
    checkpoint.save(tmp_path / "ddpm-digits.safetensors", model, {})
    with gr.Blocks():
        return ReverseView(Paths(tmp_path, tmp_path))


@pytest.fixture
def view(reverse: ReverseView) -> run_view.RunView:
    layout = reverse.layout
    with gr.Blocks():
        seed = layout.inputs[NAMES.index("seed")]
        return run_view.RunView(layout.stage, layout.buttons, layout.inputs, seed, reverse.outputs)


def start_run(reverse: ReverseView, under_way: UnderWay) -> Iterator:
    return keep_run(reverse.sample)(under_way, *reverse.values_of(PARAMS))


def test_a_run_that_waits_for_others_shows_its_place(reverse: ReverseView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "PATIENCE", 0.01)
    monkeypatch.setattr(inference, "_turns", turns := Turns(1))
    with turns.start_run(1) as other:
        assert other.wait(0)
        run = start_run(reverse, UnderWay())
        assert next(run)[0]["address"] == links.query("ddpm", PARAMS), "a reload goes on with it"
        stage, *others = next(run)
        assert stage["waiting"] == "Waiting for the model: 1 run before this one · about 1 s left"
        assert others == [gr.skip()] * 4
    assert "live" in next(value for value, *_ in run if "waiting" not in value)
    assert "following" in [*run][-1][0]


def test_a_stopped_run_stays_and_says_at_which_step(reverse: ReverseView, view: run_view.RunView) -> None:
    under_way = UnderWay()
    run = start_run(reverse, under_way)
    while next(run)[0].get("index") != 5:
        pass
    run.close()  # as Gradio cancels it
    stage, exportable, command, _, link = view.stop(under_way)
    assert (stage["frames"], stage["notice"]) == (6, "Stopped at step 5 of 12.")
    assert stage["stopped"]
    assert json.loads(stage["following"])["captions"][-1].startswith("step 5 of 12")
    assert len(exportable.marks) == len(exportable.strips[0]) == 6
    assert exportable.about["stopped"] == "stopped at step 5 of 12"
    assert "command" not in exportable.about, "the command would make other pictures"
    assert command.startswith("# stopped at step 5 of 12; this makes the whole run:\npython -m playground sample")
    assert link["copied"] == "Copied: the link makes the whole run"
    assert export.save_animation(exportable, 0)["name"] == "ddpm-digits-seed3.gif"


def test_a_run_waits_for_the_one_of_another_event(reverse: ReverseView, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a link's run is under way when Sample is pressed: of two at once, the older could come last and stay."""
    monkeypatch.setattr(stop, "PAUSE", 0.01)
    under_way = UnderWay()
    first, second = start_run(reverse, under_way), start_run(reverse, under_way)
    next(first)
    assert [next(second) for _ in range(2)] == [gr.skip()] * 2
    third = start_run(reverse, under_way)
    assert next(third) == gr.skip()
    third.close()  # Stop ends those that wait, too
    assert "following" in [*first][-1][0]
    assert "following" in [*second][-1][0]
    left = start_run(reverse, under_way)
    next(left)
    left.close()
    assert next(start_run(reverse, under_way)) != gr.skip()
    assert under_way.turn is not copy.deepcopy(under_way).turn, "every visitor has one"


def test_stop_before_a_run_begins_leaves_the_run_before(view: run_view.RunView) -> None:
    stage, *others = view.stop(UnderWay())
    assert set(stage) == {"stopped", "id", "at"}
    assert others == [gr.skip()] * 4


def test_a_run_that_ended_cannot_be_stopped(reverse: ReverseView, view: run_view.RunView) -> None:
    under_way = UnderWay()
    *_, (stage, exportable, command, _, link) = start_run(reverse, under_way)
    assert (stage["frames"], stage["notice"]) == (13, "")
    assert exportable.about["command"] == command
    assert link["copied"] == "Copied"
    assert set(view.stop(under_way)[0]) == {"stopped", "id", "at"}


def test_a_reload_in_mid_run_goes_on_with_it(reverse: ReverseView) -> None:
    evaluations = list[object]()
    model = runs.CHECKPOINTS.load(reverse.paths, PARAMS.model)
    model.net.register_forward_hook(lambda *_: evaluations.append(None))
    run = reverse.sample(*(int(value) if isinstance(value, float) else value for value in reverse.values_of(PARAMS)))
    while evaluations != [None] * 5:
        next(run)
    run.close()
    *_, (stage, *_) = reverse.sample_linked(PARAMS)
    assert (stage["frames"], len(evaluations)) == (13, 12)
