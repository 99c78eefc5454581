"""The export panel: the animation, the frame on show, the pictures, and the command that makes them again."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr
import numpy as np

from playground import exports, pictures
from playground.ui import controls, download, scrubber
from playground.ui.controls import answered
from playground.validation import UserError


class RunOnShow(NamedTuple):
    """As one user's `gr.State` keeps it.

    Attributes:
        strips: what is shown beside each other, each uint8 (F, N, H, W, C); the first ends with the finished pictures.
        steps, t: of each frame.
    """

    checkpoint: str
    settings: Any
    provenance: dict[str, Any]
    strips: Sequence[np.ndarray]
    steps: Sequence[int]
    t: Sequence[int]

    @property
    def about(self) -> dict[str, str]:
        return exports.metadata(self.checkpoint, self.settings, self.provenance)

    @property
    def command(self) -> str:
        return exports.command_line(self.checkpoint, self.settings, "grid.png")

    @property
    def stem(self) -> str:
        """Of the names of its files."""
        return f"{self.checkpoint}-seed{self.settings.seed}"


def build(kept: gr.State, scrubber_id: str) -> gr.Code:
    """The panel for the run in `kept`; the frame on show is the scrubber's. The code shows the run's command."""
    with gr.Accordion("Export", open=False):
        with gr.Row():
            animation = gr.Button("Animation (GIF)", size="sm")
            frame = gr.Button("This frame (PNG)", size="sm")
            final = gr.Button("Pictures (PNG)", size="sm")
        command = gr.Code(label="The same pictures from the command line", language="shell", interactive=False)
        saving = download.build(f"{scrubber_id}-download")
        index = gr.Number(0, visible=False)
    where = scrubber.at_frame(scrubber_id, 1)
    animation.click(answered(save_animation), kept, saving, **controls.SLOW)
    frame.click(answered(save_frame), [kept, index], saving, js=where, **controls.SLOW)
    final.click(answered(save_pictures), kept, saving, **controls.SLOW)
    return command


def save_animation(run: RunOnShow | None) -> dict[str, Any]:
    """The run as a GIF."""
    run = _present(run)
    path = download.path(f"{run.stem}.gif")
    exports.gif(path, run.strips[0], run.about)
    return download.file(path)


def save_frame(run: RunOnShow | None, index: float) -> dict[str, Any]:
    """The strips of one frame, side by side."""
    run = _present(run)
    at = int(min(max(index, 0), len(run.steps) - 1))
    grids = np.stack([pictures.grid(strip[at]) for strip in run.strips])
    path = download.path(f"{run.stem}-t{run.t[at]}.png")
    about = run.about | {"step": str(run.steps[at]), "t": str(run.t[at])}
    exports.png(path, pictures.grid(grids, columns=len(grids), gap=4), about)
    return download.file(path)


def save_pictures(run: RunOnShow | None) -> dict[str, Any]:
    """The finished pictures."""
    run = _present(run)
    path = download.path(f"{run.stem}.png")
    exports.png(path, pictures.grid(run.strips[0][-1]), run.about)
    return download.file(path)


def _present(run: RunOnShow | None) -> RunOnShow:
    if run is None:
        raise UserError("there is no run to export (one is kept for an hour): press Sample first")
    return run
