"""python -m train evaluate [NAME ...]: measure the checkpoints and print the tables of results.

Samples are compared with real images where there is a judge of their data set (`train.evaluation.sample_quality`); the
recipe of a family may define `measurements` of its own. Each result is written at once, and not measured twice for the
same file and settings. Processes of `accelerate launch` share the samples, and have the same figures.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from types import ModuleType

from tqdm import tqdm
from tyro.conf import Positional

from playground.datasets.dataset import Dataset
from playground.datasets.registry import DATASETS, dataset_of
from playground.runtime import checkpoint, files, validation
from playground.runtime.family import get_family
from playground.runtime.results import FILE
from playground.runtime.validation import UserError
from train import processes
from train.evaluation import lab_presets, results, sample_quality
from train.evaluation.results import Measurement


@dataclass(frozen=True)
class Options:
    """Options of an evaluation, which prints tables and writes them as JSON."""

    # Names of checkpoints, all by default; or lab, for the presets of the lab in the plane.
    names: Positional[tuple[str, ...]] = ()
    only: tuple[str, ...] = ()  # Rows to measure, such as ddim-50 or "dpm-*"; all by default.
    n: int = 10_000  # Number of pictures in a set of samples, and of test pictures for a likelihood.
    seeds: int = 3  # Number of sets of samples, over which mean and standard deviation are taken.
    again: bool = False  # Repeat measurements that are in the results.
    data: Path = Path("data")  # Folder of the data sets.
    weights: Path = checkpoint.WEIGHTS  # Folder of the checkpoints.
    # Folder of the classifiers that judge samples: judge-digits, and others by the names of data sets.
    judges: Path = checkpoint.WEIGHTS
    out: Path = checkpoint.WEIGHTS / FILE  # File of the results, which a rerun adds to.

    def __post_init__(self) -> None:
        validation.check_bounds(self, {"n": (1, 10**6), "seeds": (1, 1000)})
        validation.check_folder("weights", self.weights)
        available = [path.stem for path in checkpoint.find(self.weights)]
        for name in self.names:
            validation.check_choice("names", name, [*available, lab_presets.NAME])


def evaluate(options: Options) -> str:
    """Measure what has not been measured yet, and return the tables of all results as Markdown; raise UserError if
    there is nothing to measure of a checkpoint that the options name."""
    files.check_writable(options.out.parent)
    selected = [measurement for measurement in measurements(options) if _is_selected(measurement, options)]
    without_rows = (
        {*options.names} - {measurement.identity["checkpoint"] for measurement in selected} - {lab_presets.NAME}
    )
    if without_rows:
        rows = f" in the rows {', '.join(options.only)}" if options.only else ""
        raise UserError(
            f"there is nothing to measure of {', '.join(sorted(without_rows))}{rows}: samples are judged of models "
            "whose data set has a judge"
        )
    is_main = processes.is_main_process()
    for measurement in tqdm(selected, desc="measurements", disable=not is_main):
        is_measured = results.is_measured(measurement, results.read(options.out))
        if processes.agree(options.again or not is_measured):  # another file may have been read a moment later
            figures = measurement.measure()
            if is_main:
                results.save_figures(options.out, measurement, figures)
    return results.markdown(results.tables(results.read(options.out)))


def _is_selected(measurement: Measurement, options: Options) -> bool:
    """Return whether the options name the row of a measurement; the floor of real pictures goes with any row."""
    row, seed = measurement.identity["row"], measurement.identity["seed"]
    real = measurement.identity["checkpoint"].startswith(f"{results.REAL} ")
    if real and seed >= options.seeds:
        return False
    return (real and row == "floor") or not options.only or any(fnmatch(row, pattern) for pattern in options.only)


def measurements(options: Options) -> Iterator[Measurement]:
    """Yield all measurements."""
    if lab_presets.NAME in options.names:
        yield from lab_presets.measurements(options.n, options.seeds)
    recipes = {path: _recipe(path) for path in _checkpoints(options)}
    samplers = [path for path, recipe in recipes.items() if hasattr(recipe, "evaluation_settings")]
    for dataset in DATASETS.values():
        paths = [path for path in samplers if _learned_from(path, dataset)]
        if paths or not options.names:
            yield from _judge(dataset, paths, options)
    for path, recipe in recipes.items():
        if hasattr(recipe, "measurements"):
            yield from recipe.measurements(path, options.data, options.n, options.judges)


def _learned_from(path: Path, dataset: Dataset) -> bool:
    """Return whether a checkpoint draws images like those of a data set; binary ones do not."""
    header = checkpoint.read_header(path)
    return dataset_of(header.provenance) is dataset and not header.flags.get("binarize")


def _judge(dataset: Dataset, paths: list[Path], options: Options) -> Iterator[Measurement]:
    """Yield the measurements of samples of checkpoints of a data set, or report that it has no judge."""
    judge_path = options.judges / f"judge-{dataset.name}.safetensors"
    if judge_path.exists():
        test, _ = processes.main_process_first(lambda: dataset.load(options.data, "test", download=True))
        judge = sample_quality.Judge(judge_path, dataset, test)
        yield from sample_quality.measurements(paths, judge, options.data, options.n, options.seeds)
    elif paths:
        names = ", ".join(path.stem for path in paths)
        print(f"samples of {names} are not judged, since there is no {judge_path}", file=sys.stderr)


def _checkpoints(options: Options) -> list[Path]:
    if options.names:
        return [options.weights / f"{name}.safetensors" for name in options.names if name != lab_presets.NAME]
    return checkpoint.find(options.weights)


def _recipe(path: Path) -> ModuleType:
    """Return the module of the recipes of a checkpoint's family, or raise UserError if there is no such family."""
    return import_module(f"train.{get_family(checkpoint.read_header(path).family).name}")
