"""What the presets of the lab reach in the plane: `python -m train evaluate lab --seeds 10 --n 2500`."""

import dataclasses
import json
import math
from collections.abc import Iterator
from functools import partial

from playground.data import densities
from playground.labs import Diverged
from playground.labs.gan import PRESETS, Lab, Settings
from train.results import Entry

NAME = "lab"
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
    """Modes covered, share of good points and reverse KL of a whole training; of none if it diverges.

    Where no point is good, that KL is the one of a single mode.
    """
    mixture = densities.DENSITIES[data]()
    assert isinstance(mixture, densities.Mixture)
    trained, single = Lab(mixture, settings), math.log(len(mixture.centres))
    try:
        for _ in range(settings.steps):
            trained.step()
    except Diverged:
        return {"modes": 0, "quality": 0.0, "reverse_kl": single}
    found = densities.coverage(trained.sample(n), mixture)
    return {"modes": found.modes, "quality": found.quality, "reverse_kl": min(found.reverse_kl, single)}
