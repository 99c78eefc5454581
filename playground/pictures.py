"""From tensors to pixels and back: the edge of the code where images become uint8."""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from playground.validation import UserError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_PIXELS = 16_000_000
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is ten times ours


def to_uint8(x: Tensor) -> np.ndarray:
    """(B, C, H, W) in [-1, 1] (beyond is clipped) -> uint8 (B, H, W, C)."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def image(array: np.ndarray) -> Image.Image:
    """uint8 (H, W, 1) or (H, W, 3) as a picture."""
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def magnified(array: np.ndarray) -> np.ndarray:
    """uint8 (H, W, C) with each pixel four times as wide and high, less where that would be beyond 2048 pixels."""
    factor = max(1, min(4, 2048 // max(array.shape[:2])))
    return array.repeat(factor, 0).repeat(factor, 1)


def open_grey(path: str | Path) -> np.ndarray:
    """An uploaded picture as uint8 (H, W), transparent parts white, at most 1024 pixels a side.

    Raises:
        UserError: no picture, a broken one, an animation, or one of too many pixels (known before any is decoded).
    """
    return np.asarray(_opened(path, "L"))


def open_colour(path: str | Path, side: int) -> np.ndarray:
    """The square in the middle of an uploaded picture as uint8 (side, side, 3); see `open_grey`."""
    return np.asarray(ImageOps.fit(_opened(path, "RGB"), (side, side)))


def _opened(path: str | Path, mode: str) -> Image.Image:
    try:
        with Image.open(path, formats=FORMATS) as picture:
            objection = _objection(picture)
            opened = None if objection else _flat(picture, mode)
    except Exception as error:  # the decoders raise many kinds
        raise UserError(f"the file is no picture that can be read ({', '.join(FORMATS)}), or it is damaged") from error
    if opened is None:
        raise UserError(f"the picture {objection}")
    return opened


def _objection(picture: Image.Image) -> str | None:
    """What speaks against reading a picture, by its header alone."""
    if picture.width * picture.height > MAX_PIXELS:
        return f"has {picture.width} x {picture.height} pixels; at most {MAX_PIXELS / 1e6:.0f} million are read"
    if getattr(picture, "is_animated", False):
        return "is an animation: upload a single frame of it"
    return None


def _flat(picture: Image.Image, mode: str) -> Image.Image:
    picture.draft(mode, (1024, 1024))  # a JPEG can be decoded small
    picture.thumbnail((1024, 1024))
    rgba = ImageOps.exif_transpose(picture).convert("RGBA")  # phones store how they were held
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert(mode)


def noise_to_uint8(eps: Tensor) -> np.ndarray:
    """Noise (B, C, H, W) -> uint8 (B, H, W, C): grey is 0, black and white are -3 and 3 standard deviations."""
    return to_uint8(eps / 3)


def psnr(x: Tensor, x0: Tensor) -> Tensor:
    """Peak signal-to-noise ratio (...) of pictures (..., C, H, W) in [-1, 1], in dB; at most 96."""
    return 10 * (4 / (x - x0).square().mean((-3, -2, -1)).clamp(min=1e-9)).log10()


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
