"""What a classifier reads in the pictures and estimates of a run, in a sentence for each frame."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from playground.datasets.dataset import Dataset
from playground.datasets.registry import dataset_of
from playground.families import judge
from playground.runtime import checkpoint, pictures
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError

CLASSIFIER = "judge-digits"
MAX_PICTURES = 10  # of a run that are read
SURE = 0.9  # probability of a class above which the others are not named


def load_classifier(paths: Paths, data: Dataset | None) -> judge.Model | None:
    """Return the classifier, None if it is missing or learned from another data set than `data`."""
    path = paths.checkpoint(CLASSIFIER)
    try:
        if data is None or dataset_of(checkpoint.read_header(path).provenance) is not data:
            return None
        return cast(judge.Model, checkpoint.load_shared(path, family="judge"))
    except UserError:
        return None


@torch.no_grad()
def classify(model: judge.Model, images: np.ndarray) -> Tensor:
    """Return the probabilities of the classes (F, N, K) in the first images, uint8 (F, N, H, W, C), of a run."""
    x = pictures.from_uint8(images[:, :MAX_PICTURES])
    return torch.stack([model(frame).softmax(-1) for frame in x])


def describe(of_x: Tensor, of_x0_hat: Tensor, names: Sequence[str], n_pictures: int) -> list[str]:
    """Return what the probabilities (F, N, K) of the noisy pictures and of the estimates say of each frame: of a single
    picture, what it could still become; of several, the first N of `n_pictures`, how many can be read already."""
    n = of_x.shape[1]
    if n == 1:
        return [_describe_one(p, names) for p in of_x0_hat[:, 0]]
    final = of_x0_hat[-1].argmax(-1)
    in_x, in_x0_hat = ((p.argmax(-1) == final).sum(1).tolist() for p in (of_x, of_x0_hat))
    subject = f"the first {n} pictures" if n < n_pictures else f"{n} pictures"
    sentences = [
        f"Of {subject}, a classifier can read {k} in the noise, and {k_hat} in the estimates."
        for k, k_hat in zip(in_x, in_x0_hat, strict=True)
    ]
    if in_x[-1] < n:  # the run was stopped in the noise
        return sentences
    of_first = f"the first {n} as " if n < n_pictures else ""
    return [*sentences[:-1], f"A classifier reads {of_first}{', '.join(names[k] for k in final.tolist())}."]


def _describe_one(p: Tensor, names: Sequence[str]) -> str:
    values, classes = (part.tolist() for part in p.topk(2))
    first, second = (f"{names[k]} ({value:.0%})" for value, k in zip(values, classes, strict=True))
    if values[0] >= SURE:
        return f"A classifier reads the estimate as {first}."
    return f"To a classifier the estimate could still become {first} or {second}."
