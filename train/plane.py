"""What the presets of the lab reach in the plane: `python -m train evaluate plane --seeds 10 --n 2500`."""

import dataclasses
import json
import math
from collections.abc import Iterator
from functools import partial

from playground import lab
from playground.data import densities
from playground.lab import PRESETS, Lab, Settings
from train.results import Entry

NAME = "plane"
DATA = ("ring", "grid")


def entries(n: int, seeds: int) -> Iterator[Entry]:
    """Every preset on the data whose modes can be counted, by n points of each of some seeds."""
    for name, preset in PRESETS.items():
        for data in DATA:
            settings = json.dumps({**dataclasses.asdict(preset.settings), "seed": None})
            identity = {"table": NAME, "checkpoint": name, "row": data, "settings": settings, "n": n}
            for seed in range(seeds):
                own = dataclasses.replace(preset.settings, seed=seed)
                yield Entry({**identity, "seed": seed}, partial(measure, data, own, n))


def measure(data: str, settings: Settings, n: int) -> dict[str, float]:
    """Modes covered, share of good points and reverse KL of a whole training; that KL of none is the one of one mode.

    Raises:
        lab.Diverged: a loss was no longer a number.
    """
    trained = Lab(densities.DENSITIES[data](), settings)
    for _ in range(settings.steps):
        trained.step()
    mixture = trained.data
    assert isinstance(mixture, densities.Mixture)
    found = lab.coverage(trained.sample(n), mixture)
    return {"modes": found.modes, "quality": found.quality,
            "reverse_kl": min(found.reverse_kl, math.log(len(mixture.centres)))}  # fmt: skip
