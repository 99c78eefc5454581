"""Restore: the score of digits applied to a picture: its noise removed, its holes filled, its likelihood told."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import EllipsisType
from typing import NamedTuple

import gradio as gr
import torch
from torch import Tensor

from playground.datasets.mnist import crop
from playground.export import media
from playground.families import ddpm
from playground.families.score_matching import langevin, samplers
from playground.families.score_matching.likelihood import FLAT, LOW
from playground.runtime import pictures
from playground.runtime.paths import Paths
from playground.runtime.recording import subsample
from playground.runtime.run import Frame
from playground.runtime.validation import UserError
from playground.tabs.ddpm import forward, runs
from playground.tabs.score_matching import digits, inverse_films, inverse_params, inverse_problems
from playground.tabs.score_matching.inverse_params import DENOISE, INPAINT, PAINTED, Problem, ViewParams
from playground.web import controls, drawing_pad, explanation, export, image_picker, links, run_view, scrubber
from playground.web.component import Value
from playground.web.controls import Control, ControlValue
from playground.web.image_picker import ImagePicker, Sources
from playground.web.linked_run import LinkedRunView
from playground.web.live_run import LiveRun
from playground.web.scrubber import Film, Strip

TAB = "score_matching.restoration"
AREAS: dict[str, tuple[EllipsisType | slice, ...]] = {
    inverse_params.LEFT: (..., slice(16)),
    inverse_params.LOWER: (..., slice(16, None), slice(None)),
    inverse_params.SQUARE: (..., slice(10, 22), slice(10, 22)),
}
HOW = f"""
One score, three tasks, three ways to follow it.

**Denoise.** The picture gets noise, and the reverse process runs from there. Each result is a sample of p(x₀ | y), one
of the pictures that may lie behind the noisy one, y. Tweedie's formula gives their mean in a single step: blurred, but
nearest on average. The squared error of a sample is twice that of the mean: its PSNR is 3 dB less. The probability flow
would give one and the same result each time.

**Inpaint.** Where the picture is known, the score leads to it; elsewhere it is the network's. Several steps of Langevin
dynamics at each level let the two agree; the reverse process, with one step a level, leaves more seams.

**Likelihood.** The probability flow leads from the picture to noise of σ = {FLAT:g}, whose density is
known; by how much it thins the density out on the way is estimated with random signs. What is computed is the
continuous density of pictures of 32 x 32 pixels in [−1, 1] with noise of σ = {LOW:g}, at the picture with
such noise, y. It can't be compared with the bits of discrete pictures, nor with another σ; in grey levels of 0 to 255
it would be log₂ 127.5 = 6.99 bits per dimension more. The 240 pixels of the border, always black, give about
{-240 * inverse_problems.entropy(LOW):.0f} nats and tell nothing. *Beyond the noise* is log₂ p(y | x₀) / p(y): what is
left when the noise is known. There the border counts for nothing. A blank picture is likelier than a digit.

