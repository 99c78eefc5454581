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
FIGURES_OF_TWO = {"name", "relation"}
TEXT = """
Each emoji was drawn once by {model} and compared, pixel by pixel, with the real one at the size and place that fit
best. An error of 1 is that of the autoencoder alone, which no picture here can be expected to beat. **Half of the emoji
have an error above {error_median:.1f}, a tenth above {error_p90:.1f}**; among all emoji of the font the right one is
the nearest in {nearest_of_font:.0%} of cases. {of_two}These come out worst; press one to have it drawn.
"""
TEXT_OF_TWO = (
    "Of pictures of two emoji {name:.0%} have both, and in {relation:.0%} of these each stands where it should. "
)


def build(paths: Paths, prompt: Control) -> gr.Dataset:
    """Build the panel about the first model; its samples are prompts, none if it was not measured."""
    name = CHECKPOINTS.first_name(paths)
    figures, of_two = read_figures(paths, name), read_figures(paths, name, results.TWO_EMOJI, FIGURES_OF_TWO)
    errors = rank(figures["error_by_emoji"])[:N_WORST] if figures else []
    with gr.Accordion("How good is it?", open=False, visible=bool(errors)):
        if errors:
            gr.Markdown(TEXT.format(**figures, model=name, of_two=TEXT_OF_TWO.format(**of_two) if of_two else ""))
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


def read_figures(paths: Paths, name: str, row: str = results.EVERY_EMOJI, needed: set[str] = FIGURES) -> JSONObject:
    """Return the figures of a row that were measured of a checkpoint, in its largest measurement; nothing without
    results of this very file."""
    with suppress(UserError, OSError):  # the scoreboard says what is wrong with the results, the tab with the file
        sha256 = checkpoint.sha256(CHECKPOINTS.path(paths, name))
        records = [
            record
            for record in results.read(paths.weights)["measurements"]
            if record.get("row") == row and record.get("sha256") == sha256 and {*record.get("figures", {})} >= needed
        ]
        if records:
            return max(records, key=lambda record: record.get("n", 0))["figures"]
    return {}
