"""Mend: the score of digits applied to a picture: its noise taken away, its holes filled, its likelihood told."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from playground import exports, pictures
from playground.data.digits import crop, pad
from playground.tabs import Places, live
from playground.tabs.ddpm import forward, runs
from playground.tabs.score import digits, tasks
from playground.tabs.score.tasks import LOW, TASKS, Asked, Problem
from playground.ui import controls, drawing_pad, export, how, links, scrubber, source
from playground.ui.controls import unchecked
from playground.validation import UserError

TITLE, TAB = "Mend", "score.mend"
DENOISE, INPAINT, _ = TASKS
AREAS: dict[str, tuple[Any, ...]] = {
    tasks.LEFT: (..., slice(16)),
    tasks.LOWER: (..., slice(16, None), slice(None)),
    tasks.SQUARE: (..., slice(10, 22), slice(10, 22)),
}
HOW = f"""
One score, three tasks, three ways to follow it.

**Denoise.** The picture gets noise, and the reverse process runs from there. Each result is a sample of p(x₀ | y), one
of the pictures that may lie behind the noisy one, y. Tweedie's formula gives their mean in a single step: blurred, but
nearest on average. The squared error of a sample is twice that of the mean: its PSNR is 3 dB less. The probability flow
would give one and the same result each time.

**Inpaint.** Where the picture is known, the score leads to it; elsewhere it is the network's. Several steps of Langevin
dynamics at each level let the two agree; the reverse process, with one step a level, leaves more seams.

**Likelihood.** The probability flow leads from the picture to noise of σ = {tasks.FLAT:g}, whose density is known; by
how much it thins the density out on the way is estimated with random signs. What is computed is the continuous density
of pictures of 32 x 32 pixels in [−1, 1] with noise of σ = {LOW:g}, at the picture with such noise, y. It can't be
compared with the bits of discrete pictures, nor with another σ; in grey levels of 0 to 255 it would be log₂ 127.5 =
6.99 bits per dimension more. The 240 pixels of the border, always black, give about {-240 * tasks.entropy(LOW):.0f}
nats and tell nothing. *Beyond the noise* is log₂ p(y | x₀) / p(y): what is left when the noise is known. There the
border counts for nothing. A blank picture is likelier than a digit.

