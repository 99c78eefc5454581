"""The panel on how good text to image is tells what was measured, and of the file that is shown."""

import json
import re
import shutil
import statistics
from pathlib import Path

import gradio as gr
import pytest

from playground.datasets import emoji
from playground.runtime import results
from playground.runtime.checkpoint import WEIGHTS
from playground.runtime.paths import Paths
from playground.tabs.latent_diffusion import fidelity
from playground.tabs.latent_diffusion.runs import CHECKPOINTS

PATHS = Paths(WEIGHTS, Path("data"))
NAME = CHECKPOINTS.first_name(PATHS)


def test_the_emoji_drawn_worst_are_those_of_the_largest_measured_errors() -> None:
    figures = fidelity.read_figures(PATHS, NAME)
    ranked = fidelity.rank(figures["error_by_emoji"])
    assert {name for name, _ in ranked} == set(emoji.CORE)
    errors = [error for _, error in ranked]
    assert errors == sorted(errors, reverse=True)
    assert statistics.median(errors) == pytest.approx(figures["error_median"], abs=0.05)
    with gr.Blocks():
        samples = fidelity.build(PATHS, gr.Textbox()).samples
    assert [re.sub("^an? ", "", text) for (text,) in samples] == [name for name, _ in ranked[:10]]


def test_figures_of_another_file_are_not_told(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS / f"{NAME}.safetensors", tmp_path)
    folder = Paths(tmp_path, tmp_path)
    assert not fidelity.read_figures(folder, NAME), "there are no results"
    record = {"row": "every emoji", "sha256": "of another file", "figures": {"error_median": 1.0}}
    (tmp_path / results.FILE).write_text(json.dumps({"tables": {}, "measurements": [record]}))
    assert not fidelity.read_figures(folder, NAME)
