"""The quality of samples, measured in the features of a classifier of their data set.

Sets of pictures are compared with the test images in the features of the judge (`playground.families.judge`).
Training images give the floor, the figures of a perfect model. Other training images, noisy, blurred or at half
resolution, calibrate the judge: they show how pictures look at such a multiple.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from playground.datasets.dataset import Dataset
from playground.runtime import checkpoint
from playground.runtime.checkpoint import JSONObject
from playground.runtime.family import get_family
from playground.runtime.rng import make_rng
from playground.runtime.run import RunSettings, last_frame, split_batches
from playground.runtime.validation import UserError
from train import device, processes
from train.evaluation.metrics import NEIGHBOURS, divergence, frechet, neighbourhoods
from train.evaluation.results import REAL, Measurement


class Pictures(NamedTuple):
    """Set of pictures (N, C, H, W), the classes of the prompt (N,) if any, and the seconds that sampling took."""

    images: Tensor
    labels: Tensor | None = None
    seconds: float | None = None


def measurements(paths: list[Path], judge: "Judge", data: Path, n: int, seeds: int) -> Iterator[Measurement]:
    """Yield the measurements of real images of the judge's data set, and the rows of each checkpoint of them."""
    images, labels = judge.dataset.load(data, "train", download=True)
    yield from real_measurements(judge, images, labels, n)
    for path in paths:
        yield from checkpoint_measurements(judge, path, labels, n, seeds)


def _noisy(sigma: float) -> Callable[[Tensor], Tensor]:
    return lambda x: x + sigma * torch.randn(x.shape, generator=make_rng(0))


# All sets get the same noise: the deviation over them is that of the pictures alone.
DEGRADATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "floor": lambda x: x,
    "noise 0.02": _noisy(0.02),
    "noise 0.05": _noisy(0.05),
    "noise 0.1": _noisy(0.1),
    "blurred 3x3": lambda x: F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False),
    "half resolution": lambda x: F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="bilinear"),
}


def real_measurements(judge: "Judge", images: Tensor, labels: Tensor, n: int) -> Iterator[Measurement]:
    """Yield the measurements of training images, unchanged and degraded, in three sets of n each.

    The sets of the floor have no picture in common with the others.

    Raises:
        UserError: A set has no more images than the neighbours that are asked for, or there are fewer than 6 n images.
    """
    if n <= NEIGHBOURS:
        raise UserError(f"--n must be at least {NEIGHBOURS + 1}: a picture is compared with {NEIGHBOURS} neighbours")
    if 6 * n > len(images):
        raise UserError(f"--n can be at most {len(images) // 6}: six sets of training images are compared with")
    parts = disjoint_parts(len(images), n)
    for row, change in DEGRADATIONS.items():
        for seed, part in enumerate(parts[:3] if row == "floor" else parts[3:6]):
            identity = {
                "checkpoint": f"{REAL} {judge.dataset.name}",
                "sha256": "",
                "row": row,
                "settings": "",
                "n": n,
                "seed": seed,
            }
            yield judge.measurement(identity, partial(_load_changed, change, images, labels, part))


def disjoint_parts(total: int, n: int) -> tuple[Tensor, ...]:
    """Return indices of training images in disjoint sets of n; the first three are the floor's."""
    return torch.randperm(total, generator=make_rng(0)).split(n)


def _load_changed(change: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, part: Tensor) -> Pictures:
    return Pictures(change(images[part]), labels[part])


def checkpoint_measurements(judge: "Judge", path: Path, labels: Tensor, n: int, seeds: int) -> Iterator[Measurement]:
    """Yield the rows of a checkpoint with the settings that its recipe defines, for several seeds.

    Conditional models sample the classes of n training images: ten classes in equal numbers would be at two × real from
    MNIST's test digits even if every picture were real.
    """
    name, config, _ = checkpoint.read_header(path)
    recipe = import_module(f"train.{name}")
    rows = recipe.evaluation_settings(get_family(name).Config(**config))
    sha256 = checkpoint.sha256(path)
    for row, settings in rows.items():
        settings_text = ", ".join(f"{k}={v}" for k, v in asdict(settings).items() if k not in ("n", "seed"))
        for seed in range(seeds):
            identity = {"checkpoint": path.stem, "sha256": sha256, "row": row, "settings": settings_text, "n": n}
            settings_of_set = replace(settings, n=n, seed=seed)
            yield judge.measurement(
                {**identity, "seed": seed}, partial(draw, path, settings_of_set, _classes(labels, n, seed))
            )
    extra_rows = recipe.extra_rows() if hasattr(recipe, "extra_rows") else {}
    for row, (settings_text, make) in extra_rows.items():  # only one seed: these take ten times as long
        identity = {"checkpoint": path.stem, "sha256": sha256, "row": row, "settings": settings_text, "n": n, "seed": 0}
        yield judge.measurement(identity, partial(_measure_extra, make, path, _classes(labels, n, 0), 0))


