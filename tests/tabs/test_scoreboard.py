"""The scoreboard: what it reads, how it sorts, links and saves, and its words."""

import csv
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from shipped import GAN, SHIPPED

from playground.runtime import checkpoint
from playground.runtime.checkpoint import WEIGHTS
from playground.runtime.paths import Paths
from playground.runtime.results import FILE
from playground.runtime.validation import UserError
from playground.tabs.compare import figures, scoreboard
from playground.web import table
from playground.web.table import Cell, Column

FLOW = "flow-digits"


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


def test_the_scoreboard_says_in_words_how_pictures_were_made() -> None:
    by_row = {row.row: row for row in figures.read(SHIPPED)}
    words = {name: scoreboard.table_row(row).cells[1].text for name, row in by_row.items()}
    assert words["ddim-20-eta1-w1.5"] == "DDIM, 20 steps, η = 1, w = 1.5"
    assert words["dpm-10"] == "DPM-Solver++, 10 steps"
    assert not words.keys() & {*words.values()}, "no row is shown by its name in the file"
    assert "two sets of real digits" in scoreboard.describe_row(by_row[figures.FLOOR])
    assert "two sets of real digits" not in scoreboard.describe_row(by_row["samples"])


def test_the_command_that_measures_again_names_a_file_with_a_space() -> None:
    row = figures.Row("my model", "ddpm", "score: annealed", "", 10_000, 3, {}, False)
    words = shlex.split(row.command)
    assert words == ["python", "-m", "train", "evaluate", "my model", "--only", "score: annealed", "--again"]