[Efron 2011](https://doi.org/10.1198/jasa.2011.tm11181) (Tweedie's formula) ·
[Vincent 2011](https://www.iro.umontreal.ca/~vincentp/Publications/smdae_techreport.pdf) (noise and score) ·
[Song 2019](https://arxiv.org/abs/1907.05600) (annealed) ·
[Song 2021](https://arxiv.org/abs/2011.13456) (reverse process, inpainting, likelihood) ·
[Hutchinson 1990](https://doi.org/10.1080/03610919008812866) (random signs)
"""


class Task(NamedTuple):
    """Task for the score."""

    # Function of a model, the parameters and the problem that returns the frames of a run.
    solve: Callable[[ddpm.Model, ViewParams, Problem], Iterator[Frame]]
    # Function that shows some frames, given also the first of all.
    strips: Callable[[ViewParams, Problem, Frame, Sequence[Frame]], list[Strip]]
    film: Callable[[ViewParams, Problem, Sequence[Frame]], Film]  # function that makes the film of the run
    code: Callable[..., object]  # function that is shown as the one that ran
    steps: Callable[[int], int]  # function from a number of evaluations to the number of steps


TASKS = {
    DENOISE: Task(
        inverse_problems.denoise, inverse_films.denoised_strips, inverse_films.denoised_film,
        langevin.predictor_corrector, samplers.SAMPLERS["reverse diffusion"].steps,
    ),
    INPAINT: Task(
        inverse_problems.inpaint, inverse_films.inpainted_strips, inverse_films.inpainted_film,
        langevin.inpainting_score, samplers.SAMPLERS["annealed"].steps,
    ),
    inverse_params.LIKELIHOOD: Task(
        inverse_problems.likelihood, inverse_films.likelihood_strips, inverse_films.likelihood_film,
        langevin.log_likelihood, lambda evaluations: evaluations // 2,
    ),
}  # fmt: skip


def picture(paths: Paths, params: ViewParams, sources: Sources) -> Tensor:
    """Return the picture, (1, C, H, W) in [-1, 1]."""
    return forward.load_picture(paths, params.model, params.picture, params.number, sources)


def missing(mask: str, painted: object) -> Tensor:
    """Return the mask of the missing pixels, bool (1, 1, 32, 32), or raise UserError if it is empty."""
    pixels = torch.zeros(1, 1, inverse_params.SIDE, inverse_params.SIDE, dtype=torch.bool)
    if mask != PAINTED:
        pixels[AREAS[mask]] = True
    elif isinstance(painted, str) and painted:  # for a moment the pad's value is the picture under the brush
        crop(pixels)[:] = torch.from_numpy(drawing_pad.decode(painted) > 127)
    if not pixels.any():
        raise UserError("nothing is missing: paint what is to be filled in, or choose another mask")
    return pixels


def linkable(params: ViewParams) -> ViewParams | None:
    """Return the parameters if a link can hold all that makes the run, which it cannot of a drawing or an upload."""
    is_drawn = params.picture in (image_picker.DRAWING, image_picker.UPLOAD) or params.painted
    return None if is_drawn else params


class RestorationView(LinkedRunView):
    """View of a picture that the score restores, or whose likelihood it tells."""

    TITLE = "Restore"
    HINT = (
        "The score of digits removes the noise of a picture, fills in what is missing, or says how likely it is. "
        "**Choose a task**, then draw a digit of your own."
    )
    picker, params_type, tab = runs.CHECKPOINTS, ViewParams, TAB
    image: ImagePicker
    drawings: list[Control]  # of the `Sources`, and the brush

    def __init__(self, paths: Paths):
        stage = partial(
            scrubber.build, "A picture restored", "score-restoration", "Denoising a first digit: a few seconds …"
        )
        super().__init__(paths, "score-restoration", stage, HOW, TASKS[DENOISE].code)
        self.outputs.append(self.layout.code)

    @run_view.follow_run
    def sample(
        self, drawing: object, upload: object, correction: object, painted: object, *values: ControlValue
    ) -> LiveRun[Frame]:
        """Denoise a picture, fill its holes, or estimate its likelihood. Returns every frame as sprite sheets."""
        params, frames = ViewParams(*values), list[Frame]()
        task = TASKS[params.task]
        mask = missing(params.mask if params.task == INPAINT else inverse_params.LEFT, painted)
        model = runs.CHECKPOINTS.load(self.paths, params.model)
        x0 = picture(self.paths, params, Sources(drawing, upload, correction))
        inverse_problems.check(model)
        problem = Problem(x0, mask)

        def finish() -> list[object]:
            film = task.film(params, problem, subsample(frames, digits.MAX_FRAMES))
            about = media.build_origin(runs.CHECKPOINTS.path(self.paths, params.model), params)
            run = export.from_film(f"{TAB}-seed{params.seed}", about | links.record(TAB, linkable(params)), film)
            return [scrubber.pack(film), run, links.value(TAB, linkable(params)), explanation.source(task.code)]

        return LiveRun(
            task.solve(model, params, problem), task.steps(params.evaluations), frames.append,
            lambda frame: task.strips(params, problem, frames[0], [frame]), finish, links.value(TAB, linkable(params)),
        )  # fmt: skip

    def update_brush(self, drawing: object, upload: object, correction: object, *values: ControlValue) -> Value:
        """Return the value of the brush's pad: the picture to restore under what is painted."""
        try:
            params = ViewParams(*values)
            if not params.painted:
                return gr.skip()
            x = crop(picture(self.paths, params, Sources(drawing, upload, correction)))
            return drawing_pad.pack_background(pictures.to_uint8(x)[0])
        except UserError:
            return drawing_pad.pack_background(None)

    def bind(self, page: gr.Blocks) -> None:
        *sources, brush = self.drawings
        model, task, _, _, mask, *_ = inputs = self.layout.inputs
        changes = [*self.image.changes, *self.image.choices, *(control.input for control in (model, task, mask))]
        gr.on(changes, self.update_brush, [*sources, *inputs], brush, **controls.LIGHT)
        self.bind_runs(page, [task.input], self.drawings)

    def build_controls(self) -> tuple[list[Control], gr.Button]:
        default, model = ViewParams(), runs.CHECKPOINTS.build(self.paths, info="Whose score is followed.")
        task = controls.radio(list(TASKS), default.task, "Task", "What the score is used for.")
        self.image = image_picker.build("score-restoration", forward.KINDS, "The picture to restore.",
                                        partial(runs.CHECKPOINTS.dataset, self.paths), [model])  # fmt: skip
        with gr.Column(visible=False) as mask_column:
            mask = controls.radio(inverse_params.MASKS, default.mask, "Missing", "The part that is to be filled in.")
        with gr.Column(visible=False) as brush_column:
            brush = drawing_pad.build("score-restoration-mask", "paint what is missing")
        noise = controls.slider(
            2 * LOW, 5, default.noise, 0.1, "Noise σ", "Standard deviation; from black to white is 2."
        )
        hint = "How many to make of the same picture; for the likelihood, how many random probes."
        n = controls.slider(inverse_params.N_REFERENCES, 10, default.n, 1, "Results", hint)
        hint = "How often the network is evaluated for each; more is slower and better."
        evaluations = controls.slider(10, 400, default.evaluations, 10, "Evaluations", hint)
        digit = controls.dropdown(digits.DIGITS, default.digit, "Digit", "Whose score: of all digits, or of one.")
        seed, new_seed = controls.seed()

        def show_controls(task: str, mask: str) -> list[object]:
            shown = task == DENOISE, task == INPAINT, task == INPAINT and mask == PAINTED
            return [gr.update(visible=visible) for visible in shown]

        optional = [noise, mask_column, brush_column]
        gr.on([task.change, mask.change], show_controls, [task, mask], optional, **controls.INSTANT)
        kind, number, *sources = self.image.inputs
        self.drawings = [*sources, brush]
        return [model, task, kind, number, mask, noise, n, evaluations, digit, seed], new_seed
