"""python -m train evaluate [NAME ...]: how close the samples of the checkpoints come to real digits.

Sets of pictures are compared in the features of the judge (`playground.models.judge`), always with the test digits.
Training digits give the floor, the figures of a perfect model. Others of them with noise, blurred, and at half
resolution calibrate the judge: they show what a distance of so many floors looks like.

Every result is written as soon as it is there, and not made twice for the same checkpoint, settings and judge.
"""

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm
from tyro.conf import Positional

from playground import checkpoint
from playground.data import digits
from playground.sampling import finished, generator
from train.measures import frechet, neighbourhoods


@dataclass(frozen=True)
class Options:
    """Judge the samples of checkpoints of digits; prints one table and writes it as JSON.

    Attributes:
        names: of the checkpoints; all of digits by default.
        only: rows of the table `EVALUATED` in the family's recipe, such as ddim-50 or "dpm-*"; all by default.
        n: pictures in a set; the floor is of as many.
        seeds: sets of samples, whose mean and standard deviation are shown.
        again: also judge what was judged before.
        data: the folder of the data sets.
        weights: the folder of the checkpoints.
        judge: the checkpoint that judges.
        out: the results; a rerun adds to them.
    """

    names: Positional[tuple[str, ...]] = ()
    only: tuple[str, ...] = ()
    n: int = 10_000
    seeds: int = 3
    again: bool = False
    data: Path = Path("data")
    weights: Path = checkpoint.WEIGHTS
    judge: Path = checkpoint.WEIGHTS / "judge-digits.safetensors"
    out: Path = checkpoint.WEIGHTS / "evaluate.json"


class Pictures(NamedTuple):
    """A set of pictures (N, C, H, W), the classes asked for (N,) if any, and the seconds it took to sample them."""

    images: Tensor
    labels: Tensor | None = None
    seconds: float | None = None


class Entry(NamedTuple):
    """A set of pictures to judge: what it is, as JSON, and what makes it."""

    identity: dict[str, Any]
    make: Callable[[], Pictures]


def evaluate(options: Options) -> str:
    """Judge what is not judged yet; the table of all results, as Markdown."""
    judge = Judge(options.judge, digits.load(options.data, "test", download=True)[0])
    images, labels = digits.load(options.data, "train", download=True)
    entries = list(real_digits(images, labels, options.n))
    for path in checkpoints(options):
        entries += sampled(path, options, labels)
    records = json.loads(options.out.read_text())["sets"] if options.out.exists() else []
    records = [record for record in records if record["judge"] == judge.sha256]
    for entry in tqdm(entries, desc="sets of pictures"):
        new = {**entry.identity, "judge": judge.sha256}
        if options.again or not any(new.items() <= record.items() for record in records):
            records = [record for record in records if not _replaces(new, record)]
            records.append({**new, **judge.measure(entry.make()), "device": str(_device())})
            _write(options.out, records)
    return markdown(summary(records))


def _write(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".partial")
    unfinished.write_text(json.dumps({"table": summary(records), "sets": records}, indent=1) + "\n")
    unfinished.replace(path)


def _replaces(new: dict[str, Any], old: dict[str, Any]) -> bool:
    """Whether an old result is of a file that has changed since, of a row that has, or the very same."""

    def same(*keys: str) -> bool:
        return all(new[key] == old[key] for key in keys)

    return same("checkpoint") and (not same("sha256") or (same("row") and (not same("settings") or same("n", "seed"))))


# What is judged: real digits, and samples of the checkpoints.


def _noisy(sigma: float) -> Callable[[Tensor], Tensor]:
    return lambda x: x + sigma * torch.randn(x.shape, generator=generator(0))


REAL: dict[str, Callable[[Tensor], Tensor]] = {
    "floor": lambda x: x,
    "noise 0.02": _noisy(0.02),
    "noise 0.05": _noisy(0.05),
    "noise 0.1": _noisy(0.1),
    "blurred 3x3": lambda x: F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False),
    "half resolution": lambda x: F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear"),
}


def real_digits(images: Tensor, labels: Tensor, n: int) -> Iterator[Entry]:
    """Training digits as they are and disturbed: three sets of n each, those of the floor apart from the others."""
    if 6 * n > len(images):
        raise SystemExit(f"--n can be at most {len(images) // 6}: six sets of training digits are compared with")
    parts = torch.randperm(len(images), generator=generator(0)).split(n)
    for row, change in REAL.items():
        for seed, part in enumerate(parts[:3] if row == "floor" else parts[3:6]):
            identity = {"checkpoint": "real digits", "sha256": "", "row": row, "settings": "", "n": n, "seed": seed}
            yield Entry(identity, partial(_changed, change, images, labels, part))


def _changed(change: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, part: Tensor) -> Pictures:
    return Pictures(change(images[part]), labels[part])


