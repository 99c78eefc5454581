"""Figures of the evaluation, as the file beside the checkpoints holds them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from playground.export import media
from playground.runtime import checkpoint, files, results
from playground.runtime.checkpoint import Header, JSONObject
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError

REAL = "real digits"  # stands in place of a checkpoint in the rows of real pictures
FLOOR = "floor"  # row of real digits as they are; others, disturbed ones, calibrate the judge
TABLES = ("digits", "flow")  # of the file: judged samples of digits, and the likelihood of the flow
NOT_MEASURED = "not measured"
NO_CLASSES = "no classes"
# Why a family, by its name, has no figure of a kind.
REASONS = {
    ("gan", "bits_tight"): "no likelihood",
    ("vae", "bits_tight"): "not comparable",
    ("real", "bits_tight"): "no model",
    ("real", "samples_per_second"): "not sampled",
    ("gan", "accuracy"): NO_CLASSES,
    ("vae", "accuracy"): NO_CLASSES,
    ("normalizing_flow", "accuracy"): NO_CLASSES,
}


class Spread(NamedTuple):
    """Mean of a figure over sets of samples, and its standard deviation, None for a single set."""

    mean: float
    std: float | None


@dataclass(frozen=True)
class Row:
    """Row of the scoreboard.

    Attributes:
        checkpoint: Name of the checkpoint, or `REAL`.
        family: Name of its family, "" if the file is not in the folder.
        row: Name of the settings, which `settings` writes out.
        n, seeds: Pictures in a set of samples, and sets.
        figures: Spread of each figure by its name.
        changed: True if the checkpoint in the folder is not the one that was measured.
    """

    checkpoint: str
    family: str
    row: str
    settings: str
    n: int
    seeds: int
    figures: Mapping[str, Spread]
    changed: bool

    @property
    def command(self) -> str:
        """Return the command that measures the row again."""
        sets = f" --n {self.n} --seeds {self.seeds}" if (self.n, self.seeds) != (10_000, 3) else ""
        name = "" if self.checkpoint == REAL else f" {media.quote(self.checkpoint)}"
        return f"python -m train evaluate{name}{sets} --only {media.quote(self.row)} --again"

    @property
    def key(self) -> str:
        """Return what tells the row from all others."""
        return f"{self.checkpoint}, {self.row}, {self.n}"

    def why_missing(self, figure: str) -> str:
        """Return why the row has no such figure."""
        return REASONS.get((self.family, figure), NOT_MEASURED)


def read(paths: Paths) -> tuple[Row, ...]:
    """Return the rows of all digits in the results beside the checkpoints, or raise UserError if there are none, or the
    file is damaged."""
    paths_read = [path for path in (paths.weights / results.FILE, *checkpoint.find(paths.weights)) if path.exists()]
    return _read(paths.weights, tuple(files.version(path) for path in paths_read))


@lru_cache(maxsize=4)
def _read(weights: Path, versions: tuple[tuple[int, ...], ...]) -> tuple[Row, ...]:
    """Read the results in a folder; `versions` are those of all files that the rows depend on."""
    content, headers = results.read(weights), checkpoint.list_checkpoints(weights).headers
    sha256 = lru_cache(lambda name: checkpoint.sha256(weights / f"{name}.safetensors"))
    try:
        records = {_key(record["table"], record): record for record in content["measurements"]}
        rows = tuple(
            _row(entry, records[_key(table, entry)], headers, sha256)
            for table in TABLES
            for entry in content["tables"].get(table, [])
            if entry["checkpoint"] != REAL or entry["row"] == FLOOR
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise results.damaged(weights / results.FILE, error) from error
    if not rows:
        raise UserError("the results hold no digits yet: `python -m train evaluate` measures them")
    return rows


def _key(table: str, entry: JSONObject) -> tuple[str, ...]:
    return table, entry["checkpoint"], entry["row"], entry["n"]


def _row(entry: JSONObject, record: JSONObject, headers: Mapping[str, Header], sha256: Callable[[str], str]) -> Row:
    """Return a row from an entry of a table and one of its measurements."""
    name, header = entry["checkpoint"], headers.get(entry["checkpoint"])
    family = "real" if name == REAL else header.family if header else ""
    figures = {
        key: Spread(float(value["mean"]), float(value["std"]) if "std" in value else None)
        for key, value in entry.items()
        if isinstance(value, dict)
    }
    changed = header is not None and sha256(name) != record["sha256"]
    return Row(name, family, entry["row"], record["settings"], entry["n"], entry["seeds"], figures, changed)
