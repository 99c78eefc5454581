"""Inside: a picture, its latent and what comes back; the way from one latent to another; and pictures made of a picture
by noise and a prompt."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from functools import partial
from typing import Any

import gradio as gr
import torch
import torch.nn.functional as F
from torch import Tensor

from playground import exports, interpolation, pictures, validation
from playground.data import emoji, scenes
from playground.data.scenes import GROUNDS, NONE, Scenes
from playground.formulas import ARC, SHARE
from playground.models import text_to_image
from playground.models.autoencoder import Model as Autoencoder
from playground.models.text_to_image import LONGEST, Settings
from playground.tabs import Places, live
from playground.tabs.text_to_image import runs
from playground.tabs.text_to_image.runs import Recorder
from playground.ui import component, controls, drawing_pad, export, how, links, palette, scrubber
from playground.ui.controls import sentence, unchecked
from playground.ui.scrubber import Curve, Series, Strip
from playground.validation import UserError

TITLE, TAB = "Inside", "text_to_image.inside"
EMOJI, DRAWN, UPLOADED = KINDS = ("Emoji", "Draw", "Upload")
FRAMES = 25
STEPS = 20  # of a run from a picture
HOW = """
The autoencoder never saw a prompt: it turns 64x64 pixels in three colours into 16x16 places of four numbers, a twelfth
as many, and back. Diffusion works on those. Halfway between two latents lies the latent of a picture that is neither;
halfway between two pictures lies only a double exposure.

To make something of a picture, it is drowned in noise for a part of the way and denoised under a prompt: the stronger,
the less of it is left.

