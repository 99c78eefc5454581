"""Measurements and their tables: each is written to disk as soon as it is there, and not made twice."""

import json
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

MEASURED = Path("runs/measured")  # checkpoints that are measured for the tables and not shipped
Record = dict[str, Any]  # the identity of an entry, and its "figures"

# Figures that tables add, as multiples of what the row "floor" of the same n has: each of which other figure.
OF_FLOOR = {"frechet_in_floors": "frechet", "coverage_of_floor": "coverage"}


class Entry(NamedTuple):
    """Something to measure.

    Attributes:
        identity: what it is, as JSON: table, checkpoint, sha256 of its file, row, settings, n, seed, and more.
        measure: makes the figures.
    """

    identity: dict[str, Any]
    measure: Callable[[], dict[str, float]]


def read(path: Path) -> list[Record]:
    """The measurements in a file; none if there is no such file."""
    return json.loads(path.read_text())["measurements"] if path.exists() else []


def keep(path: Path, entry: Entry, figures: dict[str, float]) -> None:
    """Add a measurement to those in a file, and their tables; never half a file, and none of another process lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        records = [*without(entry, read(path)), {**entry.identity, "figures": figures}]
        unfinished = path.with_suffix(".partial")
        unfinished.write_text(json.dumps({"tables": tables(records), "measurements": records}, indent=1) + "\n")
        unfinished.replace(path)


def known(entry: Entry, records: Iterable[Record]) -> bool:
    """Whether it was measured before."""
    return any(entry.identity.items() <= record.items() for record in records)


def without(entry: Entry, records: Iterable[Record]) -> list[Record]:
    """The measurements that stand beside a new one: of no file, row or judge that has changed, nor the very same."""

    def replaced(old: Record) -> bool:
        def same(*keys: str) -> bool:
            return all(entry.identity.get(key) == old.get(key) for key in keys)

        changed = same("row") and (not same("settings") or same("n", "seed"))
        return same("table") and (not same("judge") or (same("checkpoint") and (not same("sha256") or changed)))

    return [record for record in records if not replaced(record)]


def tables(records: Iterable[Record]) -> dict[str, list[dict[str, Any]]]:
    """For each table a line for each checkpoint, row and n: mean and standard deviation of its figures over seeds."""
    groups: dict[tuple[str, str, str, int], list[dict[str, float]]] = {}
    for record in records:
        key = (record["table"], record["checkpoint"], record["row"], record["n"])
        groups.setdefault(key, []).append(record["figures"])
    floors = {(table, n): group for (table, _, row, n), group in groups.items() if row == "floor"}
    made: dict[str, list[dict[str, Any]]] = {}
    for (table, name, row, n), group in groups.items():
        group = [in_floors(figures, floors.get((table, n), [])) for figures in group]
        common = [figure for figure in group[0] if all(figure in figures for figures in group)]
        spread = {figure: _spread([figures[figure] for figures in group]) for figure in common}
        made.setdefault(table, []).append({"checkpoint": name, "row": row, "n": n, "seeds": len(group), **spread})
    return made


def in_floors(figures: dict[str, float], floor: list[dict[str, float]]) -> dict[str, float]:
    """The figures, and those of `OF_FLOOR` as multiples of the floor's mean if there is a floor."""
    if not floor:
        return figures
    relative = {
        name: figures[of] / statistics.mean(each[of] for each in floor)
        for name, of in OF_FLOOR.items()
        if of in figures and all(of in each for each in floor)
    }
    return {**figures, **relative}


def _spread(values: list[float]) -> dict[str, float]:
    mean = {"mean": statistics.mean(values)}
    return {**mean, "std": statistics.stdev(values)} if len(values) > 1 else mean  # one value has no spread


def markdown(made: dict[str, list[dict[str, Any]]]) -> str:
    """What `tables` makes, as Markdown."""
    return "\n\n".join(f"{name}\n\n{_markdown(rows)}" for name, rows in made.items())


def _markdown(rows: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [[column.replace("_", " ") for column in columns], ["---"] * len(columns)]
    lines += [[_cell(row.get(column, "")) for column in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    places = 4 if value["mean"] <= 1.5 else 2
    return " ± ".join(f"{part:.{places}f}" for part in value.values())
