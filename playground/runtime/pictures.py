"""Conversion of images between tensors in [-1, 1], uint8 arrays and files."""

import io
import math
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps
from torch import Tensor

from playground.runtime.validation import NotFiniteError, UserError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "MPO")  # MPO: JPEGs of cameras, with a second picture inside
FILE_TYPES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".mpo")  # iOS makes a JPEG of its HEIC for these
MAX_PIXELS = 16_000_000  # that are decoded
MAX_JPEG_PIXELS = 64_000_000  # of a JPEG, which `draft` decodes at a fraction of its size
MAX_SIDE = 1024  # pixels of a picture as it is read
MUCH_MORE = 1.5  # times the contrast of the brightnesses: a channel of colour that has more tells ink from ground
FAINT = 30  # largest contrast that cannot be told from paper and light
HEIC = {b"ftyp" + brand for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")}  # bytes 4 to 12 of a file
Box = tuple[float, float, float, float]  # left, top, right and bottom of a part, in shares of a picture's sides
FULL_BOX: Box = (0.0, 0.0, 1.0, 1.0)
Image.MAX_IMAGE_PIXELS = None  # MAX_PIXELS is stricter than Pillow's own limit


def to_uint8(x: Tensor) -> np.ndarray:
    """Convert images (B, C, H, W) in [-1, 1], clipped, to uint8 (B, H, W, C); raise NotFiniteError at NaN or infinity,
    which would become black or white."""
    if not x.isfinite().all():
        raise NotFiniteError("the pictures hold numbers that are not finite: choose other settings or another model")
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def from_uint8(array: np.ndarray) -> Tensor:
    """Convert uint8 (..., H, W, C) to images (..., C, H, W) in [-1, 1]."""
    return torch.from_numpy(array).movedim(-1, -3).float() / 127.5 - 1


def to_pil(array: np.ndarray) -> Image.Image:
    """Convert uint8 (H, W, 1) or (H, W, 3) to a Pillow image."""
    return Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)