[Efron 2011](https://doi.org/10.1198/jasa.2011.tm11181) (Tweedie's formula) ·
[Vincent 2011](https://www.iro.umontreal.ca/~vincentp/Publications/smdae_techreport.pdf) (noise and score) ·
[Song 2019](https://arxiv.org/abs/1907.05600) (annealed) ·
[Song 2021](https://arxiv.org/abs/2011.13456) (reverse process, inpainting, likelihood) ·
[Hutchinson 1990](https://doi.org/10.1080/03610919008812866) (random signs)
"""


def picture(places: Places, asked: Asked, drawing: object, upload: object) -> Tensor:
    """The picture, (1, 1, 32, 32) in [-1, 1]."""
    if asked.picture == forward.MODEL:
        return forward.models_digit(places)
    return source.picture(asked.picture, asked.number, drawing, upload, places.data)


def missing(mask: str, painted: object) -> Tensor:
    """Where the picture is missing, bool (1, 1, 32, 32)."""
    if mask == tasks.PAINTED:
        ink = torch.from_numpy(drawing_pad.decode(painted).copy()) if painted else torch.zeros(28, 28)
        gone = pad(ink[None, None] / 127.5 - 1) > 0
    else:
        gone = torch.zeros(1, 1, 32, 32, dtype=torch.bool)
        gone[AREAS[mask]] = True
    if not gone.any():
        raise UserError("nothing is missing: paint what is to be filled in, or choose another mask")
    return gone


def linked(asked: Asked) -> dict[str, Any]:
    """The value of the link's button; what was drawn or uploaded fits into none."""
    drawn = asked.picture in (source.DRAWN, source.UPLOADED) or (asked.task, asked.mask) == (INPAINT, tasks.PAINTED)
    return links.value(TAB, None if drawn else asked)


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            go, stop = live.go_and_stop("score-mend")
            inputs, drawn, dice = _controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("A picture mended", "score-mend", "Press Sample: a few seconds.")
            code = how.build(HOW, TASKS[DENOISE].code)
            kept = gr.State(None, time_to_live=3600)
            export.build(kept, "score-mend", told="")
            link = links.build()

    @live.shown_on_stage(beside=3)
    def mend(drawing: object, upload: object, painted: object, *given: Any) -> Iterator[Any]:
        """Denoise a picture, fill its holes, or estimate its likelihood. Returns every frame as sprite sheets."""
        asked, moments = Asked(*given), list[Any]()
        task, filled = TASKS[asked.task], asked.task == INPAINT
        gone = missing(asked.mask if filled else tasks.LEFT, painted)
        problem = Problem(picture(places, asked, drawing, upload), gone)
        made = task.run(runs.load_model(places), asked, problem)

        def now(moment: Any) -> list[scrubber.Strip]:
            return task.strips(asked, problem, moments[0], [moment])

        yield from live.previews(made, task.steps(asked.evaluations), moments.append, now)
        shown = task.film(asked, problem, live.thinned(moments, digits.SHOWN))
        about = exports.origin(runs.NAME, asked, runs.provenance(places))
        run = export.of_film(f"{TAB}-seed{asked.seed}", about, shown)
        yield [scrubber.pack(**shown), run, linked(asked), how.source(task.code)]

    def opened(request: gr.Request) -> list[Any]:
        return live.opened(Asked, TAB, request)

    def shown_under(drawing: object, upload: object, *given: Any) -> Any:
        """What is mended, under the brush."""
        try:
            asked = Asked(*given)
            if (asked.task, asked.mask) != (INPAINT, tasks.PAINTED):
                return gr.skip()
            x0 = picture(places, asked, drawing, upload)
        except UserError:
            return drawing_pad.under(None)
        return drawing_pad.under(pictures.to_uint8(crop(x0))[0])

    sketch, upload, brush = drawn
    task, kind, number, mask, *_ = inputs
    changes = [*(each.input for each in (task, mask, kind, number)), sketch.change, upload.upload]
    gr.on(changes, shown_under, [sketch, upload, *inputs], brush, **controls.LIGHT, **controls.PRIVATE)
    live.listen(stage, live.Buttons(go, stop, dice), mend, inputs, [stage, kept, link, code], inputs[-1], "score_mend",
                beside=drawn, also=[inputs[0].input], quietly=[link.select])  # fmt: skip
    page.load(opened, None, [stage, link, *inputs], **controls.LIGHT, **controls.PRIVATE)


def _controls() -> tuple[list[Any], list[Any], gr.Button]:
    """The controls in the order of `Asked`; what is drawn, uploaded and painted; the dice."""
    default = Asked()
    task = gr.Radio(list(TASKS), value=default.task, label="Task", info="What the score is used for.",
                    elem_classes="chips")  # fmt: skip
    chosen = source.build("score-mend", forward.KINDS, "What is mended.")
    with gr.Column(visible=False) as masked:
        hint = "What is to be filled in."
        mask = gr.Radio(tasks.MASKS, value=default.mask, label="Missing", info=hint, elem_classes="chips")
    with gr.Column(visible=False) as painted:
        brush = drawing_pad.build("score-mend-mask", "paint what is missing")
    noise = gr.Slider(2 * LOW, 5, default.noise, step=0.1, label="Noise σ", info="Added; black to white is 2.")
    hint = "From the same picture: results, or probes of the likelihood."
    n = gr.Slider(tasks.BESIDE, 10, default.n, step=1, label="Results", info=hint)
    hint = "Of the network for each; more are slower, and better."
    evaluations = gr.Slider(10, 400, default.evaluations, step=10, label="Evaluations", info=hint)
    digit = gr.Dropdown(
        digits.DIGITS, value=default.digit, label="Digit", info="Whose score: of all digits, or of one."
    )
    seed, dice = controls.seed()

    def reveal(task: str, mask: str) -> list[Any]:
        shown = (task == DENOISE, task == INPAINT, task == INPAINT and mask == tasks.PAINTED)
        return [gr.update(visible=each) for each in shown]

    gr.on([task.change, mask.change], reveal, [task, mask], [noise, masked, painted], queue=False,
          **controls.HIDDEN, **controls.PRIVATE)  # fmt: skip
    kind, number, drawing, upload = chosen.inputs
    every = (task, kind, number, mask, noise, n, evaluations, digit, seed)
    return [unchecked(each) for each in every], [drawing, upload, brush], dice
