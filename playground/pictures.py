"""From tensors to pixels and back: the edge of the code where images become uint8."""

import math

import numpy as np
import torch
from torch import Tensor


def to_uint8(x: Tensor) -> np.ndarray:
    """(B, C, H, W) in [-1, 1] (beyond is clipped) -> uint8 (B, H, W, C)."""
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def grid(images: np.ndarray, columns: int | None = None, gap: int = 0) -> np.ndarray:
    """Lay uint8 (B, H, W, C) out in rows, as square as possible: (rows H, columns W, C); empty places are black."""
    n, h, w, c = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    padded = np.zeros((rows * columns, h + gap, w + gap, c), np.uint8)
    padded[:n, :h, :w] = images
    sheet = padded.reshape(rows, columns, h + gap, w + gap, c).transpose(0, 2, 1, 3, 4)
    return sheet.reshape(rows * (h + gap), columns * (w + gap), c)[: rows * (h + gap) - gap, : columns * (w + gap) - gap]
