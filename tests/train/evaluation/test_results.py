"""What is kept of measurements, and their tables."""

from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from pathlib import Path

import pytest

from playground.runtime import results as results_of_page
from playground.runtime.validation import UserError
from train.evaluation import results
from train.evaluation.results import Measurement


def record(name: str, row: str, seed: int, frechet: float, coverage: float, **other: object) -> dict:
    identity = {"table": "digits", "checkpoint": name, "sha256": "a", "row": row, "settings": "", "n": 10, "seed": seed}
    return {**identity, "judge": "j", **other, "figures": {"frechet": frechet, "coverage": coverage}}


def entry(record: dict) -> Measurement:
    return Measurement({key: value for key, value in record.items() if key != "figures"}, dict)


def test_the_table_counts_in_floors_of_as_many_pictures() -> None:
    records = [record("real digits", "floor", 0, 1.5, 0.9), record("real digits", "floor", 1, 2.5, 0.7)]
    records += [record("model", "fast", 0, 4.0, 0.4), record("model", "fast", 1, 8.0, 0.4)]
    floor, fast = results.tables(records)["digits"]
    assert floor["frechet_x_real"]["mean"] == 1
    assert fast["frechet"]["mean"] == 6
    assert fast["frechet_x_real"] == {"mean": 3, "std": pytest.approx(sqrt(2))}
    assert fast["coverage"]["mean"] == pytest.approx(0.4)
    assert fast["coverage_x_real"]["mean"] == pytest.approx(0.5)
    assert fast["seeds"] == 2
    assert "| 0.4000 ± 0.0000 | 3.00 ± 1.41 |" in results.markdown({"digits": [floor, fast]})


def test_a_figure_that_not_every_seed_has_is_left_out() -> None:
    records = [record("model", "fast", seed, 4.0, 0.4) for seed in (0, 1)]
    del records[1]["figures"]["coverage"]
    (row,) = results.tables(records)["digits"]
    assert row["frechet"]["mean"] == 4
    assert "coverage" not in row


def test_a_table_without_a_floor_counts_as_it_is_and_one_seed_has_no_spread() -> None:
    (row,) = results.tables([record("model", "fast", 0, 4.0, 0.4, table="other")])["other"]
    assert row["frechet"] == {"mean": 4}
    assert not {"frechet_x_real", "coverage_x_real"} & row.keys()
    assert "| model | fast | 10 | 1 | 4.00 | 0.4000 |" in results.markdown({"other": [row]})


def test_rows_may_lack_what_the_floor_has_and_the_other_way_round() -> None:
    floor = {**record("real digits", "floor", 0, 2.0, 0.9), "figures": {"frechet": 2.0}}
    prompt_set = {**record("model", "asked", 0, 0.0, 0.0), "figures": {"name": 0.5, "coverage": 0.3}}
    rows = results.tables([floor, record("model", "drawn", 0, 4.0, 0.4), prompt_set])["digits"]
    assert [row.get("frechet_x_real") for row in rows] == [{"mean": 1}, {"mean": 2}, None]
    assert all("coverage_x_real" not in row for row in rows)


def test_a_checkpoint_with_a_floor_of_its_own_counts_in_that_one() -> None:
    records = [record("real digits", "floor", 0, 1.0, 1.0), record("plain", "fast", 0, 6.0, 0.4)]
    for name, floor in (("one", 2.0), ("two", 3.0)):
        records += [record(name, "floor", 0, floor, 1.0), record(name, "fast", 0, 6.0, 0.4)]
    ratios = {
        (row["checkpoint"], row["row"]): row["frechet_x_real"]["mean"] for row in results.tables(records)["digits"]
    }
    assert [ratios[name, "fast"] for name in ("plain", "one", "two")] == [6, 3, 2]
    assert {ratio for (_, row), ratio in ratios.items() if row == "floor"} == {1}


OLD = record("model", "fast", 0, 4.0, 0.4)


@pytest.mark.parametrize("change", [{"seed": 1}, {"n": 20}, {"row": "slow"}, {"checkpoint": "other"}, {"table": "x"}])
def test_another_measurement_stands_beside_the_old(change: dict) -> None:
    new = entry({**OLD, **change})
    assert not results.is_measured(new, [OLD])
    assert results.drop_outdated(new, [OLD]) == [OLD]


@pytest.mark.parametrize(
    "change", [{"sha256": "b", "row": "slow"}, {"settings": "s", "seed": 1}, {"judge": "k", "row": "x"}]
)
def test_what_has_changed_since_goes(change: dict) -> None:
    new = entry({**OLD, **change})
    assert not results.is_measured(new, [OLD])
    assert results.drop_outdated(new, [OLD]) == []


def test_the_same_is_known_and_measured_again_replaces_itself(tmp_path) -> None:
    assert results.is_measured(entry(OLD), [OLD])
    assert results.drop_outdated(entry(OLD), [OLD]) == []
    path = tmp_path / "results" / "evaluate.json"
    assert results.read(path) == []
    for frechet in (3.0, 4.0):
        results.save_figures(path, entry(OLD), {"frechet": frechet, "coverage": 0.4})
    assert results.read(path) == [OLD]


def test_details_are_kept_but_not_in_tables(tmp_path: Path) -> None:
    path, details = tmp_path / "evaluate.json", {"owl": 3.0, "cat": 5.0}
    results.save_figures(path, entry(OLD), {"frechet": 3.0, "error_by_emoji": details})
    assert results.read(path)[0]["figures"]["error_by_emoji"] == details
    (rows,) = results.tables(results.read(path)).values()
    assert "error_by_emoji" not in rows[0]
    assert rows[0]["frechet"] == {"mean": 3.0}


def test_two_processes_lose_none_of_each_other(tmp_path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for seed in range(40):
            pool.submit(results.save_figures, tmp_path / "evaluate.json", entry({**OLD, "seed": seed}), OLD["figures"])
    assert {record["seed"] for record in results.read(tmp_path / "evaluate.json")} == set(range(40))


def test_damaged_results_are_one_sentence_here_and_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "evaluate.json").write_text('{"tables": ')
    with pytest.raises(UserError, match=r"evaluate\.json is damaged: move it away, and measure again") as here:
        results.read(tmp_path / "evaluate.json")
    with pytest.raises(UserError) as on_page:
        results_of_page.read(tmp_path)
    assert str(here.value) == str(on_page.value)