def checkpoints(options: Options) -> list[Path]:
    """Those named, or all of digits whose family makes pictures."""
    if options.names:
        return [options.weights / f"{name}.safetensors" for name in options.names]
    found = [path for path in checkpoint.find(options.weights) if "-digits" in path.stem]
    return [path for path in found if hasattr(checkpoint.family(checkpoint.header(path).family), "sample")]


def sampled(path: Path, options: Options, labels: Tensor) -> Iterator[Entry]:
    """The rows of a checkpoint, some seeds each; which settings they stand for, its family's recipe says.

    Conditional models are asked for the classes of as many training digits: ten classes of equal numbers would be
    two floors from the test digits even if every picture were real.
    """
    table = import_module(f"train.{checkpoint.header(path).family}").EVALUATED
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    for row, settings in table.items():
        if options.only and not any(fnmatch(row, pattern) for pattern in options.only):
            continue
        shown = ", ".join(f"{k}={v}" for k, v in asdict(settings).items() if k not in ("n", "seed"))
        for seed in range(options.seeds):
            identity = {"checkpoint": path.stem, "sha256": sha256, "row": row, "settings": shown, "n": options.n}
            asked = replace(settings, n=options.n, seed=seed)
            classes = labels[torch.randperm(len(labels), generator=generator(seed))[: options.n]]
            yield Entry({**identity, "seed": seed}, partial(draw, path, asked, classes))


def draw(path: Path, settings: Any, classes: Tensor) -> Pictures:
    """The samples of a checkpoint, class after class if it knows them; `settings` are of its family."""
    family: Any = checkpoint.family(checkpoint.header(path).family)
    model: Any = checkpoint.load(path).to(_device())
    runs = [settings]
    if hasattr(family, "labels") and model.config.classes:
        runs = [replace(settings, label=y, n=n) for y, n in enumerate(classes.bincount().tolist()) if n]
    images, labels, start = [], [], time.monotonic()
    with tqdm(total=settings.n, desc=f"samples, seed {settings.seed}", leave=False) as bar:
        for run in runs:
            labels += [run.label] * run.n if run is not settings else []
            for x in finished(partial(family.sample, model), run, first=bar.n):
                images.append(x.cpu())
                bar.update(len(x))
    seconds = time.monotonic() - start
    return Pictures(torch.cat(images), torch.tensor(labels) if labels else None, seconds)


# How it is judged.


class Judge:
    """The classifier, the features of the test digits, and the figures of other pictures beside them."""

    def __init__(self, path: Path, test: Tensor):
        self.model: Any = checkpoint.load(path, expect="judge").to(_device())
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self.real = self.look(test)[0]

    @torch.no_grad()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, D) and classes read (N,) of pictures as a file would hold them, in 256 levels."""
        images = ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
        features = torch.cat([self.model.features(batch.to(_device())) for batch in images.split(500)])
        return features, self.model.read(features).argmax(1).cpu()

    def measure(self, pictures: Pictures) -> dict[str, float]:
        """The figures of a set of pictures."""
        features, read = self.look(pictures.images)
        figures = {"frechet": frechet(self.real, features), **neighbourhoods(self.real, features)}
        if pictures.labels is not None:
            figures["accuracy"] = (read == pictures.labels).float().mean().item()
        if pictures.seconds is not None:
            figures["samples_per_second"] = len(read) / pictures.seconds
        return figures


# What is shown.

FIGURES = ["frechet", "precision", "recall", "density", "coverage", "accuracy", "samples_per_second"]


def summary(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each checkpoint, row and n: mean and standard deviation over the seeds of each figure.

    `frechet` is in floors, the mean distance of as many training digits; `coverage_of_floor` a share of theirs.
    """
    groups: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault((record["checkpoint"], record["row"], record["n"]), []).append(record)
    table = []
    for (name, row, n), group in groups.items():
        floor = groups["real digits", "floor", n]
        figures = {figure: [record[figure] for record in group] for figure in FIGURES if figure in group[0]}
        for figure, of in (("frechet", "frechet"), ("coverage_of_floor", "coverage")):
            mean = statistics.mean(record[of] for record in floor)
            figures[figure] = [record[of] / mean for record in group]
        spread = {figure: _spread(values) for figure, values in figures.items()}
        table.append({"checkpoint": name, "row": row, "n": n, "seeds": len(group), **spread})
    return table


def _spread(values: list[float]) -> dict[str, float]:
    return {"mean": statistics.mean(values), "std": statistics.stdev(values) if len(values) > 1 else 0.0}


def markdown(table: list[dict[str, Any]]) -> str:
    """The rows of `summary` as a Markdown table."""
    columns = ["checkpoint", "row", "n", "seeds", *FIGURES[:5], "coverage_of_floor", *FIGURES[5:]]
    lines = [[column.replace("_", " ") for column in columns], ["---"] * len(columns)]
    lines += [[_cell(row.get(column, "")) for column in columns] for row in table]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    places = 4 if value["mean"] <= 1.5 else 2
    return f"{value['mean']:.{places}f} ± {value['std']:.{places}f}"


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
