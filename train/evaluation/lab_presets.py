"""The results of the lab's presets in the plane: `python -m train evaluate lab --seeds 10 --n 2500`."""

import dataclasses
import json
from collections.abc import Iterator
from functools import partial

from playground.datasets import densities
from playground.families.gan.lab import PRESETS, Lab, Settings
from playground.runtime.labs import DivergenceError
from train.evaluation.results import Measurement

NAME = "lab"
DATA = ("ring", "grid")


def measurements(n: int, seeds: int) -> Iterator[Measurement]:
    """Yield the measurements of every preset on densities with modes to count, by n points for each seed."""
    for name, preset in PRESETS.items():
        for data in DATA:
            settings = json.dumps({**dataclasses.asdict(preset.settings), "seed": None})
            identity = {"table": NAME, "checkpoint": name, "row": data, "settings": settings, "n": n}
            for seed in range(seeds):
                seed_settings = dataclasses.replace(preset.settings, seed=seed)
                yield Measurement({**identity, "seed": seed}, partial(measure, data, seed_settings, n))


def measure(data: str, settings: Settings, n: int) -> dict[str, float]:
    """Train a preset to the end, and measure modes covered, fraction of good points and reverse KL.

    A training that diverges covers no mode. Where no point is good, the KL is that of a single mode.
    """
    mixture = densities.DENSITIES[data]()
    assert isinstance(mixture, densities.Mixture)
    lab = Lab(mixture, settings)
    try:
        for _ in range(settings.steps):
            lab.step()
    except DivergenceError:
        return {"modes": 0, "quality": 0.0, "reverse_kl": mixture.collapse_kl}
    coverage = densities.measure_coverage(lab.sample(n), mixture)
    kl = min(coverage.reverse_kl, mixture.collapse_kl)
    return {"modes": coverage.modes, "quality": coverage.quality, "reverse_kl": kl}
