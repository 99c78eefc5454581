"""Captions and histograms under the pictures of each loss: classes, logits, the gradient of G, and the slope of D."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch

from playground.families.gan import history, losses
from playground.families.gan.history import Array, History
from playground.web import palette
from playground.web.formula import use_minus_signs
from playground.web.scrubber import Counts, Histogram, Series

Diagnostic: TypeAlias = tuple[list[str], list[Histogram]]  # a caption for each checkpoint, and the histograms
RANGE = 12  # of the logits under "saturation"; those beyond are counted at its ends


def logits(loss: str, training_history: History) -> Diagnostic:
    """Return the classes of the fakes, and D's logits of both kinds."""
    real, fake = training_history.real, training_history.fake
    low, high = np.quantile(np.concatenate([real, fake], axis=1).astype(float), (0.005, 0.995), axis=1)
    ends = [(use_minus_signs(f"{a:.3g}"), use_minus_signs(f"{b:.3g}")) for a, b in zip(low, high, strict=True)]
    classes = Counts("fakes", palette.ESTIMATE, training_history.classes.astype(float))
    counts = [
        Counts("real", palette.REAL, count(real, low, high)),
        Counts("fake", palette.FAKE, count(fake, low, high)),
    ]
    histograms = [Histogram("fakes read as", [("0", "9")], [classes]), Histogram("D's logits", ends, counts)]
    return captions(training_history), histograms


def saturation(loss: str, training_history: History) -> Diagnostic:
    """Return G's loss as a function of the logit, how steep it is, and where the fakes are."""
    paired = losses.LOSSES[loss].uses_real
    logit = training_history.fake - training_history.real if paired else training_history.fake
    axis = torch.linspace(-RANGE, RANGE, 101)
    means = steepness(loss, torch.from_numpy(logit.astype(np.float32))).mean(1).tolist()
    texts = [
        f"{text}\nmean slope of G's loss: {mean:.3g}"
        for text, mean in zip(captions(training_history), means, strict=True)
    ]
    histogram = Histogram(
        "logit of a fake minus that of a real one" if paired else "logit of a fake",
        [(f"−{RANGE}", f"{RANGE}")],
        [Counts("fakes now", palette.FAKE, count(logit, -RANGE, RANGE))],
        [
            Series("G's loss", palette.DATA, generator_loss(loss, axis).tolist()),
            Series("its slope", palette.ESTIMATE, steepness(loss, axis).tolist()),
        ],
        mark=(0.5, "0"),
    )
    return texts, [histogram]


def generator_loss(loss: str, logit: torch.Tensor) -> torch.Tensor:
    """Return G's loss at each of some logits (N,), beside a real item of logit 0: (N,)."""
    function = losses.LOSSES[loss].generator
    return torch.stack([function(torch.zeros(1), item) for item in logit.split(1)])


def steepness(loss: str, logit: torch.Tensor) -> torch.Tensor:
    """Return the absolute value of its derivative at logits of any shape."""
    x = logit.clone().requires_grad_()
    mean = losses.LOSSES[loss].generator(torch.zeros_like(x), x)
    return torch.autograd.grad(mean * x.numel(), x)[0].abs()


def slopes(loss: str, training_history: History) -> Diagnostic:
    """Return norms of D's gradient with respect to a picture, between real and fake ones."""
    values = training_history.slopes.astype(float)
    medians = np.median(values, axis=1)
    texts = [f"{text}\nmedian slope of D: {m:.2g}" for text, m in zip(captions(training_history), medians, strict=True)]
    counts = Counts("points", palette.ESTIMATE, count(np.log10(np.maximum(values, 1e-9)), -3, 3, bins=60))
    name = "|∇D| between real and fake, logarithmic"
    return texts, [Histogram(name, [("0.001", "1000")], [counts], mark=(0.5, "1"))]


DIAGNOSTICS: dict[str, Callable[[str, History], Diagnostic]] = {
    "logits": logits,
    "saturation": saturation,
    "slopes": slopes,
}
TITLES = [("Classes and logits", "logits"), ("Why it saturates", "saturation"), ("Slope of D", "slopes")]


def captions(training_history: History) -> list[str]:
    """Return the distance and the number of classes at each checkpoint."""
    rows = zip(training_history.frechet, history.count_covered_classes(training_history), strict=True)
    return [f"Fréchet distance {_format(distance)} × real · {classes} of 10 digits" for distance, classes in rows]


def _format(ratio: float) -> str:
    return f"{ratio:.3g}" if ratio < 100 else f"{ratio:,.0f}"


def count(values: Array, low: Array | float, high: Array | float, bins: int = 32) -> Array:
    """Return histograms of the rows of (M, S) between ends, each (M,) or one for all: (M, bins).

    Values beyond are counted at the ends.
    """
    low, high = (np.broadcast_to(end, len(values))[:, None] for end in (low, high))
    place = (np.clip(values.astype(float), low, high) - low) / np.maximum(high - low, 1e-9) * (bins - 1)
    return np.stack([np.bincount(row, minlength=bins) for row in place.round().astype(int)])
