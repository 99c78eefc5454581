"""The export panel: the animation, the frame on show, its pictures, and the command that makes them again."""

from collections.abc import Mapping, Sequence
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
        stem: of the names of its files.
        about: what each of them says of its making.
        strips: what is shown beside each other, each uint8 (F, N, H, W, C); the first are the pictures.
        marks: what the file of a frame says besides, one a frame.
    """

    stem: str
    about: dict[str, str]
    strips: Sequence[np.ndarray]
    marks: Sequence[Mapping[str, str]]


def of_diffusion(
    checkpoint: str,
    settings: Any,
    provenance: dict[str, Any],
    strips: Sequence[np.ndarray],
    steps: list[int],
    t: list[int],
) -> RunOnShow:
    """A run of a diffusion model: its family's `Settings`, and the step and the time of each frame."""
    about = exports.metadata(checkpoint, settings, provenance)
    return of_steps(f"{checkpoint}-seed{settings.seed}", about, strips, steps, t)


def of_steps(
    stem: str, about: dict[str, str], strips: Sequence[np.ndarray], steps: list[int], t: list[int]
) -> RunOnShow:
    """A run whose frames have a step and a time each."""
    marks = [{"step": str(step), "t": str(time)} for step, time in zip(steps, t, strict=True)]
    return RunOnShow(stem, about, strips, marks)


def of_film(stem: str, about: dict[str, str], shown: Mapping[str, Any]) -> RunOnShow:
    """What `scrubber.pack` is given, with what files say of its making."""
    strips = [strip.frames for strip in shown["strips"]]
    return RunOnShow(stem, about, strips, [{"frame": caption} for caption in shown["captions"]])


def build(kept: gr.State, scrubber_id: str, told: str = "The same pictures from the command line") -> gr.Code:
    """The panel for the run in `kept`; the frame on show is the scrubber's.

    Args:
        told: what the code is, which shows a command; nothing if there is none.
    """
    with gr.Accordion("Export", open=False):
        with gr.Row():
            buttons = [gr.Button(name, size="sm") for name in SAVED]
        command = gr.Code(label=told, language="shell", interactive=False, visible=bool(told))
        saving = download.build(f"{scrubber_id}-download")
        index = gr.Number(0, visible=False)
    for button, save in zip(buttons, SAVED.values(), strict=True):
        button.click(answered(save), [kept, index], saving, js=scrubber.at_frame(scrubber_id, 1), **controls.SLOW)
    return command


def save_animation(run: RunOnShow | None, _: object) -> dict[str, Any]:
    """The pictures of all frames, as a GIF."""
    run = _present(run)
    path = download.path(f"{run.stem}.gif")
    exports.gif(path, run.strips[0], run.about)
    return download.file(path)


def save_frame(run: RunOnShow | None, index: float) -> dict[str, Any]:
    """All strips of a frame, side by side."""
    run = _present(run)
    at = _at(run, index)
    return _saved(run, at, f"{run.stem}-frame{at}.png", run.strips)


def save_pictures(run: RunOnShow | None, index: float) -> dict[str, Any]:
    """The pictures of a frame."""
    run = _present(run)
    return _saved(run, _at(run, index), f"{run.stem}.png", run.strips[:1])


SAVED = {"Animation (GIF)": save_animation, "This frame (PNG)": save_frame, "Pictures (PNG)": save_pictures}


def _saved(run: RunOnShow, at: int, name: str, strips: Sequence[np.ndarray]) -> dict[str, Any]:
    path = download.path(name)
    grids = np.stack([pictures.grid(strip[at]) for strip in strips])
    exports.png(path, pictures.grid(grids, columns=len(grids), gap=4), {**run.about, **run.marks[at]})
    return download.file(path)


def _at(run: RunOnShow, index: float) -> int:
    return int(min(max(index, 0), len(run.marks) - 1))


def _present(run: RunOnShow | None) -> RunOnShow:
    if run is None:
        raise UserError("there is nothing to export (a run is kept for an hour): make one first")
    return run
