"""What the tab that compares the families measures and sorts."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from shipped import GAN, SHIPPED
from torch import nn

from playground.runtime import checkpoint, inference
from playground.runtime.checkpoint import WEIGHTS
from playground.runtime.paths import Paths
from playground.runtime.turns import Turns as RunTurns
from playground.runtime.validation import UserError
from playground.tabs.compare import judge, lanes, request
from playground.tabs.compare.lanes import Lane
from playground.tabs.compare.participants import PARTICIPANTS, Request
from playground.tabs.compare.race import Runner, Standing, count_items, prepare, race
from playground.tabs.ddpm import readings
from playground.web import links
from playground.web.stop import UnderWay, Unfinished, keep_run


class Turns:
    """Runner whose steps take given times."""

    def __init__(self, *durations: float):
        self.left, self.seconds, self.is_done = list(durations), 0.0, False

    def advance(self) -> None:
        self.seconds += self.left.pop(0)
        self.is_done = not self.left


def test_the_clock_that_shows_least_runs_next() -> None:
    runners: Any = {"slow": Turns(3, 3), "fast": Turns(1, 1, 1, 1, 1)}
    assert "".join(name[0] for name in race(runners)) == "sfffsff"
    assert (runners["slow"].seconds, runners["fast"].seconds) == (6, 5)


def test_what_goes_through_the_layers_is_counted() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(self.used(x))

    model = Twice()
    items = count_items(model)
    model(torch.zeros(3, 2))
    assert items == {"used": 6}


@pytest.mark.parametrize(("name", "evaluations", "part"), [("vae", 1, "decoder"), ("gan", 1, "generator"),
                                                            ("flow", 1, "scales"), ("dpm", 10, "net")])  # fmt: skip
def test_a_participant_is_measured_while_it_runs(name: str, evaluations: int, part: str) -> None:
    runner = prepare(PARTICIPANTS[name], WEIGHTS, Request(1, 7, 0))
    assert runner.standing().evaluations == 0, "the clock and the counters start after the warm-up"
    for _ in race({name: runner}):
        pass
    standing = runner.standing()
    assert standing.is_done
    assert standing.seconds > 0
    assert standing.evaluations == evaluations
    assert standing.images is not None
    assert standing.images.shape == (1, 32, 32, 1)
    assert standing.size == runner.path.stat().st_size
    whole = sum(p.numel() for p in runner.model.parameters())
    sampling = sum(p.numel() for p in runner.model.get_submodule(part).parameters())
    assert standing.parameters == (whole if name == "dpm" else sampling)
    shared = checkpoint.load_shared(runner.path)
    assert not any(module._forward_hooks for module in shared.modules()), "other visitors' models count nothing"


def standing(seconds: float, is_done: bool, **others: Any) -> Standing:
    fields = {"progress": 0.5, "images": None, "evaluations": 1, "parameters": 1, "size": 1, "has_classes": False}
    return Standing(**{**fields, "seconds": seconds, "is_done": is_done, **others})


def test_a_place_is_known_once_no_other_can_be_faster() -> None:
    vae, gan, flow = (Lane(PARTICIPANTS[name], standing(seconds, done)) for name, seconds, done in
                      (("vae", 2.0, True), ("gan", 1.0, False), ("flow", 3.0, False)))  # fmt: skip
    assert lanes.place({"vae": vae, "gan": gan, "flow": flow}, "vae") is None
    gan = Lane(gan.participant, standing(1.5, True))
    assert lanes.place({"vae": vae, "gan": gan, "flow": flow}, "vae") == 2
    assert lanes.place({"vae": vae, "gan": gan, "flow": flow}, "flow") is None


def test_lanes_are_sorted_by_what_was_measured_and_the_unfinished_are_last() -> None:
    by_name = {
        "vae": Lane(PARTICIPANTS["vae"], standing(1, True, parameters=30)),
        "gan": Lane(PARTICIPANTS["gan"], standing(1, True, parameters=20)),
        "flow": Lane(PARTICIPANTS["flow"], standing(1, False, parameters=10)),
        "dpm": Lane(PARTICIPANTS["dpm"], error="missing"),
    }
    assert lanes.sort_lanes(by_name, "parameters") == ["gan", "vae", "flow", "dpm"]
    assert lanes.sort_lanes(dict(reversed(by_name.items())), "tab") == ["vae", "gan", "flow", "dpm"]
    html = lanes.render(by_name, "parameters", True, "<b>")
    assert html.index('data-lane="gan"') < html.index('data-lane="vae"')
    assert "&lt;b&gt;" in html
    assert html.count(lanes.NO_CLASSES) == 3, "of those that stand"


def test_what_the_classifier_reads_is_held_against_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    p = torch.zeros(3, 1, 10)
    p[0, 0, 7], p[1, 0, 1], p[2, 0, 7] = 0.95, 0.95, 0.5
    monkeypatch.setattr(readings, "load_classifier", lambda paths, data: nn.Identity())
    monkeypatch.setattr(readings, "classify", lambda model, images: p)
    images = np.zeros((3, 32, 32, 1), np.uint8)

    def describe(label: int | None, has_classes: bool) -> str:
        return judge.describe(SHIPPED, images, Request(3, label, 0), has_classes)

    assert describe(7, True) == "A classifier reads 2 of 3 as 7."
    assert describe(None, True) == "A classifier reads 1 of 3 as the digits asked for."
    assert describe(7, False) == "A classifier reads 7, 1, 7; it is sure of 2 of 3."
    monkeypatch.setattr(readings, "load_classifier", lambda paths, data: None)
    assert describe(7, True) == ""


def test_a_missing_checkpoint_stands_in_its_lane(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS / f"{GAN}.safetensors", tmp_path)
    race = request.Race(Paths(tmp_path, tmp_path), request.ViewParams(n=1, who="vae,gan"))
    for _ in race.items():
        race.update()
    assert "vae-digits is missing" in race.lanes["vae"].error
    assert race.lanes["gan"].is_done
    race.step = 0  # as if Stop came before the last step was shown
    _, _, link, _ = Unfinished(race, lambda: request.RequestView.values(race.result())).stop()
    assert link["copied"] == links.COPIED, "it is whole"
    again = request.Race(race.paths, race.params)
    *_, html = filter(None, map(again.show, again.items()))
    assert again.step == again.steps == 1
    assert "1 of 1 done" in html, "of those that take part"
    assert race.result().commands == f"python -m playground sample {GAN} --n 1 --weights {tmp_path} --out gan.png"
    assert race.result().render().startswith('<p class="caption" aria-live=polite>1 picture each, seed 0<')


def test_a_race_that_is_stopped_shows_how_far_each_came(tmp_path: Path) -> None:
    for name in (GAN, "vae-digits"):
        shutil.copy(WEIGHTS / f"{name}.safetensors", tmp_path)
    current = request.Race(Paths(tmp_path, tmp_path), request.ViewParams(n=1, who="vae,gan"))
    run = current.items()
    assert [next(run) for _ in range(2)] == ["vae", "gan"]
    assert all(lane.standing for lane in current.result().lanes.values()), "though nothing was drawn yet"
    assert "Not started." in lanes.render({"gan": Lane(PARTICIPANTS["gan"])}, "tab", False, "")


def test_only_what_has_taken_a_step_is_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a race waits for other runs, its lanes stay as they are."""
    shutil.copy(WEIGHTS / f"{GAN}.safetensors", tmp_path)
    current, drawn = request.Race(Paths(tmp_path, tmp_path), request.ViewParams(n=1, who="gan")), []
    original = Runner.standing
    monkeypatch.setattr(Runner, "standing", lambda runner: drawn.append(runner.seconds) or original(runner))
    for _ in current.items():
        current.update()
        current.update()
        assert bool(current.result().commands) == current.lanes["gan"].is_done, "of pictures that are there"
    assert len(drawn) == len(set(drawn)) > 2
    assert current.lanes["gan"].is_done


