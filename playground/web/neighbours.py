"""Training images nearest to a generated one, which show whether it is memorized."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from playground.datasets.dataset import Dataset
from playground.runtime import pictures
from playground.runtime.validation import UserError
from playground.web import plots

PART = 5000  # training images that are searched at a time
ROW = '<div style="display:flex;flex-wrap:wrap;gap:12px">'
ROWS = '<div style="display:flex;flex-wrap:wrap;gap:12px 28px">'


def load_parts(dataset: Dataset, data_folder: Path, download: bool = False) -> Iterator[Tensor]:
    """Yield the training images of a data set, at most `PART` at a time, (n, C, H, W): all would take hundreds of
    megabytes as numbers of single precision. Raise UserError if they are not here, or cannot be downloaded."""
    for start in itertools.count(0, PART):
        images, _ = dataset.load(data_folder, "train", download=download, subset=slice(start, start + PART))
        if not len(images):
            return
        yield images


def find_nearest(x: Tensor, parts: Iterable[Tensor], n: int) -> list[list[tuple[float, int]]]:
    """Return for each image of x (B, C, H, W) root mean square distance and index of the n nearest among images that
    come in parts, (N, C, H, W) each."""
    distances = [torch.stack([(part - image).square().mean((1, 2, 3)).sqrt() for image in x]) for part in parts]
    nearest = torch.cat(distances, dim=1).topk(n, largest=False)
    rows = zip(nearest.values.tolist(), nearest.indices.tolist(), strict=True)
    return [list(zip(*row, strict=True)) for row in rows]


def render_rows(x: Tensor, dataset: Dataset, data_folder: Path, n: int, width: int = 112) -> str:
    """Return HTML with a row for each generated image of x (B, C, h, w), with or without the padding of the data set
    that the model learned from, and the n training images nearest to it, `width` CSS pixels wide. Raise UserError if
    there are no training images to search, or of another size."""
    if dataset.make_sample:
        raise UserError("this model saw each of its images once, and none is kept: choose another model")
    parts: Iterable[Tensor] = load_parts(dataset, data_folder, download=True)
    if x.shape[1:] != dataset.shape:
        if x.shape[1:] != dataset.remove_padding(torch.empty(1, *dataset.shape)).shape[1:]:
            raise UserError(f"the images of {dataset.title} have another size than the model's: choose another model")
        parts = map(dataset.remove_padding, parts)
    rows = []
    for image, found in zip(x.split(1), find_nearest(x, parts, n), strict=True):
        cells = [_cell(image, "made by the model", "made by the model", width)]
        for distance, index in found:
            picture, label = dataset.load(data_folder, "train", subset=slice(index, index + 1))
            name = dataset.classes[int(label)] if dataset.classes else "image"
            cells.append(_cell(picture, f"training image {index}, {name}", f"{name}, {distance:.2f} away", width))
        rows.append(f"{ROW}{''.join(cells)}</div>")
    return f"{ROWS}{''.join(rows)}</div>"


def _cell(x: Tensor, alt: str, caption: str, width: int) -> str:
    tag = plots.image_tag(pictures.to_uint8(x)[0], alt, width)
    return f'<figure style="margin:0;text-align:center">{tag}<br><small>{caption}</small></figure>'
