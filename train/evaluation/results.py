"""Measurements, the file that stores their results, and the tables of these."""

import json
import statistics
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock

from playground.runtime import files
from playground.runtime.checkpoint import JSONObject
from playground.runtime.results import read_file

MEASURED_FOLDER = Path("runs/measured")  # checkpoints that are measured for the tables but not shipped
Record = JSONObject  # the identity of a measurement, and its "figures"
Figures = Mapping[str, float | dict[str, float]]  # by name; what is a dictionary is detail, which tables leave out
Rows = list[JSONObject]  # of a table: checkpoint, row, n, seeds, and mean and deviation of each figure
REAL = "real"  # stands, with the name of the data set, in place of a checkpoint's name

# Figures that the tables add: the ratio of another figure to that of as many real pictures, the row "floor":
# that of the checkpoint itself, where it is compared with pictures of its own, or that of the data set.
REAL_RATIOS = {"frechet_x_real": "frechet", "coverage_x_real": "coverage"}


class Measurement(NamedTuple):
    """Measurement to take."""

    identity: JSONObject  # JSON of its table, checkpoint, sha256 of the file, row, settings, n, seed and more
    measure: Callable[[], Figures]


def read(path: Path) -> list[Record]:
    """Return the measurements in a file, none if there is no such file; raise UserError if it is damaged."""
    return read_file(path)["measurements"] if path.exists() else []


def save_figures(path: Path, measurement: Measurement, figures: Figures) -> None:
    """Add the figures of a measurement to a file and its tables, atomically and safe from other processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        records = [*drop_outdated(measurement, read(path)), {**measurement.identity, "figures": figures}]
        with files.atomic_write(path) as file:
            file.write(json.dumps({"tables": tables(records), "measurements": records}, indent=1).encode() + b"\n")


def is_measured(measurement: Measurement, records: Iterable[Record]) -> bool:
    """Return true if a measurement is among the records."""
    return any(measurement.identity.items() <= record.items() for record in records)


def drop_outdated(measurement: Measurement, records: Iterable[Record]) -> list[Record]:
    """Drop the records that a measurement replaces: the same one, or one of a file, row or judge that has changed."""

    def replaced(old: Record) -> bool:
        def same(*keys: str) -> bool:
            return all(measurement.identity.get(key) == old.get(key) for key in keys)

        changed = same("row") and (not same("settings") or same("n", "seed"))
        return same("table") and (not same("judge") or (same("checkpoint") and (not same("sha256") or changed)))

    return [record for record in records if not replaced(record)]


def tables(records: Iterable[Record]) -> dict[str, Rows]:
    """Return the tables by name: for each checkpoint, row and n, mean and standard deviation of figures over seeds."""
    groups: dict[tuple[str, str, str, int], list[dict[str, float]]] = {}
    for record in records:
        key = (record["table"], record["checkpoint"], record["row"], record["n"])
        figures = {name: value for name, value in record["figures"].items() if not isinstance(value, dict)}
        groups.setdefault(key, []).append(figures)
    floors = {(table, name, n): group for (table, name, row, n), group in groups.items() if row == "floor"}
    by_table: dict[str, Rows] = {}
    for (table, name, row, n), group in groups.items():
        floor = floors.get((table, name, n)) or floors.get((table, f"{REAL} {table}", n), [])
        group = [relative_to_real(figures, floor) for figures in group]
        common = [figure for figure in group[0] if all(figure in figures for figures in group)]
        spread = {figure: _spread([figures[figure] for figures in group]) for figure in common}
        by_table.setdefault(table, []).append({"checkpoint": name, "row": row, "n": n, "seeds": len(group), **spread})
    return by_table


def relative_to_real(figures: dict[str, float], floor: list[dict[str, float]]) -> dict[str, float]:
    """Return the figures and, if real pictures were measured too, those of `REAL_RATIOS` as multiples of their mean."""
    if not floor:
        return figures
    ratios = {
        ratio: figures[name] / statistics.mean(floor_figures[name] for floor_figures in floor)
        for ratio, name in REAL_RATIOS.items()
        if name in figures and all(name in floor_figures for floor_figures in floor)
    }
    return {**figures, **ratios}


def _spread(values: list[float]) -> dict[str, float]:
    mean = {"mean": statistics.mean(values)}
    return {**mean, "std": statistics.stdev(values)} if len(values) > 1 else mean  # a single value has no deviation


def markdown(by_table: dict[str, Rows]) -> str:
    """Format tables as Markdown."""
    return "\n\n".join(f"{name}\n\n{_markdown(rows)}" for name, rows in by_table.items())


def _markdown(rows: Rows) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [[column.replace("_", " ") for column in columns], ["---"] * len(columns)]
    lines += [[_cell(row.get(column, "")) for column in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    if not isinstance(value, dict):
        return str(value)
    places = 4 if value["mean"] <= 1.5 else 2
    return " ± ".join(f"{part:.{places}f}" for part in value.values())
