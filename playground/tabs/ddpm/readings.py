"""What a classifier reads in the pictures and estimates of a run, in a sentence for each frame."""

from collections.abc import Sequence
from typing import NamedTuple, cast

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


class Reading(NamedTuple):
    """Reading of a run of F frames by a classifier."""

    sentences: list[str]  # one for each frame, or none
    milestones: list[tuple[int, str]]  # frames from which on something can be read, and what


UNREAD = Reading([], [])


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


def find_milestones(of_x: Tensor, of_x0_hat: Tensor) -> list[tuple[int, str]]:
    """Return the frames, after the first one, from which on the pictures are read as what they become, and what is read
    there, for the probabilities (F, N, K) of the noisy pictures and of the estimates."""
    final = of_x0_hat[-1].argmax(-1)
    in_x, in_x0_hat = ((p.argmax(-1) == final).float().mean(1) for p in (of_x, of_x0_hat))
    stages = [
        (in_x0_hat >= 0.5, "half of the estimates can be read"),
        (in_x0_hat == 1, "all estimates can be read"),
        (in_x >= 0.5, "half of the noisy pictures can be read"),
        (in_x == 1, "all noisy pictures can be read"),
    ]
    if len(final) == 1:
        stages = [(in_x0_hat == 1, "the estimate can be read"), (in_x == 1, "the noisy picture can be read")]
    n_to_the_end = [int(is_read.flip(0).cummin(0).values.sum()) for is_read, _ in stages]
    frames = [len(in_x) - n for n in n_to_the_end]
    texts = [text for _, text in stages]
    return sorted((frame, text) for frame, text in zip(frames, texts, strict=True) if 0 < frame < len(in_x))


def _describe_one(p: Tensor, names: Sequence[str]) -> str:
    values, classes = (part.tolist() for part in p.topk(2))
    first, second = (f"{names[k]} ({value:.0%})" for value, k in zip(values, classes, strict=True))
    if values[0] >= SURE:
        return f"A classifier reads the estimate as {first}."
    return f"To a classifier the estimate could still become {first} or {second}."