[Rombach 2022](https://arxiv.org/abs/2112.10752), section 3.1 (autoencoder) ·
[Meng 2022](https://arxiv.org/abs/2108.01073) (SDEdit)
"""


@dataclass(frozen=True)
class Asked:
    """What a link restores, and the first controls hold, in their order. A drawing or an upload fits into no link."""

    kind: str = EMOJI
    name: str = "pizza"
    ground: str = "blue"
    other: str = "owl"
    other_ground: str = "yellow"
    prompt: str = "a big owl on a blue background"
    strength: float = 0.6
    w: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.choice("picture", self.kind, KINDS)
        for ground in (self.ground, self.other_ground):
            validation.choice("background", ground, GROUNDS)
        for name in (self.name, self.other):
            validation.choice("emoji", name, emoji.CORE)
        settings = self.settings
        strength = validation.number("strength", self.strength, 0, 1)
        validation.keep(self, strength=strength, w=settings.w, seed=settings.seed)

    @property
    def settings(self) -> Settings:
        """Of the pictures that are made of the first."""
        return Settings(4, self.prompt, steps=STEPS, w=self.w, seed=self.seed)


def scene(places: Places, name: str, ground: str) -> Tensor:
    """An emoji in the middle of a background, (1, 3, 64, 64)."""
    glyphs = emoji.load(places.data, download=True)
    if name not in glyphs.names:
        raise UserError(f"the emoji font here has no {name}: choose another emoji, or install a newer font")
    glyph = torch.tensor([[glyphs.names.index(name), NONE]])
    side, middle = torch.tensor([[48.0, 0]]), torch.full((1, 2), scenes.SIZE / 2)
    return scenes.draw(Scenes(glyph, torch.tensor([list(GROUNDS).index(ground)]), side, middle, middle), glyphs)


def picture(places: Places, asked: Asked, drawing: object, upload: object) -> Tensor:
    """The first picture, (1, 3, 64, 64) in [-1, 1]."""
    if asked.kind == EMOJI:
        return scene(places, asked.name, asked.ground)
    if asked.kind == DRAWN:
        ink = torch.from_numpy(drawing_pad.decode(drawing).copy()).float()[None, None] / 255
        ground = torch.tensor(GROUNDS[asked.ground])[:, None, None] / 255
        large = F.interpolate(ink, [scenes.SIZE] * 2, mode="bilinear")
        return 2 * (ground + large * (1 - ground)) - 1
    if not isinstance(upload, str):
        raise UserError("no picture was uploaded yet: choose a file")
    colour = torch.from_numpy(pictures.open_colour(upload, scenes.SIZE).copy())
    return colour.permute(2, 0, 1)[None].float() / 127.5 - 1


@torch.no_grad()
def way(model: text_to_image.Model, asked: Asked, x: Tensor, other: Tensor) -> dict[str, Any]:
    """The scrubber's value: from one picture to another, each (1, 3, 64, 64), in pixels and in latents."""
    autoencoder: Autoencoder = model.attached().autoencoder
    ends = autoencoder.encode(torch.cat([x, other]))
    first, last = ends.flatten(1)
    z = interpolation.spherical(first, last, FRAMES).unflatten(1, ends.shape[1:])  # (F, c, h, w)
    share = torch.linspace(0, 1, FRAMES)
    faded = torch.lerp(x, other, share[:, None, None, None])
    made = runs.decoded(model, z[:, None])
    colours = runs.principal(z[:, None], made.shape[2])
    back = torch.from_numpy(made[[0, -1], 0]).permute(0, 3, 1, 2) / 127.5 - 1
    error = pictures.psnr(back, torch.cat([x, other])).tolist()
    length = z.square().mean((1, 2, 3)).sqrt().tolist()
    return scrubber.pack(
        [
            Strip("between the pixels", "both pictures, faded", pictures.to_uint8(faded)[:, None]),
            Strip("between the latents", "three principal components as colours", colours),
            Strip("decoded", "what the decoder makes of that latent", made),
        ],
        [
            f"{part:.0%} of the way"
            + (f" · there and back: PSNR {error[k // (FRAMES - 1)]:.1f} dB" if k in (0, FRAMES - 1) else "")
            for k, part in enumerate(share.tolist())
        ],
        (asked.name if asked.kind == EMOJI else "your picture", asked.other),
        curves=[Curve("size of the latent", "Root mean square; those of pictures have 1 on average.",
                      [Series("", palette.DATA, length)])],
        formula=f"z = {ARC}, {SHARE}",
        numbers={"share": [f"{part:.2f}" for part in share.tolist()]},
        start=0,
        keep=True,
    )  # fmt: skip


def linked(asked: Asked, address: bool = True) -> dict[str, Any]:
    """The value of the link's button; a picture of the user's own fits into none."""
    return links.value(TAB, asked if asked.kind == EMOJI else None, address)


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            inputs, sources, dice, go, stop = _controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("From one latent to another", "text-inside", "Encoding a first picture …")
            varied = scrubber.build("Made of the first picture", "text-varied", "Press Sample to make something of it.")
            how.build(HOW, text_to_image.varied)
            kept = gr.State(None, time_to_live=3600)
            export.build(kept, "text-varied", told="")
            link = links.build()

    def show(drawing: object, upload: object, *given: Any, address: bool = True) -> list[Any]:
        try:
            asked, model = Asked(*given), runs.load_model(places)
            x, other = picture(places, asked, drawing, upload), scene(places, asked.other, asked.other_ground)
            return [way(model, asked, x, other), linked(asked, address)]
        except UserError as error:
            return [component.message(sentence(error)), gr.skip()]

    @live.shown_on_stage(beside=2)
    def sample(drawing: object, upload: object, *given: Any) -> Iterator[Any]:
        """Make something of a picture by noise and a prompt. Returns every frame as sprite sheets."""
        asked, model = Asked(*given), runs.load_model(places)
        with torch.no_grad():
            z0 = model.attached().autoencoder.encode(picture(places, asked, drawing, upload))
        recorder = Recorder(model, asked.settings, asked.strength)
        moments = text_to_image.varied(model, asked.settings, z0, asked.strength)
        steps = len(recorder.times) - 1
        yield from live.previews(moments, steps, recorder.add, partial(runs.preview, model))
        run, about = recorder.run(), exports.origin(runs.NAME, asked, runs.provenance(places))
        saved = export.of_steps(f"{TAB}-seed{asked.seed}", about, [run.x0_hat], run.steps, run.t)
        yield [runs.describe(model, run), saved, linked(asked)]

    def opened(request: gr.Request) -> list[Any]:
        asked, wrong = links.asked(Asked, TAB, request)
        values = astuple(asked or Asked())
        made, linked = show(None, None, *values, address=asked is not None)
        return [made | ({"notice": wrong} if wrong else {}), linked, *values]

    every = [*sources, *inputs]
    changed = [control.input for control in inputs[:5]] + [sources[0].change, sources[1].upload]
    gr.on(changed, show, every, [stage, link], trigger_mode="always_last", **controls.LIGHT, **controls.PRIVATE)
    live.listen(varied, live.Buttons(go, stop, dice), sample, inputs, [varied, kept, link], inputs[-1],
                "text_to_image_vary", beside=sources, also=[inputs[5].submit])  # fmt: skip
    page.load(opened, None, [stage, link, *inputs], **controls.HIDDEN, concurrency_id="text",
              concurrency_limit=2, **controls.PRIVATE)  # fmt: skip


def _controls() -> tuple[list[Any], list[Any], gr.Button, gr.Button, gr.Button]:
    """The controls in the order of `Asked`; the drawing and the upload; the dice, Sample and Stop."""
    default, grounds = Asked(), list(GROUNDS)
    gr.Markdown("**A picture, and the way to another**")
    kind = gr.Radio(KINDS, value=default.kind, label="Picture", info="What is encoded.", elem_classes="chips")
    name = gr.Dropdown(emoji.CORE, value=default.name, label="Emoji", info="One of those that the model learned.")
    with gr.Column(visible=False) as drawn:
        pad = drawing_pad.build("text-pad")
    with gr.Column(visible=False) as uploaded:
        upload: Any = gr.UploadButton("Choose a picture", file_types=["image"])
    upload.preprocess = lambda payload: payload and payload.path
    ground = gr.Dropdown(grounds, value=default.ground, label="Background", info="Of the emoji, or of your drawing.")
    other = gr.Dropdown(emoji.CORE, value=default.other, label="To", info="Where the way leads.")
    other_ground = gr.Dropdown(grounds, value=default.other_ground, label="On", info="Its background.")
    gr.Markdown("**Something made of the picture**")
    hint = "What to make of it, by noise and denoising."
    prompt = gr.Textbox(default.prompt, label="Prompt", info=hint, lines=2, max_length=LONGEST)
    with gr.Row(elem_classes="go"):
        go = gr.Button("Sample", variant="primary", elem_id="text-vary", min_width=80)
        stop = gr.Button("Stop", min_width=80, interactive=False)
    hint = "0 keeps the picture, 1 keeps nothing of it."
    strength = gr.Slider(0, 1, default.strength, step=0.05, label="Strength", info=hint)
    with gr.Accordion("More", open=False):
        w = gr.Slider(0, 12, default.w, step=0.5, label="Guidance w", info="More exaggerates the prompt.")
        seed, dice = controls.seed()

    def reveal(chosen: str) -> list[Any]:
        return [gr.update(visible=chosen == each) for each in KINDS]

    kind.change(reveal, kind, [name, drawn, uploaded], queue=False, **controls.HIDDEN, **controls.PRIVATE)
    inputs = [unchecked(each) for each in (kind, name, ground, other, other_ground, prompt, strength, w, seed)]
    return inputs, [pad, upload], dice, go, stop