def _classes(labels: Tensor, n: int, seed: int) -> Tensor:
    return labels[torch.randperm(len(labels), generator=make_rng(seed))[:n]]


def _measure_extra(make: Callable[[Path, Tensor, int], Tensor], path: Path, classes: Tensor, seed: int) -> Pictures:
    start = time.monotonic()
    return Pictures(make(path, classes, seed), classes, time.monotonic() - start)


def draw(path: Path, settings: RunSettings, classes: Tensor) -> Pictures:
    """Sample a checkpoint with settings of its family, class by class if it is conditional; raise UserError if it makes
    no pictures. Several processes share the batches; the seconds are the sum of theirs."""
    family = get_family(checkpoint.read_header(path).family)
    if family.sample is None:
        raise UserError(f"{path.stem} makes no pictures")
    model = device.load(path)
    runs = [(settings, list[int]())]
    if family.labels and model.config.classes:
        counts = enumerate(classes.bincount().tolist())
        runs = [(replace(settings, label=y, n=n), [y] * n) for y, n in counts if n]
    sample, to_images, seconds = partial(family.sample, model), partial(family.to_images, model), list[float]()
    batches, labels = list[tuple[RunSettings, int]](), list[int]()
    for run, labels_of_run in runs:
        batches += split_batches(run, sum(part.n for part, _ in batches))
        labels += labels_of_run

    def draw_batch(batch: tuple[RunSettings, int]) -> Tensor:
        start = time.monotonic()
        images = to_images(last_frame(sample(*batch))).cpu()
        seconds.append(time.monotonic() - start)
        return images

    images = processes.share(draw_batch, batches, f"batches, seed {settings.seed}")
    return Pictures(torch.cat(images), torch.tensor(labels) if labels else None, processes.total(seconds))


class Judge:
    """Judge of sets of pictures: a classifier of a data set, and its features of the test images."""

    def __init__(self, path: Path, dataset: Dataset, test: Tensor):
        self.model = device.load(path, family="judge")
        self.sha256, self.dataset = checkpoint.sha256(path), dataset
        self.real, predictions = self.classify(test)
        self.counts = self.count(predictions)

    def measurement(self, identity: JSONObject, make: Callable[[], Pictures]) -> Measurement:
        """Return the measurement of a set of pictures, from its identity and a function that makes it."""
        return Measurement({"table": self.dataset.name, **identity, "judge": self.sha256}, lambda: self.measure(make()))

    @torch.no_grad()
    def classify(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features (N, D) and the predicted classes (N,) of pictures, in 256 levels as in a file."""
        if images.shape[-1] < self.dataset.shape[-1]:
            images = F.pad(images, [self.dataset.padding] * 4, value=-1.0)
        images = ((images.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
        features = torch.cat([self.model.features(batch.to(device.DEVICE)) for batch in images.split(500)])
        return features, self.model.head(features).argmax(1).cpu()

    def count(self, predictions: Tensor) -> Tensor:
        """Return the number of pictures (K,) of each class, from their predicted classes (N,)."""
        return predictions.bincount(minlength=len(self.dataset.classes))

    def measure(self, pictures: Pictures) -> dict[str, float]:
        """Return the figures of a set of pictures; `train.evaluation.results` adds their ratios to the floor's."""
        features, predictions = self.classify(pictures.images)
        figures = {
            "frechet": frechet(self.real, features),
            **neighbourhoods(self.real, features),
            "class_kl": divergence(self.count(predictions), self.counts),
        }
        if pictures.labels is not None:
            figures["accuracy"] = (predictions == pictures.labels).float().mean().item()
        if pictures.seconds is not None:
            figures["samples_per_second"] = len(predictions) / pictures.seconds
        return figures
