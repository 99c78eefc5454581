"""The shipped results: what they say was measured is what the evaluation would measure again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from playground.datasets import mnist
from playground.runtime import checkpoint
from playground.runtime import results as shipped_results
from playground.runtime.checkpoint import WEIGHTS, JSONObject
from train.evaluation import evaluate, lab_presets, results, sample_quality
from train.evaluation.results import Measurement

RECORDS = results.read(WEIGHTS / shipped_results.FILE)
SIZES = (200, 1_000, 2_000, 10_000)  # of the sets that were measured


def identity(record: JSONObject) -> JSONObject:
    return {key: value for key, value in record.items() if key != "figures"}


def of_digits(n: int) -> Iterator[Measurement]:
    """The measurements of digits, whose judge is not needed before they are taken."""
    judge = object.__new__(sample_quality.Judge)
    judge.dataset, judge.sha256 = mnist.DATASET, checkpoint.sha256(WEIGHTS / "judge-digits.safetensors")
    labels = torch.zeros(60_000, dtype=torch.long)
    yield from sample_quality.real_measurements(judge, labels[:, None], labels, n)
    for path in checkpoint.find(WEIGHTS):
        if path.stem.startswith(("ddpm-digits", "vae-digits", "gan-digits")):
            yield from sample_quality.checkpoint_measurements(judge, path, labels, n, 3)


def of_recipes(n: int) -> Iterator[Measurement]:
    for path in checkpoint.find(WEIGHTS):
        recipe = evaluate._recipe(path)
        if hasattr(recipe, "measurements"):
            yield from recipe.measurements(path, Path("nowhere"), n, WEIGHTS)


def test_the_results_of_the_lab_are_those_of_its_presets() -> None:
    measured = [identity(record) for record in RECORDS if record["table"] == lab_presets.NAME]
    expected = [measurement.identity for measurement in lab_presets.measurements(2_500, 10)]
    assert sorted(map(repr, measured)) == sorted(map(repr, expected))


@pytest.mark.parametrize("table", {record["table"] for record in RECORDS} - {lab_presets.NAME, "likelihood", "stacked"})
def test_the_results_of_shipped_checkpoints_are_current(table: str) -> None:
    make = of_digits if table == "digits" else of_recipes
    expected = [measurement.identity for n in SIZES for measurement in make(n)]
    shipped = [path.stem for path in checkpoint.find(WEIGHTS)] + ["real digits"]
    measured = [identity(record) for record in RECORDS if record["table"] == table and record["checkpoint"] in shipped]
    assert measured
    assert [record for record in measured if record not in expected] == []


def test_the_tables_are_those_of_the_measurements() -> None:
    assert shipped_results.read(WEIGHTS)["tables"] == results.tables(RECORDS)


def test_stacked_digits_were_read_by_the_shipped_judge() -> None:
    judges = {record["judge"] for record in RECORDS if record["table"] == "stacked"}
    assert judges == {checkpoint.sha256(WEIGHTS / "judge-digits.safetensors")}
