"""Export panel: the animation, the selected frame, its pictures, and the command line that makes them again."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import gradio as gr
import numpy as np

from playground.export import media
from playground.runtime import pictures
from playground.runtime.validation import UserError
from playground.web import controls, download, scrubber
from playground.web.component import Value
from playground.web.controls import user_errors_to_gradio
from playground.web.scrubber import Film


class ExportableRun(NamedTuple):
    """Run as one user's `gr.State` keeps it."""

    stem: str  # beginning of the names of its files
    about: dict[str, str]  # metadata of each file
    # Frames of the strips side by side, each uint8 (F, N, H, W, C); the first are the pictures.
    strips: Sequence[np.ndarray]
    marks: Sequence[Mapping[str, str]]  # more metadata for the file of a frame, one mapping per frame


def from_steps(
    stem: str, about: dict[str, str], strips: Sequence[np.ndarray], steps: list[int], t: list[int]
) -> ExportableRun:
    """Return a run whose frames have a step and a time each."""
    marks = [{"step": str(step), "t": str(time)} for step, time in zip(steps, t, strict=True)]
    return ExportableRun(stem, about, strips, marks)


def from_film(stem: str, about: dict[str, str], film: Film) -> ExportableRun:
    """Return the run of a film."""
    strips = [strip.frames for strip in film.strips]
    return ExportableRun(stem, about, strips, [{"frame": caption} for caption in film.captions])


COMMAND_LABEL = "The same pictures from the command line"
UNDER_WAY = "A run is in progress: the command is that of the previous run; files can be saved once it has finished."


def build(run: gr.State, stage: gr.HTML, command_label: str = COMMAND_LABEL) -> gr.Code:
    """Build the panel for a run and the frame selected in its scrubber; return the component for the command line,
    which is hidden if its label is ""."""
    with gr.Accordion("Export", open=False):
        gr.Markdown(UNDER_WAY, elem_classes="run-under-way")
        with gr.Row(elem_classes="needs-run"):
            buttons = [gr.Button(name, size="sm") for name in EXPORTS]
        command = gr.Code(label=command_label, language="shell", interactive=False, visible=bool(command_label))
        saving = download.build(f"{stage.elem_id}-download")
        index = gr.Number(0, visible=False)
    for button, save in zip(buttons, EXPORTS.values(), strict=True):
        button.click(
            user_errors_to_gradio(save), [run, index], saving, js=scrubber.frame_index_js(stage, 1), **controls.SLOW
        )
    return command


def save_animation(run: ExportableRun | None, index: float) -> Value:
    """Save the pictures of all frames as a GIF."""
    run = _check_run(run, index)
    suffix = ".gif" if "step" in run.marks[0] else ".png"  # the command line animates runs of steps alone
    about = media.change_out(run.about, f"{run.stem}{suffix}")
    return download.save(f"{run.stem}.gif", media.write_gif, run.strips[0], about)


def save_frame(run: ExportableRun | None, index: float) -> Value:
    """Save all strips of a frame side by side."""
    run = _check_run(run, index)
    frame = _clamp_index(run, index)
    return _save(run, frame, f"{run.stem}-frame{frame}.png", run.strips)


def save_pictures(run: ExportableRun | None, index: float) -> Value:
    """Save the pictures of a frame."""
    run = _check_run(run, index)
    return _save(run, _clamp_index(run, index), f"{run.stem}.png", run.strips[:1])


EXPORTS: dict[str, Callable[[ExportableRun | None, float], Value]] = {
    "Animation (GIF)": save_animation,
    "This frame (PNG)": save_frame,
    "Pictures (PNG)": save_pictures,
}


def _save(run: ExportableRun, frame: int, name: str, strips: Sequence[np.ndarray]) -> Value:
    grids = np.stack([pictures.make_grid(strip[frame]) for strip in strips])
    about = {**media.change_out(run.about, f"{run.stem}.png"), **run.marks[frame]}
    return download.save(name, media.write_png, pictures.make_grid(grids, columns=len(grids), gap=4), about)


def _clamp_index(run: ExportableRun, index: float) -> int:
    return int(min(max(index, 0), len(run.marks) - 1))


def _check_run(run: ExportableRun | None, index: float) -> ExportableRun:
    """Return the run, or raise UserError if it is no longer kept or another is under way."""
    if index < 0:
        raise UserError(UNDER_WAY)
    return controls.check_kept(run)
