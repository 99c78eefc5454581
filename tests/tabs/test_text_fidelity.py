"""The panel on how good text to image is tells what was measured, and of the file that is shown."""

import json
import re
import shutil
import statistics
from pathlib import Path

import gradio as gr
import pytest
from shipped import SHIPPED

from playground.datasets import emoji
from playground.runtime import checkpoint, results
from playground.runtime.checkpoint import WEIGHTS
from playground.runtime.paths import Paths
from playground.tabs.latent_diffusion import fidelity
from playground.tabs.latent_diffusion.runs import CHECKPOINTS

NAME = CHECKPOINTS.first_name(SHIPPED)


def test_the_emoji_drawn_worst_are_those_of_the_largest_measured_errors() -> None:
    figures = fidelity.read_figures(SHIPPED, NAME)
    ranked = fidelity.rank(figures["error_by_emoji"])
    assert {name for name, _ in ranked} == set(emoji.CORE)
    errors = [error for _, error in ranked]
    assert errors == sorted(errors, reverse=True)
    assert statistics.median(errors) == pytest.approx(figures["error_median"], abs=0.05)
    with gr.Blocks():
        samples = fidelity.build(SHIPPED, gr.Textbox()).samples
    assert [re.sub("^an? ", "", text) for (text,) in samples] == [name for name, _ in ranked[:10]]


def test_pictures_of_two_emoji_are_told_as_measured_of_most_pictures(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS / f"{NAME}.safetensors", tmp_path)
    sha256 = checkpoint.sha256(tmp_path / f"{NAME}.safetensors")

    def record(row: str, n: int, **figures: object) -> dict[str, object]:
        return {"row": row, "sha256": sha256, "n": n, "figures": figures}

    every = record("every emoji", 2, error_median=1.0, error_p90=2.0, nearest_of_font=1.0, error_by_emoji={"owl": 1.0})
    pairs = [record("two emoji", n, name=share, relation=0.5) for n, share in ((10, 0.1), (90, 0.25), (20, 0.3))]
    told = [tell(tmp_path, records) for records in ([every, *pairs], [every])]
    assert "Of pictures of two emoji 25% have both, and in 50% of these each stands where it should." in told[0]
    assert "two emoji" not in told[1]
    assert all(f"drawn once by {NAME}" in text for text in told), "whatever model is chosen"


def tell(folder: Path, measurements: list[dict[str, object]]) -> str:
    """Return the text of the panel for measurements."""
    (folder / results.FILE).write_text(json.dumps({"tables": {}, "measurements": measurements}))
    with gr.Blocks() as page:
        fidelity.build(Paths(folder, folder), gr.Textbox())
    return next(block.value for block in page.blocks.values() if isinstance(block, gr.Markdown))


def test_figures_of_another_file_are_not_told(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS / f"{NAME}.safetensors", tmp_path)
    folder = Paths(tmp_path, tmp_path)
    assert not fidelity.read_figures(folder, NAME), "there are no results"
    record = {"row": "every emoji", "sha256": "of another file", "figures": {"error_median": 1.0}}
    (tmp_path / results.FILE).write_text(json.dumps({"tables": {}, "measurements": [record]}))
    assert not fidelity.read_figures(folder, NAME)
