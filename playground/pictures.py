"""From tensors to pixels and back: the edge of the code where images become uint8."""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 16_000_000


def to_uint8(x: Tensor) -> np.ndarray:
    """(B, C, H, W) in [-1, 1] (beyond is clipped) -> uint8 (B, H, W, C)."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def open_grey(path: str | Path) -> np.ndarray:
    """An uploaded picture as uint8 (H, W), transparent parts white, at most 1024 pixels a side.

    Raises:
        ValueError: no picture, a broken one, an animation, or one of too many pixels (known before any is decoded).
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                shape = f"{picture.width} x {picture.height} pixels"
                raise ValueError(f"the picture has {shape}; at most {MAX_PIXELS / 1e6:.0f} million are read")
            if getattr(picture, "n_frames", 1) > 1:
                raise ValueError("the picture is an animation: upload a single frame of it")
            picture.draft("L", (1024, 1024))  # a JPEG can be decoded small
            picture.thumbnail((1024, 1024))
            rgba = picture.convert("RGBA")
            return np.asarray(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("L"))
    except ValueError:
        raise
    except Exception as error:  # the decoders raise many kinds
        raise ValueError(f"the file is no picture that can be read ({', '.join(FORMATS)}), or it is damaged") from error


def grid(images: np.ndarray, columns: int | None = None, gap: int = 0) -> np.ndarray:
    """Lay uint8 (B, H, W, C) out in rows, as square as possible: (rows H, columns W, C); empty places are black."""
    n, h, w, c = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    padded = np.zeros((rows * columns, h + gap, w + gap, c), np.uint8)
    padded[:n, :h, :w] = images
    sheet = padded.reshape(rows, columns, h + gap, w + gap, c).transpose(0, 2, 1, 3, 4)
    return sheet.reshape(rows * (h + gap), columns * (w + gap), c)[
        : rows * (h + gap) - gap, : columns * (w + gap) - gap
    ]
