"""python -m train.evaluation.emoji_sheet: draw every emoji beside its render, the worst first."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from PIL import Image
from torch import Tensor

from playground.datasets import scenes
from playground.families.latent_diffusion import Settings
from playground.runtime import checkpoint, files, pictures
from playground.runtime.validation import UserError
from train.evaluation.prompt_fidelity import PromptEvaluator

COLUMNS = 14  # pairs of a row
SIDE = 48  # pixels of a picture
GAP = 4  # pixels between pairs


@dataclass(frozen=True)
class Options:
    """Draw every emoji, each beside its render, the worst first."""

    path: Path = checkpoint.WEIGHTS / "text-to-image-emoji.safetensors"  # Checkpoint of text to image.
    data: Path = Path("data")  # Folder of the emoji font, if the system has none.
    out: Path = Path("docs/emoji.webp")  # File of the picture.


def draw(options: Options) -> np.ndarray:
    """Return the sheet, uint8 (H, W, 3): in each pair the model's picture and the render that fits it best."""
    evaluator = PromptEvaluator(options.path, options.data)
    x, fitted, errors = evaluator.draw_every_emoji(Settings(prompt=""))
    return lay_out(x, scenes.render(fitted, evaluator.glyphs), errors)


def lay_out(x: Tensor, renders: Tensor, errors: Tensor) -> np.ndarray:
    """Return pictures and renders (n, 3, S, S) in [-1, 1] as pairs in rows of `COLUMNS`, largest error (n,) first."""
    order = errors.argsort(descending=True)
    pairs = F.interpolate(torch.cat([x[order], renders[order]], dim=3), size=(SIDE, 2 * SIDE), mode="area")
    return pictures.make_grid(pictures.to_uint8(pairs), COLUMNS, GAP)


if __name__ == "__main__":
    options = tyro.cli(Options, description=__doc__)
    try:
        sheet = Image.fromarray(draw(options))
        with files.atomic_write(options.out) as file:
            sheet.save(file, "WEBP", quality=75, method=6)
    except UserError as error:
        sys.exit(str(error))
