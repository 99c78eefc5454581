"""Marks drawn with particles: the score as arrows below them, and behind them trails of where they were."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from playground.families.score_matching.langevin import Score
from playground.tabs.score_matching.lab_pictures import arrow_grid, scale_arrows

N_TRAILS, MEMORY = 12, 4  # particles that leave a trail, and frames that it goes back
ARROWS = 11  # a side
ARROW, TRAIL = (150, 165, 190), (150, 80, 30)  # red, green and blue
HEAD = 0.3  # length of the two lines of an arrow's head, as a share of the arrow
TURN = torch.tensor([[-0.87, 0.5], [-0.5, -0.87]])  # by 150 degrees


@torch.no_grad()
def draw(
    sheet: np.ndarray, score: Score, sigma: float, past: Sequence[Tensor], to_pixels: Callable[[Tensor], Tensor]
) -> np.ndarray:
    """Return a picture with arrows and trails drawn into it.

    Args:
        sheet: The picture, uint8 (H, W, 3).
        score: The score that the particles follow; the longest arrow of a picture always has the same length.
        sigma: The noise level.
        past: Places of the particles (N, 2) in the frames before and in this one.
        to_pixels: Maps points of the plane (..., 2) to pixels from the left and the top.
    """
    image = Image.fromarray(sheet)
    pen, start = ImageDraw.Draw(image), arrow_grid(ARROWS)
    slope = score(start, sigma)
    offset = scale_arrows(slope, slope.norm(dim=1).max())
    lines = [(torch.stack([start, start + offset], 1), ARROW)]
    for turn in (TURN, TURN.T):
        lines.append((torch.stack([start + offset, start + offset + HEAD * offset @ turn.T], 1), ARROW))
    if len(past) > 1:
        lines.append((torch.stack([x[:N_TRAILS] for x in past], 1), TRAIL))
    for polylines, colour in lines:  # (N, points, 2)
        for line in to_pixels(polylines).flatten(1).tolist():
            pen.line(line, fill=colour)
    return np.array(image)  # which may be drawn into, unlike that of np.asarray