def test_what_cannot_be_asked_is_refused() -> None:
    good = ("7", 3, ["gan"], "tab", 0)
    assert request.ViewParams.of(*good).request == Request(3, 7, 0)
    for i, value in ((0, "11"), (0, 7), (1, 21), (1, None), (2, []), (2, ["nobody"]), (2, "gan"), (3, "age"), (4, -1)):
        with pytest.raises(UserError):
            request.ViewParams.of(*good[:i], value, *good[i + 1 :])


@pytest.fixture
def race_view(tmp_path: Path) -> request.RequestView:
    shutil.copy(WEIGHTS / f"{GAN}.safetensors", tmp_path)
    with gr.Blocks():
        return request.RequestView(Paths(tmp_path, tmp_path))


def test_an_error_leaves_the_race_before(race_view: request.RequestView) -> None:
    *_, before = race_view.sample(None, "7", 1, ["gan"], "tab", 0)
    for result in (None, before[1]):
        run = race_view.sample(result, "7", 99, ["gan"], "tab", 0)
        html, *others = next(run)
        assert "Number of pictures" in html
        assert ("The previous run is shown." in html) == ("<img" in html) == bool(result)
        assert ("<div data-stale>" in html) == bool(result), "it is of other settings than those of the controls"
        assert others == (before[1:] if result else [None, links.nothing("compare"), gr.skip()])
        with pytest.raises(gr.Error):
            next(run)


def test_a_race_that_is_stopped_while_it_waits_leaves_the_one_before(
    race_view: request.RequestView, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, values = UnderWay(), ("7", 1, ["gan"], "tab", 0)
    *_, (_, result, *_) = keep_run(race_view.sample)(under_way, None, *values)
    monkeypatch.setattr(inference, "PATIENCE", 0.01)
    monkeypatch.setattr(inference, "_turns", turns := RunTurns(1))
    with turns.start_run(1) as other:
        assert other.wait(0)
        run = keep_run(race_view.sample)(under_way, result, *values)
        next(run)  # the link
        assert "Waiting for the model" in next(run)[0]
        run.close()
        html, *others = race_view.values(result)
        assert race_view.stop_run(under_way, result, *values) == [html, *others]
        changed = "8", *values[1:]
        assert race_view.stop_run(under_way, result, *changed) == [f"<div data-stale>{html}</div>", *others]
        html, sorted_result, *_ = race_view.sort_lanes(result, "seconds", *changed[:3], "seconds", 0)
        assert html.startswith("<div data-stale>"), "it is still of other settings"
        assert sorted_result.params == replace(result.params, sort="seconds")
