"""Training images nearest to a generated one, which show whether it is memorized."""

from pathlib import Path

import torch
from torch import Tensor

from playground.datasets.dataset import Dataset
from playground.runtime import pictures
from playground.runtime.validation import UserError
from playground.web import plots

ROW = '<div style="display:flex;flex-wrap:wrap;gap:12px">'
ROWS = '<div style="display:flex;flex-wrap:wrap;gap:12px 28px">'


def find_nearest(x: Tensor, images: Tensor, n: int) -> list[tuple[float, int]]:
    """Return root mean square distance and index of the n images (N, C, H, W) nearest to x (1, C, H, W)."""
    distances = torch.cat([(part - x).square().mean((1, 2, 3)).sqrt() for part in images.split(5000)])
    nearest = distances.topk(n, largest=False)
    return list(zip(nearest.values.tolist(), nearest.indices.tolist(), strict=True))


def render_rows(x: Tensor, dataset: Dataset, data_folder: Path, n: int, width: int = 112) -> str:
    """Return HTML with a row for each generated image of x (B, C, h, w), with or without the padding of the data set
    that the model learned from, and the n training images nearest to it, `width` CSS pixels wide. Raise UserError if
    there are no training images to search, or of another size."""
    if dataset.make_sample:
        raise UserError("this model saw each of its images once, and none is kept: choose another model")
    images, labels = dataset.load(data_folder, "train", download=True)
    if x.shape[1:] != images.shape[1:]:
        images = dataset.remove_padding(images)
    if x.shape[1:] != images.shape[1:]:
        raise UserError(f"the images of {dataset.title} have another size than the model's: choose another model")
    rows = []
    for image in x.split(1):
        cells = [_cell(image, "made by the model", "made by the model", width)]
        for distance, index in find_nearest(image, images, n):
            name = dataset.classes[int(labels[index])] if dataset.classes else "image"
            alt, caption = f"training image {index}, {name}", f"{name}, {distance:.2f} away"
            cells.append(_cell(images[index : index + 1], alt, caption, width))
        rows.append(f"{ROW}{''.join(cells)}</div>")
    return f"{ROWS}{''.join(rows)}</div>"


def _cell(x: Tensor, alt: str, caption: str, width: int) -> str:
    tag = plots.image_tag(pictures.to_uint8(x)[0], alt, width)
    return f'<figure style="margin:0;text-align:center">{tag}<br><small>{caption}</small></figure>'
