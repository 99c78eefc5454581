"""Latent space: the path from one picture to another in pixels and in latents, and pictures made of a picture by noise
and a prompt."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, replace
from functools import partial
from typing import Any

import gradio as gr
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from playground.datasets import emoji, scenes
from playground.datasets.scenes import BACKGROUNDS
from playground.export import media
from playground.families import latent_diffusion
from playground.families.autoencoder import Model as Autoencoder
from playground.nn import interpolation
from playground.runtime import pictures
from playground.runtime.paths import Paths
from playground.runtime.run import Frame
from playground.runtime.validation import UserError
from playground.tabs.latent_diffusion import runs
from playground.tabs.latent_diffusion.latent_pictures import decoded, principal, render_emoji
from playground.tabs.latent_diffusion.latent_space_params import (
    DRAWING,
    EMOJI,
    KINDS,
    TAB,
    OnShow,
    ViewParams,
    linkable,
)
from playground.tabs.latent_diffusion.prompt_line import PromptLine
from playground.tabs.latent_diffusion.recorder import Recorder
from playground.tabs.latent_diffusion.runs import CHECKPOINTS, load_model, preview, read_prompts
from playground.web import (
    component,
    controls,
    drawing_pad,
    explanation,
    export,
    formula,
    image_picker,
    links,
    palette,
    run_view,
    scrubber,
)
from playground.web.component import Value
from playground.web.controls import Control, ControlValue, Trigger, error_sentence, skip_preprocess
from playground.web.image_picker import Sources
from playground.web.live_run import LiveRun
from playground.web.scrubber import Curve, Film, Strip
from playground.web.stop import Outputs, Unfinished, keep_run
from playground.web.view import StageView

FRAMES = 25
HOW = """
The autoencoder never saw a prompt: it turns 64x64 pixels in three colours into 16x16 places of four numbers, a twelfth
as many, and back. Diffusion works on those. Halfway between two latents lies the latent of a picture that is neither;
halfway between two pictures lies only a double exposure.

To edit a picture, noise is added to it for part of the way and removed again under a prompt: the higher the strength,
the less of the picture remains.

