"""Separation of the ink of a photographed digit from its ground: shadows, frames, ruled lines and specks."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from torch import Tensor

from playground.runtime.validation import UserError

SIDE = 256  # pixels of the longer side of the picture in which ink is looked for; the lengths below are for it
WINDOW = 51  # pixels: wider than a stroke
BAND = 20  # pixels along the border, which show the ground or what lies on it
EVEN = 12 / 255  # largest range of brightness of a ground without shadow
DARK = 16 / 255  # added to brightnesses before they are divided, since noise is all there is near black
FAINT = 0.12  # contrast of what may be ink
LINE_PARTS = 8  # parts of the width, all of which a ruled line crosses
LINE_TILTS = 20  # most pairs of pixels by which a ruled line rises or falls over the width
LINE_WIDTH = 9  # pixels: wider than a ruled line
SPECK = 0.08  # share of the largest component's area below which another is a speck
SMALLEST = 8  # pixels of a digit's longer side
STROKE_RANGE = 0.08, 0.22  # width of a stroke by its digit's longer side, in 94% of MNIST's training digits
BLANK = "the picture is blank: it needs light ink on a dark background, or dark ink on a light one"


def extract_ink(grey: np.ndarray, swap: bool = False) -> np.ndarray:
    """Return the ink of a handwritten digit in its bounding box, without shadow, frame, ruled lines and specks.

    Args:
        grey: uint8 (H, W), dark ink on a bright ground or the reverse.
        swap: Take for light what is found to be dark ink, and the reverse.

    Returns:
        uint8 (h, w), 0 for ground and 255 for ink, in strokes about as wide as MNIST's.

    Raises:
        UserError: There is no ink.
    """
    image = _resize(grey)
    contrast = measure_contrast(image, swap)
    if contrast.max() <= FAINT:  # of strokes wider than `WINDOW` there is no contrast
        contrast = measure_contrast(image, swap, flat=True)
    mask = contrast > FAINT
    if not mask.any():
        raise UserError(BLANK)
    for _ in range(2):  # the ink's own contrast, once it is known, tells it better from fainter lines and smudges
        mask = _drop_specks(_drop_lines(_drop_lines(mask).mT).mT)
        level = contrast[mask].quantile(0.75)
        mask = mask & (contrast > 0.4 * level)
    top, bottom, left, right = _box(mask)
    side = max(bottom - top, right - left)
    if side < SMALLEST:
        raise UserError("the picture is all but blank: its strokes are too small to be read")
    ink = (contrast / level).clamp(max=1) * _dilate(mask.float(), 3)
    ink = _fit_stroke(F.pad(ink, [BAND] * 4), _stroke_width(mask), side)
    top, bottom, left, right = _box(ink > 0.25)
    return (255 * ink[0, top:bottom, left:right]).round().byte().numpy()


def _resize(grey: np.ndarray) -> Tensor:
    """Return a picture as (1, h, w) in [0, 1], `SIDE` pixels at its longer side."""
    image = Image.fromarray(grey)
    scale = SIDE / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    return torch.from_numpy(np.asarray(image.resize((width, height), resampling), np.float32))[None] / 255


def measure_contrast(image: Tensor, swap: bool, flat: bool = False) -> Tensor:
    """Return how much darker than the ground each pixel is, or how much brighter where the ink is light.

    A shadow scales ink and paper alike, so their ratio tells the ink, while the ground varies slowly: what is narrower
    than `WINDOW` is ink (a morphological closing, Serra 1982).

    Args:
        image: Picture (1, h, w) in [0, 1].
        swap: See `extract_ink`.
        flat: Take the ground for even, as it is anyway where the border is.

    Returns:
        Contrast (1, h, w) in [0, 1).
    """
    h, w = image.shape[1:]
    band = torch.ones_like(image, dtype=torch.bool)
    band[:, BAND : h - BAND, BAND : w - BAND] = False
    low, middle, high = image[band].quantile(torch.tensor([0.05, 0.5, 0.95])).tolist()
    even = flat or (high - low < EVEN and not swap)  # the border is not the ground of what was swapped
    inset = slice(BAND // 2, -BAND // 2) if min(h, w) > 2 * BAND else slice(None)  # without a frame
    inner = image[:, inset, inset]
    difference = inner - (middle if even else _median(inner))
    light = bool(difference.clamp(min=0).square().sum() > difference.clamp(max=0).square().sum()) != swap
    sign = 1 if light else -1
    smooth = image if even else F.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
    ground = torch.full_like(image, middle) if even else -sign * _close(-sign * smooth)
    contrast = (sign * (smooth - ground)).clamp(min=0) / (torch.maximum(smooth, ground) + DARK)
    return (contrast - contrast.median()).clamp(min=0)


def _median(image: Tensor) -> Tensor:
    """Return the median around each pixel over about a third of the picture, found at a quarter of its size."""
    pixels = Image.fromarray((255 * image[0]).byte().numpy())
    small = pixels.reduce(4).filter(ImageFilter.MedianFilter(21)).resize(pixels.size, Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(small, np.float32))[None] / 255


def _dilate(x: Tensor, size: int) -> Tensor:
    """Return the maximum around each pixel over an odd number of pixels."""
    columns = F.max_pool2d(x, (size, 1), 1, (size // 2, 0))
    return F.max_pool2d(columns, (1, size), 1, (0, size // 2))


def _close(x: Tensor) -> Tensor:
    """Fill what is darker than its surroundings and narrower than `WINDOW`."""
    return -_dilate(-_dilate(x, WINDOW), WINDOW)


def _drop_lines(mask: Tensor) -> Tensor:
    """Drop thin lines from border to border of a mask (1, h, w), level or nearly so, but not where a stroke crosses."""
    column = LINE_WIDTH, 1
    eroded = -F.max_pool2d(-mask.float(), column, 1, (LINE_WIDTH // 2, 0))
    thin = F.max_pool2d(eroded, column, 1, (LINE_WIDTH // 2, 0)) == 0
    strokes = mask & ~(thin & _upsample(_find_lines(_halve(mask)), mask).bool())
    return strokes if strokes.any() else mask


def _find_lines(mask: Tensor) -> Tensor:
    """Return where lines run from border to border of a mask (1, h, w); they may leave it at the top or the bottom."""
    _, h, w = mask.shape
    if w < LINE_PARTS:
        return torch.zeros_like(mask)
    x, tilts = torch.arange(w), torch.arange(-LINE_TILTS, LINE_TILTS + 1)
    rises = (tilts[:, None, None] * (x / w - 0.5)).round().long()  # (tilts, 1, w)
    rows = torch.arange(-LINE_TILTS, h + LINE_TILTS)[:, None] + rises  # (tilts, rows, w)
    inside = (rows >= 0) & (rows < h)
    rows = rows.clamp(0, h - 1)
    covered = (mask[0].bool()[rows, x] | ~inside).float()
    n = w // LINE_PARTS * LINE_PARTS
    parts = covered[..., :n].unflatten(2, (LINE_PARTS, -1)).mean(3)
    is_line = (parts.amin(2) > 0.7) & (inside.float().mean(2) > 0.3)  # (tilts, rows)
    lines = torch.zeros_like(mask)
    lines[0, rows[is_line], x] = 1
    return _dilate(lines, 3)


def _drop_specks(mask: Tensor) -> Tensor:
    """Drop small components of a mask (1, h, w), and those that lie along the border, unless there are no others."""
    _, h, w = mask.shape
    labels = _label(mask).flatten()
    inner = torch.zeros_like(mask)
    inner[:, BAND // 2 : h - BAND // 2, BAND // 2 : w - BAND // 2] = True
    areas = torch.bincount(labels)
    inner_areas = torch.bincount(labels, inner.flatten().float(), len(areas))
    areas[0] = 0
    within = torch.where(inner_areas > 0.3 * areas, areas, 0)
    areas = within if within.any() else areas
    return (areas >= SPECK * areas.max())[labels].view_as(mask) & mask


def _label(mask: Tensor) -> Tensor:
    """Return the number of the component of each pixel of a mask (1, h, w), 0 outside; gaps of a pixel are bridged."""
    small = _halve(mask)
    labels = small * torch.arange(1, small.numel() + 1).view_as(small)
    while not torch.equal(labels, spread := _dilate(labels, 3) * small):
        labels = spread
    return (_upsample(labels, mask) * mask).long()


def _halve(mask: Tensor) -> Tensor:
    """Return the maximum of each 2 x 2 pixels of a mask (1, h, w), as float."""
    return F.max_pool2d(mask.float(), 2, ceil_mode=True)


def _upsample(x: Tensor, mask: Tensor) -> Tensor:
    """Repeat each pixel twice in each direction, as far as a mask goes."""
    return x.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, : mask.shape[1], : mask.shape[2]]


def _box(mask: Tensor) -> tuple[int, int, int, int]:
    """Return the first row, the one after the last, and the columns likewise, of a mask (1, h, w)."""
    rows, columns = (mask[0].any(axis).nonzero().flatten().tolist() for axis in (1, 0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def _stroke_width(mask: Tensor) -> float:
    """Estimate the width of the strokes of a mask (1, h, w): twice the area by the perimeter (Cauchy-Crofton)."""
    padded = F.pad(mask.float(), [1] * 4)
    edges = padded.diff(dim=1).abs().sum() + padded.diff(dim=2).abs().sum()
    return float(2 * mask.sum() / (math.pi / 4 * edges))


def _fit_stroke(ink: Tensor, width: float, side: int) -> Tensor:
    """Thicken or thin the strokes of ink (1, h, w) to `STROKE_RANGE`."""
    low, high = (share * side for share in STROKE_RANGE)
    change = round((min(max(width, low), high) - width) / 2)  # on each side of a stroke
    return _dilate(ink, 2 * change + 1) if change >= 0 else -_dilate(-ink, 1 - 2 * change)
