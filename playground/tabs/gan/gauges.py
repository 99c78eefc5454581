"""What is said and drawn under each picture of the arena: classes, logits, what teaches G, and how steep D is."""

from collections.abc import Callable

import numpy as np
import torch

from playground import adversarial, history
from playground.formulas import minus
from playground.history import Array, History
from playground.tabs.gan import contest
from playground.ui import palette
from playground.ui.scrubber import Counts, Histogram, Series


def logits(name: str, seen: History) -> tuple[list[str], list[Histogram]]:
    """Classes of the fakes, and D's logits of both kinds."""
    low, high = np.quantile(np.concatenate([seen.real, seen.fake], axis=1).astype(float), (0.005, 0.995), axis=1)
    ends = [(minus(f"{a:.3g}"), minus(f"{b:.3g}")) for a, b in zip(low, high, strict=True)]
    both = [
        Counts("real", palette.DATA, binned(seen.real, low, high)),
        Counts("fake", palette.NOISE, binned(seen.fake, low, high)),
    ]
    return figures(seen), [classes(seen), Histogram("D's logits", ends, both)]


def saturation(name: str, seen: History) -> tuple[list[str], list[Histogram]]:
    """G's loss as a function of the logit, how steep it is, and where the fakes are."""
    paired = adversarial.LOSSES[contest.MODELS[name].loss].paired
    at = seen.fake - seen.real if paired else seen.fake
    axis = torch.linspace(-RANGE, RANGE, 101)
    pushes = steepness(name, torch.from_numpy(at.astype(np.float32))).mean(1).tolist()
    notes = [f"{figure}\npush on G: {push:.3g}" for figure, push in zip(figures(seen), pushes, strict=True)]
    drawn = Histogram(
        "logit of a fake, less that of a real one" if paired else "logit of a fake",
        [(f"−{RANGE}", f"{RANGE}")],
        [Counts("fakes now", palette.NOISE, binned(at, -RANGE, RANGE))],
        [
            Series("G's loss", palette.DATA, course(name, axis).tolist()),
            Series("its steepness", palette.ESTIMATE, steepness(name, axis).tolist()),
        ],
        mark=(0.5, "0"),
    )
    return notes, [drawn]


RANGE = 12  # of the logits under "saturation"; those beyond stand at its ends


def course(name: str, logit: torch.Tensor) -> torch.Tensor:
    """G's loss at each of some logits (N,), beside a real item of logit 0: (N,)."""
    loss = adversarial.LOSSES[contest.MODELS[name].loss].generator
    return torch.stack([loss(torch.zeros(1), part) for part in logit.split(1)])


def steepness(name: str, logit: torch.Tensor) -> torch.Tensor:
    """The size of its derivative at logits of any shape."""
    x = logit.clone().requires_grad_()
    loss = adversarial.LOSSES[contest.MODELS[name].loss].generator(torch.zeros_like(x), x)
    return torch.autograd.grad(loss * x.numel(), x)[0].abs()  # the loss is a mean


def slopes(name: str, seen: History) -> tuple[list[str], list[Histogram]]:
    """Norms of D's gradient with respect to a picture, between real and fake ones."""
    decades = np.log10(np.maximum(seen.slopes.astype(float), 1e-9))
    medians = np.median(seen.slopes.astype(float), axis=1)
    notes = [f"{figure}\nmedian slope of D: {m:.2g}" for figure, m in zip(figures(seen), medians, strict=True)]
    drawn = Histogram(
        "|∇D| between real and fake, logarithmic",
        [("0.001", "1000")],
        [Counts("points", palette.ESTIMATE, binned(decades, -3, 3, bins=60))],
        mark=(0.5, "1"),
    )
    return notes, [drawn]


GAUGES: dict[str, Callable[[str, History], tuple[list[str], list[Histogram]]]] = {
    "logits": logits,
    "saturation": saturation,
    "slopes": slopes,
}
TITLES = [("Classes and logits", "logits"), ("Why it saturates", "saturation"), ("Slope of D", "slopes")]


def figures(seen: History) -> list[str]:
    """Distance and classes at each moment."""
    return [
        f"Frechet {distance:.3g} floors · {classes} of 10 digits"
        for distance, classes in zip(seen.frechet.tolist(), history.covered(seen).tolist(), strict=True)
    ]


def classes(seen: History) -> Histogram:
    """What the fakes are read as."""
    return Histogram("fakes read as", [("0", "9")], [Counts("fakes", palette.ESTIMATE, seen.classes.astype(float))])


def binned(values: Array, low: Array | float, high: Array | float, bins: int = 32) -> Array:
    """Histograms of the rows of (M, S) between ends, each (M,) or one for all: (M, bins).

    What lies beyond is counted at the ends.
    """
    low, high = (np.broadcast_to(end, len(values))[:, None] for end in (low, high))
    place = (np.clip(values.astype(float), low, high) - low) / np.maximum(high - low, 1e-9) * (bins - 1)
    return np.stack([np.bincount(row, minlength=bins) for row in place.round().astype(int)])
