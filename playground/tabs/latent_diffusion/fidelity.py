"""How good the pictures are: the emoji that are drawn worst, as the evaluation measured them."""

from contextlib import suppress

import gradio as gr

from playground.datasets.captions import with_article
from playground.runtime import checkpoint, results
from playground.runtime.checkpoint import JSONObject
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.latent_diffusion.runs import CHECKPOINTS
from playground.web.controls import Control

N_WORST = 10
FIGURES = {"error_median", "error_p90", "nearest_of_font", "error_by_emoji"}
TEXT = """
Each emoji was drawn once and compared, pixel by pixel, with the real one at the size and place that fit best. An error
of 1 is that of the autoencoder alone, which no picture here can be expected to beat. **Half of the emoji have an error
above {error_median:.1f}, a tenth above {error_p90:.1f}**; among all emoji of the font the right one is the nearest in
{nearest_of_font:.0%} of cases. These come out worst; press one to have it drawn.
"""


def build(paths: Paths, prompt: Control) -> gr.Dataset:
    """Build the panel about the first model; its samples are prompts, none if it was not measured."""
    figures = read_figures(paths, CHECKPOINTS.first_name(paths))
    errors = rank(figures["error_by_emoji"])[:N_WORST] if figures else []
    with gr.Accordion("How good is it?", open=False, visible=bool(errors)):
        if errors:
            gr.Markdown(TEXT.format(**figures))
        return gr.Dataset(
            components=[prompt],
            samples=[[with_article(name, 0)] for name, _ in errors],
            sample_labels=[f"{name}: {error:.1f}" for name, error in errors],
            samples_per_page=N_WORST,
            label="Emoji and their errors",
            type="values",
        )


def rank(errors: dict[str, float]) -> list[tuple[str, float]]:
    """Return emoji with their errors, the largest first."""
    return sorted(errors.items(), key=lambda entry: -entry[1])


def read_figures(paths: Paths, name: str) -> JSONObject:
    """Return what was measured of every emoji drawn by a checkpoint; nothing without results of this very file."""
    with suppress(UserError, OSError):  # the scoreboard says what is wrong with the results, the tab with the file
        sha256 = checkpoint.sha256(CHECKPOINTS.path(paths, name))
        for record in results.read(paths.weights)["measurements"]:
            if record.get("row") == results.EVERY_EMOJI and record.get("sha256") == sha256:
                figures = record.get("figures", {})
                return figures if {*figures} >= FIGURES else {}
    return {}