def magnify(array: np.ndarray) -> np.ndarray:
    """Repeat each pixel of uint8 (H, W, C) up to four times in each direction, to at most 2048 pixels a side."""
    factor = max(1, min(4, 2048 // max(array.shape[:2])))
    return array.repeat(factor, 0).repeat(factor, 1)


def open_grey(path: str | Path, box: Box = FULL_BOX) -> np.ndarray:
    """Read a part of an image file as grey values uint8 (H, W) on white, reduced to at most 1024 pixels a side.

    Of several pictures in a file the first is read. The values are brightnesses or, where these hardly tell ink from
    ground, as of yellow on white, those of a channel of colour that does.

    Raises:
        UserError: No image, a damaged one, or too many pixels (checked before any is decoded).
    """
    picture = _crop(_open(path, "RGB"), box)
    brightness, *channels = (np.asarray(channel) for channel in (picture.convert("L"), *picture.split()))
    channel = max(channels, key=_contrast)
    return channel if _contrast(channel) > MUCH_MORE * _contrast(brightness) else brightness


def open_square(path: str | Path, side: int, channels: int = 3, box: Box = FULL_BOX) -> np.ndarray:
    """Read the central square of a part of an image file as uint8 (side, side, channels), grey or RGB; see
    `open_grey`."""
    square = ImageOps.fit(_crop(_open(path, "L" if channels == 1 else "RGB"), box), (side, side))
    return np.asarray(square).reshape(side, side, channels)


def open_thumbnail(path: str | Path, side: int) -> np.ndarray:
    """Read an image file as RGB uint8 (H, W, 3), scaled so that its longer side has a number of pixels; see
    `open_grey`."""
    return np.asarray(ImageOps.contain(_open(path, "RGB"), (side, side)))


def describe_size(size: int, channels: int) -> str:
    """Return the width, height and channels of a square picture in words, for messages."""
    return f"{size} x {size} pixels in {'one channel' if channels == 1 else f'{channels} channels'}"


def count_frames(path: str | Path) -> int:
    """Return the number of frames of an animation, and 1 for any other file that `open_grey` reads."""
    with Image.open(path, formats=FORMATS) as picture:
        return 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)


def _crop(picture: Image.Image, box: Box) -> Image.Image:
    """Return a part of a picture, at least a pixel."""
    width, height = picture.size
    left, top, right, bottom = box
    corners = math.floor(left * width), math.floor(top * height), math.ceil(right * width), math.ceil(bottom * height)
    return picture.crop(corners)


def _open(path: str | Path, mode: str) -> Image.Image:
    """Open and decode an image file in a Pillow mode, see `open_grey`."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = picture.size
            picture.draft(mode, (MAX_SIDE, MAX_SIDE))  # a JPEG can be decoded small
            pixels = picture.width * picture.height
            too_large = pixels > MAX_PIXELS or width * height > MAX_JPEG_PIXELS
            flat = None if too_large else _flatten(picture, mode)
    except Exception as error:  # the decoders raise many kinds
        raise UserError(_reason(path)) from error
    if flat is None:
        raise UserError(
            f"the picture has {width} x {height} pixels: at most {MAX_PIXELS / 1e6:.0f} million are read, of a JPEG "
            f"{MAX_JPEG_PIXELS / 1e6:.0f} million"
        )
    return flat


def _reason(path: str | Path) -> str:
    """Return why a file is no picture, and what to do."""
    with suppress(OSError), open(path, "rb") as file:
        if file.read(12)[4:] in HEIC:
            return "the file is a HEIC picture, which cannot be read here: save it as JPEG, or send a screenshot of it"
    return f"the file is not a picture that can be read ({', '.join(FORMATS)}), or it is damaged"


def _flatten(picture: Image.Image, mode: str) -> Image.Image:
    """Decode an image onto white, upright, in sRGB, at most `MAX_SIDE` pixels a side.

    What is drawn on transparency in the colour of the ground, and would vanish, is drawn in black.
    """
    profile = picture.info.get("icc_profile")
    if picture.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        picture = _to_8_bits(picture)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    upright = ImageOps.exif_transpose(picture)  # phones do not turn the pixels
    rgba = upright.convert("RGBA")
    if profile:
        rgba = _to_srgb(upright, rgba, profile)
    flat = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert(mode)
    alpha = rgba.getchannel("A")
    channels = np.moveaxis(np.asarray(flat.convert("RGB")), 2, 0)
    if max(map(_contrast, channels)) <= FAINT < _contrast(np.asarray(alpha)):
        return ImageOps.invert(alpha).convert(mode)
    return flat


def _contrast(values: np.ndarray) -> int:
    """Return the range of some values of one channel, uint8."""
    return int(values.max()) - int(values.min())


def _to_8_bits(picture: Image.Image) -> Image.Image:
    """Scale grey values of more than 8 bits by their range, where they exceed it."""
    values = np.asarray(picture).astype(np.float32)
    low, high = values.min(), values.max()
    if high > 255 or low < 0:
        values = (values - low) * 255 / max(high - low, 1)
    return Image.fromarray(values.round().astype(np.uint8))


def _to_srgb(picture: Image.Image, rgba: Image.Image, profile: bytes) -> Image.Image:
    """Convert the colours of an image by its ICC profile; one that does not fit or is damaged has no effect."""
    source = picture if picture.mode in ("L", "CMYK") else rgba.convert("RGB")
    with suppress(ImageCms.PyCMSError, OSError):
        colours = ImageCms.profileToProfile(
            source, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        if colours is not None:
            colours.putalpha(rgba.getchannel("A"))
            return colours
    return rgba


def contrast_to_border(grey: np.ndarray) -> np.ndarray:
    """Return by how much each pixel of uint8 (H, W) differs from the median of the border, float32 (H, W)."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return np.abs(grey.astype(np.float32) - np.median(border))


def noise_to_uint8(eps: Tensor) -> np.ndarray:
    """Convert noise (B, C, H, W) to uint8 (B, H, W, C): black is -3 standard deviations, grey 0, white 3."""
    return to_uint8(eps / 3)


def psnr(x: Tensor, x0: Tensor) -> Tensor:
    """Compute the peak signal-to-noise ratio (...) of images (..., C, H, W) in [-1, 1], in dB, at most 96."""
    return 10 * (4 / (x - x0).square().mean((-3, -2, -1)).clamp(min=1e-9)).log10()


def compressed_bits(x: Tensor) -> Tensor:
    """Return the bits per dimension (B,) of images x (B, C, H, W) in [-1, 1] as a file of zlib: what a code that knows
    no pictures needs. Serrà 2020, "Input complexity and out-of-distribution detection with likelihood-based generative
    models"."""
    images = to_uint8(x)
    return torch.tensor([8 * len(zlib.compress(image.tobytes(), 9)) / image.size for image in images])


def grid_columns(n: int) -> int:
    """Return the number of columns of a grid of n images: as square as possible without a hole in the last row, or with
    one where the grid would be more than about four times as wide as high."""
    squarest = math.ceil(math.sqrt(n))
    full = [columns for columns in range(squarest, math.floor(2 * math.sqrt(n)) + 1) if n % columns == 0]
    return full[0] if full else squarest


def make_grid(images: np.ndarray, columns: int | None = None, gap: int = 0) -> np.ndarray:
    """Arrange uint8 (B, H, W, C) in rows, by default of `grid_columns`: (rows * H, columns * W, C)."""
    n, h, w, c = images.shape
    columns = columns or grid_columns(n)
    rows = math.ceil(n / columns)
    padded = np.zeros((rows * columns, h + gap, w + gap, c), np.uint8)
    padded[:n, :h, :w] = images
    sheet = padded.reshape(rows, columns, h + gap, w + gap, c).transpose(0, 2, 1, 3, 4)
    return sheet.reshape(rows * (h + gap), columns * (w + gap), c)[
        : rows * (h + gap) - gap, : columns * (w + gap) - gap
    ]
