"""The training images that are most like a picture. Is it memorised?"""

from pathlib import Path

import torch
from torch import Tensor

from playground import pictures
from playground.data import digits
from playground.ui import plots


def search(x: Tensor, images: Tensor, n: int) -> list[tuple[float, int]]:
    """Root mean square distance from x (1, C, H, W) and index of its n nearest among images (N, C, H, W)."""
    distances = torch.cat([(part - x).square().mean((1, 2, 3)).sqrt() for part in images.split(5000)])
    nearest = distances.topk(n, largest=False)
    return list(zip(nearest.values.tolist(), nearest.indices.tolist(), strict=True))


def rows(x: Tensor, n: int, data: Path, width: int = 112) -> str:
    """HTML: a row for each picture (B, 1, H, W), of 32 or 28 pixels a side, with the n training digits nearest to it.

    Args:
        data: the folder of MNIST, fetched there when first needed.
        width: of a picture, in CSS pixels.
    """
    images, labels = digits.load(data, "train", download=True)
    if x.shape[-1] != digits.SIZE:
        images = digits.crop(images)
    made = []
    for picture in x.split(1):
        cells = [_cell(picture, "made by the model", "the model's", width)]
        for distance, index in search(picture, images, n):
            about = f"training image {index}, a {labels[index]}"
            cells.append(_cell(images[index : index + 1], about, f"a {labels[index]}, {distance:.2f} away", width))
        made.append(f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(cells)}</div>')
    return '<div style="display:flex;flex-wrap:wrap;gap:12px 28px">' + "".join(made) + "</div>"


def _cell(x: Tensor, about: str, caption: str, width: int) -> str:
    shown = plots.picture(pictures.to_uint8(x)[0], about, width)
    return f'<figure style="margin:0;text-align:center">{shown}<br><small>{caption}</small></figure>'
