"""Sprite sheets: all frames of a strip in a few large images, which travel to the browser once."""

import base64
import io
import math
from typing import NamedTuple

import numpy as np
from gradio.data_classes import FileData

from playground.runtime import files, pictures
from playground.web import download
from playground.web.component import Value
from playground.web.scrubber.parts import Strip

MAX_SIDE = 4096  # pixels of a sheet's side, the largest canvas of phones
MAX_LOSSLESS_SIZE = 2_000_000  # numbers of a strip up to which PNG is quick and small enough


class SheetLayout(NamedTuple):
    """Arrangement of the frames of all strips in their sheets."""

    # Pixels of a frame.
    width: int
    height: int
    columns: int  # frames beside each other
    per_sheet: int  # frames of a full sheet


def make_grids(strip: Strip, gap: int) -> np.ndarray:
    """Return the frames of a strip as grids of their pictures, (F, h, w, C)."""
    return np.stack([pictures.make_grid(frame, gap=gap) for frame in strip.frames])


def layout_of(grids: np.ndarray) -> SheetLayout:
    """Return the layout of frames (F, h, w, C), as square as possible."""
    n, height, width = grids.shape[:3]
    columns = max(1, min(MAX_SIDE // width, math.ceil(math.sqrt(n))))
    return SheetLayout(width, height, columns, columns * max(1, MAX_SIDE // height))


def write_sheets(grids: np.ndarray, layout: SheetLayout) -> list[Value]:
    """Write frames (F, h, w, C) as sheets into the folder that Gradio serves; it adds their URLs."""
    lossless = grids.size <= MAX_LOSSLESS_SIZE
    chunks = [grids[i : i + layout.per_sheet] for i in range(0, len(grids), layout.per_sheet)]
    sheets = [encode(pictures.make_grid(chunk, columns=layout.columns), lossless) for chunk in chunks]
    return [_write(sheet, "png" if lossless else "jpg") for sheet in sheets]


def encode(image: np.ndarray, lossless: bool) -> bytes:
    """Return an image uint8 (H, W, C) as PNG or JPEG."""
    buffer = io.BytesIO()
    picture = pictures.to_pil(image)
    if lossless:
        picture.save(buffer, "PNG", compress_level=1)
    else:
        picture.save(buffer, "JPEG", quality=90, subsampling=0)  # colour at half the size would ruin coloured noise
    return buffer.getvalue()


def data_url(image: np.ndarray) -> str:
    """Return an image uint8 (H, W, C) as a data: URL."""
    return "data:image/jpeg;base64," + base64.b64encode(encode(image, lossless=False)).decode()


def gap_of(strip: Strip) -> int:
    """Return the pixels between the pictures of a frame: pictures in colour would merge without a gap."""
    return int(strip.frames.shape[-1] == 3)


def vacant_boxes(strip: Strip) -> list[list[int]]:
    """Return the boxes of a frame's grid without a picture: x, y, width, height in pixels."""
    n, h, w = strip.frames.shape[1:4]
    gap = gap_of(strip)
    columns = pictures.grid_columns(n)
    rows = math.ceil(n / columns)
    filled = n - (rows - 1) * columns
    width, height = columns * (w + gap), rows * (h + gap)
    between_columns = [[i * (w + gap) - gap, 0, gap, height] for i in range(1, columns)]
    between_rows = [[0, i * (h + gap) - gap, width, gap] for i in range(1, rows)]
    end_of_last_row = [filled * (w + gap), height - h - gap, width, h + gap]
    return [*between_columns, *between_rows, end_of_last_row]


def _write(data: bytes, suffix: str) -> Value:
    path = download.new_path(f"frames.{suffix}")
    with files.atomic_write(path) as file:
        file.write(data)
    return FileData(path=str(path)).model_dump()
