"""python -m train evaluate [NAME ...]: measure the checkpoints, and print the tables of what was measured.

Samples of digits are judged (`train.judging`); what else there is to measure, the recipe of a family says by its own
`entries`. Every measurement is written as soon as it is there, and not made twice for the same file and settings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from typing import Any

from tqdm import tqdm
from tyro.conf import Positional

from playground import checkpoint
from playground.data import digits
from playground.validation import UserError
from train import judging, lab, results
from train.results import Entry


@dataclass(frozen=True)
class Options:
    """Measure checkpoints; prints tables and writes them as JSON.

    Attributes:
        names: of the checkpoints, all by default; or lab, for what its presets reach in the plane.
        only: rows, such as ddim-50 or "dpm-*"; all by default.
        n: pictures in a set of samples, and test pictures of a likelihood; the floor is of as many.
        seeds: sets of samples, whose mean and standard deviation are shown.
        again: also measure what was measured before.
        data: the folder of the data sets.
        weights: the folder of the checkpoints.
        judge: the checkpoint that judges digits.
        out: the results; a rerun adds to them.
    """

    names: Positional[tuple[str, ...]] = ()
    only: tuple[str, ...] = ()
    n: int = 10_000
    seeds: int = 3
    again: bool = False
    data: Path = Path("data")
    weights: Path = checkpoint.WEIGHTS
    judge: Path = judging.JUDGE
    out: Path = checkpoint.WEIGHTS / "evaluate.json"


def evaluate(options: Options) -> str:
    """Measure what is not measured yet; the tables of all results, as Markdown.

    Raises:
        UserError: there is nothing to measure of a checkpoint that is named.
    """
    wanted = [entry for entry in entries(options) if _wanted(entry, options)]
    idle = {*options.names} - {entry.identity["checkpoint"] for entry in wanted} - {lab.NAME}
    if idle:
        among = f" in the rows {', '.join(options.only)}" if options.only else ""
        raise UserError(
            f"there is nothing to measure of {', '.join(sorted(idle))}{among}: samples are judged of what has "
            '"-digits" in its name'
        )
    for entry in tqdm(wanted, desc="measurements"):
        if options.again or not results.known(entry, results.read(options.out)):
            results.keep(options.out, entry, entry.measure())
    return results.markdown(results.tables(results.read(options.out)))


def _wanted(entry: Entry, options: Options) -> bool:
    row, real = entry.identity["row"], entry.identity["checkpoint"] == judging.REAL_DIGITS
    return real or not options.only or any(fnmatch(row, pattern) for pattern in options.only)


def entries(options: Options) -> Iterator[Entry]:
    """All that there is to measure."""
    if lab.NAME in options.names:
        yield from lab.entries(options.n, options.seeds)
    found = {path: _recipe(path) for path in _checkpoints(options)}
    judged = [path for path, recipe in found.items() if hasattr(recipe, "evaluated") and "-digits" in path.stem]
    if judged or not options.names:
        judge = judging.Judge(options.judge, digits.load(options.data, "test", download=True)[0])
        yield from judging.entries(judged, judge, options.data, options.n, options.seeds)
    for path, recipe in found.items():
        if hasattr(recipe, "entries"):
            yield from recipe.entries(path, options.data, options.n)


def _checkpoints(options: Options) -> list[Path]:
    """Those named, or all."""
    if options.names:
        return [options.weights / f"{name}.safetensors" for name in options.names if name != lab.NAME]
    return checkpoint.find(options.weights)


def _recipe(path: Path) -> Any:
    """The module of the recipe of a checkpoint."""
    return import_module(f"train.{checkpoint.header(path).family}")
