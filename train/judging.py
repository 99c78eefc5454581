"""Samples of digits, and real digits beside them, judged in the features of a classifier.

Sets of pictures are compared in the features of the judge (`playground.models.judge`), always with the test digits.
Training digits give the floor, the figures of a perfect model. Others of them with noise, blurred, and at half
resolution calibrate the judge: they show what a distance of so many floors looks like.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from playground import checkpoint
from playground.data import digits
from playground.sampling import finished, generator
from playground.validation import UserError
from train import device
from train.measures import divergence, frechet, neighbourhoods
from train.results import Entry

TABLE = "digits"
JUDGE = checkpoint.WEIGHTS / "judge-digits.safetensors"
REAL_DIGITS = "real digits"  # where a checkpoint's name stands


class Pictures(NamedTuple):
    """A set of pictures (N, C, H, W), the classes asked for (N,) if any, and the seconds it took to sample them."""

    images: Tensor
    labels: Tensor | None = None
    seconds: float | None = None


def entries(paths: list[Path], judge: "Judge", data: Path, n: int, seeds: int) -> Iterator[Entry]:
    """Real digits, and the rows of each checkpoint of digits."""
    images, labels = digits.load(data, "train", download=True)
    yield from real_digits(judge, images, labels, n)
    for path in paths:
        yield from sampled(judge, path, labels, n, seeds)


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


def real_digits(judge: "Judge", images: Tensor, labels: Tensor, n: int) -> Iterator[Entry]:
    """Training digits as they are and disturbed: three sets of n each, those of the floor apart from the others."""
    if 6 * n > len(images):
        raise UserError(f"--n can be at most {len(images) // 6}: six sets of training digits are compared with")
    parts = apart(len(images), n)
    for row, change in REAL.items():
        for seed, part in enumerate(parts[:3] if row == "floor" else parts[3:6]):
            identity = {"checkpoint": REAL_DIGITS, "sha256": "", "row": row, "settings": "", "n": n, "seed": seed}
            yield judge.entry(identity, partial(_changed, change, images, labels, part))


def apart(total: int, n: int) -> tuple[Tensor, ...]:
    """Places of training digits in sets of n that share none; the first three are those of the floor."""
    return torch.randperm(total, generator=generator(0)).split(n)


def _changed(change: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, part: Tensor) -> Pictures:
    return Pictures(change(images[part]), labels[part])


def sampled(judge: "Judge", path: Path, labels: Tensor, n: int, seeds: int) -> Iterator[Entry]:
    """The rows of a checkpoint, some seeds each; which settings they stand for, its family's recipe says.

    Conditional models are asked for the classes of as many training digits: ten classes of equal numbers would be
    two floors from the test digits even if every picture were real.
    """
    name, config, _ = checkpoint.header(path)
    recipe = import_module(f"train.{name}")
    rows = recipe.evaluated(checkpoint.family(name).Config(**config))
    sha256 = checkpoint.sha256(path)
    for row, settings in rows.items():
        shown = ", ".join(f"{k}={v}" for k, v in asdict(settings).items() if k not in ("n", "seed"))
        for seed in range(seeds):
            identity = {"checkpoint": path.stem, "sha256": sha256, "row": row, "settings": shown, "n": n}
            asked = replace(settings, n=n, seed=seed)
            yield judge.entry({**identity, "seed": seed}, partial(draw, path, asked, _classes(labels, n, seed)))
    for row, (shown, make) in getattr(recipe, "further", dict)().items():  # one set each: they take ten times as long
        identity = {"checkpoint": path.stem, "sha256": sha256, "row": row, "settings": shown, "n": n, "seed": 0}
        yield judge.entry(identity, partial(_further, make, path, _classes(labels, n, 0), 0))


def _classes(labels: Tensor, n: int, seed: int) -> Tensor:
    """The classes of n training digits."""
    return labels[torch.randperm(len(labels), generator=generator(seed))[:n]]


def _further(make: Callable[[Path, Tensor, int], Tensor], path: Path, classes: Tensor, seed: int) -> Pictures:
    start = time.monotonic()
    return Pictures(make(path, classes, seed), classes, time.monotonic() - start)


def draw(path: Path, settings: Any, classes: Tensor) -> Pictures:
    """The samples of a checkpoint, class after class if it knows them; `settings` are of its family."""
    family: Any = checkpoint.family(checkpoint.header(path).family)
    model = device.load(path)
    runs = [settings]
    if hasattr(family, "labels") and model.config.classes:
        runs = [replace(settings, label=y, n=n) for y, n in enumerate(classes.bincount().tolist()) if n]
    images, labels, made, start = [], [], 0, time.monotonic()
    with tqdm(total=settings.n, desc=f"samples, seed {settings.seed}", leave=False) as bar:
        for run in runs:
            labels += [run.label] * run.n if run is not settings else []
            for x in finished(partial(family.sample, model), run, first=made):
                images.append(x.cpu())
                bar.update(len(x))
            made += run.n
    seconds = time.monotonic() - start
    return Pictures(torch.cat(images), torch.tensor(labels) if labels else None, seconds)


# How it is judged.


class Judge:
    """The classifier, the features of the test digits, and the figures of other pictures beside them."""

    def __init__(self, path: Path, test: Tensor):
        self.model = device.load(path, expect="judge")
        self.sha256 = checkpoint.sha256(path)
        self.real, read = self.look(test)
        self.counts = read.bincount(minlength=digits.CLASSES)

    def entry(self, identity: dict[str, Any], make: Callable[[], Pictures]) -> Entry:
        """A set of pictures to judge: what it is, and what makes it."""
        return Entry({"table": TABLE, **identity, "judge": self.sha256}, lambda: self.measure(make()))

    @torch.no_grad()
    def look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, D) and classes read (N,) of pictures as a file would hold them, in 256 levels."""
        images = images if images.shape[-1] == digits.SIZE else digits.pad(images)
        images = ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
        features = torch.cat([self.model.features(batch.to(device.DEVICE)) for batch in images.split(500)])
        return features, self.model.read(features).argmax(1).cpu()

    def measure(self, pictures: Pictures) -> dict[str, float]:
        """The figures of a set of pictures; `train.results` makes them multiples of the floor's."""
        features, read = self.look(pictures.images)
        figures = {
            "frechet": frechet(self.real, features),
            **neighbourhoods(self.real, features),
            "class_kl": divergence(read.bincount(minlength=digits.CLASSES), self.counts),
        }
        if pictures.labels is not None:
            figures["accuracy"] = (read == pictures.labels).float().mean().item()
        if pictures.seconds is not None:
            figures["samples_per_second"] = len(read) / pictures.seconds
        return figures
