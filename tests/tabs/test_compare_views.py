"""What the tab that compares the families reads, measures and sorts."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from torch import nn

from playground.runtime import checkpoint, inference
from playground.runtime.checkpoint import WEIGHTS
from playground.runtime.paths import Paths
from playground.runtime.results import FILE
from playground.runtime.turns import Turns as RunTurns
from playground.runtime.validation import UserError
from playground.tabs.compare import figures, judge, lanes, request, scoreboard
from playground.tabs.compare.lanes import Lane
from playground.tabs.compare.participants import PARTICIPANTS, Request
from playground.tabs.compare.race import Runner, Standing, count_items, prepare, race
from playground.tabs.ddpm import readings
from playground.web import links, table
from playground.web.stop import UnderWay, keep_run
from playground.web.table import Cell, Column

GAN, FLOW = "gan-digits-conditional", "flow-digits"
SHIPPED = Paths(WEIGHTS, Path("data"))


def entry(name: str, row: str, n: int = 10, **values: object) -> dict[str, Any]:
    return {"checkpoint": name, "row": row, "n": n, "seeds": 2, **values}


def write_results(folder: Path, tables: dict[str, list[dict[str, Any]]]) -> Paths:
    """Write tables, and a measurement of each of their rows, into a folder."""
    sha256 = checkpoint.sha256(WEIGHTS / f"{GAN}.safetensors")
    records = [
        {**row, "table": name, "settings": f"of {row['row']}", "seed": 0, "sha256": sha256}
        for name, rows in tables.items()
        for row in rows
    ]
    (folder / FILE).write_text(json.dumps({"tables": tables, "measurements": records}))
    return Paths(folder, folder)


def test_rows_are_those_of_the_file_with_the_family_and_the_state_of_each_checkpoint(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS / f"{GAN}.safetensors", tmp_path)
    shutil.copy(WEIGHTS / f"{FLOW}.safetensors", tmp_path)
    paths = write_results(
        tmp_path,
        {
            "digits": [
                entry(figures.REAL, "floor"),
                entry(figures.REAL, "blurred 3x3"),
                entry(GAN, "samples", coverage={"mean": 0.5, "std": 0.25}),
                entry("elsewhere", "samples", n=7),
            ],
            "flow": [entry(FLOW, "test digits", bits_tight={"mean": 1.5})],
            "prompts": [entry("text", "floor")],
        },
    )
    rows = figures.read(paths)
    assert [(row.checkpoint, row.family) for row in rows] == [
        (figures.REAL, "real"), (GAN, "gan"), ("elsewhere", ""), (FLOW, "normalizing_flow"),
    ]  # fmt: skip
    assert rows[1].figures == {"coverage": (0.5, 0.25)}
    assert rows[3].figures == {"bits_tight": (1.5, None)}
    assert rows[1].settings == "of samples"
    assert [row.changed for row in rows] == [False, False, False, True], "the flow was another when it was measured"
    assert rows[1].why_missing("bits_tight") == "no likelihood"
    assert rows[1].command == f"python -m train evaluate {GAN} --n 10 --seeds 2 --only samples --again"
    (tmp_path / f"{FLOW}.safetensors").unlink()
    assert figures.read(paths)[3].family == "", "a file that went away is noticed"


def test_a_folder_without_results_or_with_damaged_ones_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no .*evaluate\.json: `python -m train evaluate`"):
        figures.read(Paths(tmp_path, tmp_path))
    for text in ("{", "[]", '{"tables": {"digits": [{}]}, "measurements": []}', '{"tables": 1, "measurements": [2]}'):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(UserError, match="is damaged"):
            figures.read(Paths(tmp_path, tmp_path))


def test_results_without_digits_get_a_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"tables": {"prompts": []}, "measurements": []}')
    with pytest.raises(UserError, match="hold no digits yet"):
        figures.read(Paths(tmp_path, tmp_path))


def test_the_saved_scoreboard_holds_the_figures_of_the_file_in_the_order_on_show(tmp_path: Path) -> None:
    path, params = tmp_path / "scoreboard.csv", scoreboard.ViewParams("coverage", descending=True)
    scoreboard.write_csv(path, figures.read(SHIPPED), params)
    with path.open(encoding="utf-8") as file:
        saved = list(csv.DictReader(file))
    results = json.loads((WEIGHTS / FILE).read_text())["tables"]
    by_key = {(e["checkpoint"], e["row"], str(e["n"])): e for name in figures.TABLES for e in results[name]}
    for row in saved:
        written = by_key[row["checkpoint"], row["row"], row["n"]]
        for name in scoreboard.FIGURES:
            spread = written.get(name, {})
            assert row[name] == str(spread.get("mean", ""))
            assert row[f"{name} std"] == str(spread.get("std", ""))
    coverage = [float(row["coverage"]) for row in saved if row["coverage"]]
    assert coverage == sorted(coverage, reverse=True)
    assert saved[-1]["checkpoint"] == FLOW, "which has none"
    assert {row["checkpoint"] for row in saved} >= {"vae-digits", "ddpm-digits", GAN, FLOW, figures.REAL}


def test_the_scoreboard_restores_a_link_and_names_what_is_wrong_with_one() -> None:
    view = scoreboard.ScoreboardView.__new__(scoreboard.ScoreboardView)
    view.paths = SHIPPED
    key = f"{GAN}, samples, 10000"
    packed, about, command, link = view.values(scoreboard.ViewParams("recall", True, key))
    assert (packed["sort"], packed["descending"], packed["picked"]) == ("recall", True, key)  # type: ignore[index]
    assert "3 sets of 10,000 pictures" in str(about)
    assert str(command).startswith(f"python -m train evaluate {GAN}")
    assert link["link"]["row"] == key  # type: ignore[index]
    with pytest.raises(UserError, match="no row 'nothing'"):
        view.values(scoreboard.ViewParams(row="nothing"))
    for value in (None, "x", {"sort": "size"}, {"sort": "recall", "descending": 1, "picked": ""}, {"sort": ["recall"]}):
        with pytest.raises(UserError):
            scoreboard.params_of(value)


def test_rows_without_a_value_come_last_either_way() -> None:
    columns = [Column("name", "Name", ""), Column("size", "Size", "")]
    values = {"a": 2.0, "b": None, "c": 1.0}
    rows = [table.Row(name, [Cell(name, name), Cell("", value)]) for name, value in values.items()]
    assert [row.key for row in table.sort_rows(columns, rows, "size", False)] == ["c", "a", "b"]
    assert [row.key for row in table.sort_rows(columns, rows, "size", True)] == ["a", "c", "b"]
    assert [row.key for row in table.sort_rows(columns, rows, "name", True)] == ["c", "b", "a"]


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
    p[0, 0, 0], p[1, 0, 7], p[2, 0, 7] = 0.95, 0.95, 0.5
    monkeypatch.setattr(readings, "load_classifier", lambda paths, data: nn.Identity())
    monkeypatch.setattr(readings, "classify", lambda model, images: p)
    images = np.zeros((3, 32, 32, 1), np.uint8)

    def describe(label: int | None, has_classes: bool) -> str:
        return judge.describe(SHIPPED, images, Request(3, label, 0), has_classes)

    assert describe(7, True) == "A classifier reads 2 of 3 as 7."
    assert describe(None, True) == "A classifier reads 1 of 3 as the digits asked for."
    assert describe(7, False) == "A classifier reads 0, 7 (2); it is sure of 2 of 3."
    monkeypatch.setattr(readings, "load_classifier", lambda paths, data: None)
    assert describe(7, True) == ""


def test_a_missing_checkpoint_stands_in_its_lane(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS / f"{GAN}.safetensors", tmp_path)
    race = request.Race(Paths(tmp_path, tmp_path), request.ViewParams(n=1, who="vae,gan"))
    for _ in race.run():
        race.update()
    assert "vae-digits is missing" in race.lanes["vae"].error
    assert race.lanes["gan"].is_done
    *_, (n_done, html) = request.Race(race.paths, race.params).draw()
    assert n_done == 1
    assert "1 of 1 done" in html, "of those that take part"
    assert race.result().commands == f"python -m playground sample {GAN} --n 1 --weights {tmp_path} --out gan.png"
    assert race.result().render().startswith('<p class="note" aria-live=polite>1 picture of the ten digits')


def test_only_what_has_taken_a_step_is_drawn_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a race waits for other runs, its lanes stay as they are."""
    shutil.copy(WEIGHTS / f"{GAN}.safetensors", tmp_path)
    current, drawn = request.Race(Paths(tmp_path, tmp_path), request.ViewParams(n=1, who="gan")), []
    original = Runner.standing
    monkeypatch.setattr(Runner, "standing", lambda runner: drawn.append(runner.seconds) or original(runner))
    for _ in current.run():
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


def test_an_error_leaves_nothing_of_the_race_before(race_view: request.RequestView) -> None:
    run = race_view.sample("7", 99, ["gan"], "tab", 0)
    html, result, link, command = next(run)
    assert "Number of pictures" in html
    assert (result, link["link"], link["copied"], command) == (None, None, links.NOTHING, "")
    with pytest.raises(gr.Error):
        next(run)


def test_a_race_that_is_stopped_while_it_waits_leaves_the_one_before(
    race_view: request.RequestView, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, values = UnderWay(), ("7", 1, ["gan"], "tab", 0)
    *_, (html, result, *_) = keep_run(race_view.sample)(under_way, *values)
    assert 'data-live="false"' in html
    monkeypatch.setattr(inference, "PATIENCE", 0.01)
    monkeypatch.setattr(inference, "_turns", turns := RunTurns(1))
    with turns.start_run(1) as other:
        assert other.wait(0)
        run = keep_run(race_view.sample)(under_way, *values)
        next(run)  # the link
        assert "Waiting for the model" in next(run)[0]
        run.close()
        assert race_view.stop_run(under_way, result) == [html, *[gr.skip()] * 3]