[Rombach 2022](https://arxiv.org/abs/2112.10752), section 3.1 (autoencoder) ·
[Meng 2022](https://arxiv.org/abs/2108.01073) (SDEdit)
"""


def picture(paths: Paths, params: ViewParams, sources: Sources) -> Tensor:
    """Return the first picture, (1, 3, 64, 64) in [-1, 1]."""
    if params.kind == EMOJI:
        return render_emoji(paths, params.name, params.ground)
    if params.kind == DRAWING:
        ink = torch.from_numpy(drawing_pad.decode(sources.drawing).copy()).float()[None, None] / 255
        ground = torch.tensor(BACKGROUNDS[params.ground])[:, None, None] / 255
        large = F.interpolate(ink, [scenes.SIZE] * 2, mode="bilinear")
        return 2 * (ground + large * (1 - ground)) - 1
    return pictures.from_uint8(read_square(sources.upload, sources.correction).copy())[None]


def read_square(upload: object, correction: object) -> np.ndarray:
    """Return the central square of an upload, or of the part in its correction, as the autoencoder knows pictures."""
    path, (box, _) = image_picker.read_upload(Sources("", upload, correction))
    return pictures.open_square(path, scenes.SIZE, box=box)


@torch.no_grad()
def make_film(model: latent_diffusion.Model, params: ViewParams, x: Tensor, x_to: Tensor) -> Film:
    """Return the path from one picture to another, each (1, 3, 64, 64), in pixels and in latents."""
    autoencoder: Autoencoder = model.components().autoencoder
    ends = autoencoder.encode(torch.cat([x, x_to]))
    first, last = ends.flatten(1)
    z = interpolation.slerp(first, last, FRAMES).unflatten(1, ends.shape[1:])[:, None]  # (F, 1, c, h, w)
    shares = torch.linspace(0, 1, FRAMES)
    faded = torch.lerp(x, x_to, shares[:, None, None, None])
    images = decoded(model, z)
    reconstructions = pictures.from_uint8(images[[0, -1], 0])
    psnr = pictures.psnr(reconstructions, torch.cat([x, x_to])).tolist()
    size = z.square().mean((1, 2, 3, 4)).sqrt().tolist()
    return Film(
        [
            Strip("between the pixels", "both pictures, faded", pictures.to_uint8(faded)[:, None]),
            Strip("between the latents", "three principal components as colours", principal(z, images.shape[2])),
            Strip("decoded", "what the decoder makes of that latent", images),
        ],
        [
            f"{share:.0%} of the way"
            + (f" · there and back: PSNR {psnr[k // (FRAMES - 1)]:.1f} dB" if k in (0, FRAMES - 1) else "")
            for k, share in enumerate(shares.tolist())
        ],
        (params.name if params.kind == EMOJI else "your picture", params.to),
        curves=[Curve.of("size of the latent", "Root mean square; on average 1 for the latents of pictures.",
                         palette.DATA, size)],
        formula=formula.render([interpolation.SLERP]),
        numbers={"share": [f"{share:.2f}" for share in shares.tolist()]},
        start=FRAMES // 2,
        keep=True,
    )  # fmt: skip


class LatentSpaceView(StageView):
    """Exchange between the controls and two scrubbers: the path to another picture, and a run from the first.

    Attributes:
        sources, source_changes: Controls of the `Sources`, and their events.
        path_inputs, run_inputs: Controls in the order of `ViewParams`: those of the path, and the others.
    """

    TITLE = "Latent space"
    HINT = (
        "Halfway between two pictures lies a double exposure, between their latents a picture that is neither. **Drag "
        "the slider**, then edit a picture with a prompt."
    )

    def __init__(self, paths: Paths):
        self.paths = paths
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                self.path_inputs, self.sources, self.source_changes = _build_path_controls(paths)
                self.run_inputs, self.buttons = _build_run_controls(paths, self.path_inputs[0])
            with controls.stage_column(with_settings=False):
                gr.Markdown("**From one picture to another**")
                text = "Encoding a first picture …"
                self.path_stage = scrubber.build("From one latent to another", "text-inside", text)
                gr.Markdown("**The edited picture**")
                text = "Press Sample to edit the picture."
                self.run_stage = scrubber.build("The edited picture", "text-varied", text)
                explanation.build(HOW, latent_diffusion.sdedit)
                run_state = gr.State(None, time_to_live=3600)
                export.build(run_state, self.run_stage, command_label="")
                self.link = links.build()
        self.on_show = gr.State(OnShow())
        self.outputs = [self.run_stage, run_state, self.link]

    def show_path(self, on_show: OnShow, *values: ControlValue, address: bool = True) -> object:
        """Return the path from the first picture to another, and the link, which goes into the page's `address`, or
        not; nothing new if a newer one is asked for."""
        number = on_show.next_number(values)
        params = None
        try:
            stage_value, params = self._path(*values)
        except UserError as error:
            stage_value = component.message(error_sentence(error), outdated=True)
        if number != on_show.newest:
            return gr.skip()
        on_show.path = params
        return [stage_value, on_show.link_value(address)]

    def _path(
        self, drawing: object, upload: object, correction: object, *values: ControlValue
    ) -> tuple[Value, ViewParams]:
        """Return the value of the path's scrubber, and its parameters."""
        params = ViewParams(*values)
        model = load_model(self.paths, params.model)
        x = picture(self.paths, params, Sources(drawing, upload, correction))
        film = make_film(model, params, x, render_emoji(self.paths, params.to, params.to_ground))
        return scrubber.pack(film), params

    def sample(self, on_show: OnShow, *values: ControlValue) -> Iterator[Outputs]:
        """Make something of a picture by noise and a prompt. Returns every frame as sprite sheets."""

        def add_link(outputs: Sequence[object]) -> list[object]:
            """Return values of the outputs with the link in place of the parameters of a run."""
            *others, params = outputs
            if not isinstance(params, ViewParams):
                return [*outputs]
            on_show.run = params
            return [*others, on_show.link_value()]

        for outputs in self._sample(*values):
            if isinstance(outputs, Unfinished):
                outputs.finish = partial(lambda finish: add_link(finish()), outputs.finish)
                yield outputs
            else:
                yield add_link(outputs)

    @run_view.follow_run
    def _sample(self, drawing: object, upload: object, correction: object, *values: ControlValue) -> LiveRun[Frame]:
        """Return a run, which has its parameters at its end in place of the link."""
        params = ViewParams(*values)
        model = load_model(self.paths, params.model)
        x = picture(self.paths, params, Sources(drawing, upload, correction))
        with torch.no_grad():
            z0 = model.components().autoencoder.encode(x)
        read = read_prompts(self.paths, params.model, params.settings)
        recorder = Recorder(model, read, params.strength)
        frames = latent_diffusion.sdedit(model, read, z0, params.strength)

        def finish() -> list[object]:
            path, run = CHECKPOINTS.path(self.paths, params.model), recorder.run()
            about = media.build_origin(path, replace(params, prompt=read.prompt)) | links.record(TAB, linkable(params))
            run_state = export.from_steps(f"{TAB}-seed{params.seed}", about, [run.x0_hat], run.steps, run.t)
            return [scrubber.pack(runs.make_film(model, run)), run_state, params]

        steps = len(recorder.times) - 1
        return LiveRun(frames, steps, recorder.add, partial(preview, model), finish, links.value(TAB, linkable(params)))

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the controls as the address sets them; the path is made when the view is first seen."""
        params, address, wrong = CHECKPOINTS.settings_from_request(self.paths, ViewParams, TAB, request)
        values = CHECKPOINTS.control_values(self.paths, astuple(params))
        return [wrong, links.value(TAB, params, address), *values, address]

    def show_first(self, on_show: OnShow, is_linked: bool, notice: str, *values: ControlValue) -> object:
        """Return the path with which the view opens, and what is wrong with the page's address; that asks for a run
        only if it did so before."""
        answer = self.show_path(on_show, *values, address=is_linked)
        if not notice or not isinstance(answer, list):
            return answer
        stage_value, link = answer
        return [stage_value | {"notice": notice}, link]

    def sample_linked(self, is_linked: bool, *values: Any) -> Iterator[Outputs]:
        """Make the pictures of a link; without one they wait for Sample."""
        if is_linked:
            yield from self.sample(*values)
        else:
            yield self.stage_values(gr.skip())

    def bind(self, page: gr.Blocks) -> None:
        prompt, *_, seed = self.run_inputs
        inputs, outputs = [*self.path_inputs, *self.run_inputs], [self.path_stage, self.link]
        changes = [*(control.input for control in self.path_inputs), *self.source_changes]
        gr.on(changes, self.show_path, [self.on_show, *self.sources, *inputs], outputs, **controls.LIGHT)
        others = [self.on_show, *self.sources]
        *_, to, to_ground = self.path_inputs
        unmarked = [self.on_show, to, to_ground]
        view = run_view.RunView(self.run_stage, self.buttons, inputs, seed, self.outputs, others, unmarked)
        is_linked, notice = gr.State(False), gr.State("")  # whether the address asks for a run; what is wrong with it
        first_inputs = [self.on_show, is_linked, notice, *self.sources, *inputs]
        self.link.select(self.show_first, first_inputs, outputs, **controls.LIGHT)
        link_run = self.link.select(
            keep_run(self.sample_linked), [view.under_way, is_linked, *others, *inputs], self.outputs, **controls.MODEL
        )
        view.bind(self.sample, TAB, triggers=[prompt.submit], link_runs=[link_run])
        page.load(self.on_load, None, [notice, self.link, *inputs, is_linked], **controls.LIGHT)


def _build_path_controls(paths: Paths) -> tuple[list[Control], list[Control], list[Trigger]]:
    """Build the controls of the path in the order of `ViewParams`; the `Sources`, and their events."""
    default, grounds, model = ViewParams(), list(BACKGROUNDS), CHECKPOINTS.build(paths)
    gr.Markdown("**From one picture to another**")
    kind = controls.radio(KINDS, default.kind, "Picture", "The picture to encode.")
    name = controls.dropdown(emoji.CORE, default.name, "Emoji", "One that the model has learned.")
    with gr.Column(visible=False) as drawing_column:
        pad = drawing_pad.build("text-pad")
    with gr.Column(visible=False) as upload_column:
        upload = image_picker.build_upload("text", read_square, can_swap=False)
    ground = controls.dropdown(grounds, default.ground, "Background", "Behind the emoji or the drawing.")
    to = controls.dropdown(emoji.CORE, default.to, "To", "The emoji at the other end.")
    to_ground = controls.dropdown(grounds, default.to_ground, "On", "The background at the other end.")
    controls.show_for(kind, dict(zip(KINDS, (name, drawing_column, upload_column), strict=True)))
    return [model, kind, name, ground, to, to_ground], [pad, *upload], [pad.change, *upload.changes]


def _build_run_controls(paths: Paths, model: Control) -> tuple[list[Control], run_view.Buttons]:
    """Build the other controls in the order of `ViewParams`, and the buttons."""
    default = ViewParams()
    gr.Markdown("**Edit the picture with a prompt**")
    hint = "What to turn the picture into, by adding noise and denoising."
    prompt = gr.Textbox(default.prompt, label="Prompt", info=hint, lines=2, elem_id="text-vary-prompt")
    PromptLine(paths, prompt).bind(model)
    with gr.Row(elem_classes="go"):
        go = gr.Button("Sample", variant="primary", elem_id="text-vary", min_width=80)
        stop = gr.Button("Stop", min_width=80, interactive=False)
        controls.settings_button()
    strength = controls.slider(0, 1, default.strength, 0.05, "Strength", "0 keeps the picture, 1 keeps nothing of it.")
    with gr.Accordion("More", open=False):
        w = controls.slider(0, 12, default.w, 0.5, "Guidance w", "More exaggerates the prompt.")
        seed, new_seed = controls.seed()
    return [skip_preprocess(prompt), strength, w, seed], run_view.Buttons(go, stop, new_seed)
