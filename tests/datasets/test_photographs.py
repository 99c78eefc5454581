"""Tests of the reading of photographed digits: synthetic photographs, made here of a generator's digits.

Those of MNIST would have to be downloaded.
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFilter

import playground
from playground.datasets import mnist
from playground.runtime import checkpoint

SIDE = 420
N = 60


def photograph(digit: torch.Tensor, rng: np.random.Generator, shadow: float) -> np.ndarray:
    """Return a photograph uint8 (H, W) of a digit (1, 28, 28) in [0, 1], in dark ink or light."""
    side = int(rng.uniform(0.35, 0.75) * SIDE)
    coverage = F.interpolate(digit[None], size=(side, side), mode="bicubic", align_corners=False).clamp(0, 1)[0, 0]
    paper, ink = rng.uniform(190, 250), rng.uniform(15, 100)
    if rng.random() < 0.25:
        paper, ink = rng.uniform(25, 60), rng.uniform(170, 245)
    page = Image.new("F", (SIDE, SIDE), paper)
    pen = ImageDraw.Draw(page)
    if rng.random() < 0.4:  # ruled lines
        for y in range(int(rng.uniform(10, 40)), SIDE, int(rng.uniform(35, 70))):
            pen.line([(0, y), (SIDE, y)], fill=paper + 0.45 * (ink - paper), width=2)
    left, top = (int(rng.uniform(0.08 * SIDE, 0.92 * SIDE - side)) for _ in range(2))
    mask = Image.fromarray((255 * coverage.numpy()).astype(np.uint8))
    page.paste(ink, (left, top), mask)
    page = page.rotate(rng.uniform(-7, 7), Image.Resampling.BICUBIC, fillcolor=paper)
    if rng.random() < 0.4:  # specks
        for _ in range(4):
            x, y = rng.uniform(8, SIDE - 8, 2)
            ImageDraw.Draw(page).ellipse([x, y, x + 4, y + 4], fill=ink)
    light = illumination(rng, shadow)
    pixels = np.asarray(page) * light
    picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(rng.uniform(0, 1.8))
    )
    if rng.random() < 0.4:  # a thin black frame
        ImageDraw.Draw(picture).rectangle([0, 0, SIDE - 1, SIDE - 1], outline=0, width=int(rng.integers(1, 5)))
    noisy = np.asarray(picture) + rng.normal(0, rng.uniform(0, 8), (SIDE, SIDE))
    return noisy.clip(0, 255).astype(np.uint8)


def illumination(rng: np.random.Generator, shadow: float) -> np.ndarray:
    """Return the share of the light that reaches each pixel: a shadow with a sharp or a soft edge."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    angle = rng.uniform(0, 2 * math.pi)
    across = np.cos(angle) * x + np.sin(angle) * y - rng.uniform(-0.2, 0.2)
    return 1 - shadow / (1 + np.exp(-across / rng.uniform(0.005, 0.2)))


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    images = playground.load("gan-digits-conditional").sample(n=N).images()  # (N, 32, 32, 1)
    return torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1


@pytest.mark.slow
@torch.no_grad()
def test_the_judge_reads_photographs_as_it_reads_the_clean_digits(digits):
    judge = checkpoint.load(checkpoint.WEIGHTS / "judge-digits.safetensors")
    rng = np.random.default_rng(0)
    pictures = [photograph((digit + 1)[:, 2:-2, 2:-2] / 2, rng, 0.6 * i / (N - 1)) for i, digit in enumerate(digits)]
    clean = judge(digits).argmax(1)
    read = judge(torch.cat([mnist.normalize(picture) for picture in pictures])).argmax(1)
    assert (read == clean).float().mean() >= 0.95


def test_ink_can_be_called_ground():
    """A white stroke on a black label on white paper."""
    grey = np.full((200, 200), 255, np.uint8)
    grey[70:130, 70:130] = 0
    grey[80:120, 95:105] = 255
    label, stroke = (mnist.normalize(grey, swap)[0, 0] for swap in (False, True))
    assert (label[16, 16], label[16, 8]) == (-1, 1)
    assert (stroke[16, 16], stroke[16, 8]) == (1, -1)
