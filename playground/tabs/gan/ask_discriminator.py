"""Ask D: what every discriminator says of one picture, and where that falls among real pictures and fakes."""

import html
from dataclasses import astuple, dataclass

import gradio as gr
import torch
from torch import Tensor

from playground.datasets import mnist
from playground.datasets.dataset import TEST_NUMBERS
from playground.families import gan
from playground.runtime import pictures, validation
from playground.runtime.paths import Paths
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from playground.tabs.gan import variants
from playground.web import controls, explanation, image_picker, links, palette, plots
from playground.web.controls import error_sentence
from playground.web.formula import use_minus_signs
from playground.web.image_picker import NO_SOURCES, Sources
from playground.web.newest import Requests, newest_only
from playground.web.view import View

TAB = "gan.ask"
FAKE = "A fake"
KINDS = (FAKE, image_picker.TEST_IMAGE, image_picker.DRAWING, image_picker.UPLOAD)
HOW = """
A logit alone means little, since every loss has a scale of its own. Its place among the logits of test digits and of
the model's own fakes tells whether this D would take the picture for real. Try a digit of your own, then something
else: a discriminator has only ever seen digits and fakes, and may be sure of anything else. One that knows classes is
asked about the class that it believes most. The networks are the moving averages of those that *Losses* shows in
training.
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link: the picture, and the seed of a fake. A link cannot hold a drawing or an upload."""

    picture: str = FAKE
    number: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        validation.check_choice("picture", self.picture, KINDS)
        bounds = {"number": TEST_NUMBERS, "seed": (0, validation.MAX_SEED)}
        validation.check_bounds(self, bounds, labels=validation.LABELS)


def picture(paths: Paths, params: ViewParams, sources: Sources) -> Tensor:
    """Return the picture to ask about, (1, 1, 32, 32) in [-1, 1]."""
    if params.picture == FAKE:
        return last_frame(gan.sample(variants.CHECKPOINTS.load(paths, ""), gan.Settings(n=1, seed=params.seed))).x
    return image_picker.load_image(params.picture, params.number, sources, mnist.DATASET, paths.data)


def table(paths: Paths, x: Tensor) -> str:
    """Return HTML: the picture, and a row for each discriminator; raise UserError if there is none."""
    rows, wrong = [], []
    for title, name in variants.CHECKPOINTS.choices(paths):
        try:
            rows.append(row(title, variants.CHECKPOINTS.load(paths, name), x))
        except UserError as error:
            wrong.append(error_sentence(error))
    if not rows:
        raise UserError(wrong[0])
    image_html = plots.image_tag(pictures.to_uint8(x)[0], "the picture that is judged", 128)
    key = f"{_tick(palette.REAL)} test digits &emsp;{_tick(palette.FAKE)} fakes of this model &emsp;▼ this picture"
    return (
        f'<div style="display:flex;gap:16px;align-items:end;margin-bottom:8px">{image_html}<p>{key}</p></div>'
        f'<div class="verdicts">{"".join(rows)}</div>{"".join(map(plots.paragraph, wrong))}'
    )


def row(title: str, model: gan.Model, x: Tensor) -> str:
    """Return HTML of what one D says: its logit, its place among those of digits and fakes, and a sentence. Raise
    UserError if it knows pictures of another size."""
    config = model.config
    if x.shape[1:] != (config.channels, config.size, config.size):
        size = pictures.describe_size(config.size, config.channels)
        raise UserError(f"{title}: its D knows only pictures of {size}")
    own, real, fake = float(gan.discriminator_logits(model, x)), model.real_logits, model.fake_logits
    low, high = (float(end) for end in torch.cat([real, fake, torch.tensor([own])]).aminmax())
    span = max(high - low, 1e-9)

    def ticks(values: Tensor, colour: str, top: int) -> str:
        style = f"top:{top}px;background:{colour}"
        return "".join(f'<i style="left:{100 * (v - low) / span:.1f}%;{style}"></i>' for v in values[::2].tolist())

    above_real, above_fake = ((values < own).float().mean().item() for values in (real, fake))
    return (
        f"<div><b>{html.escape(title)}</b><span>D = {use_minus_signs(f'{own:.3g}')}</span></div>"
        f'<div class="line">{ticks(real, palette.REAL, 14)}{ticks(fake, palette.FAKE, 28)}'
        f'<u style="left:{100 * (own - low) / span:.1f}%">▼</u></div>'
        f"<div>more real than {above_real:.0%} of test digits and {above_fake:.0%} of fakes</div>"
    )


def _tick(colour: str) -> str:
    return f'<span style="display:inline-block;width:3px;height:12px;background:{colour}"></span>'


class AskView(View):
    """View of a picture and of what every discriminator says of it, anew at each change."""

    TITLE = "Ask D"
    HINT = (
        "What every discriminator says of one picture, beside real digits and its own fakes. **Draw a digit** and see "
        "which of them take it for real."
    )

    def __init__(self, paths: Paths):
        self.paths = paths
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                self.image = image_picker.build("gan-ask", KINDS, "The picture that D looks at.", lambda: mnist.DATASET)
                self.seed, self.new_seed = controls.seed("The same seed gives the same fake.")
            with controls.stage_column():
                self.stage = gr.HTML(elem_id="gan-verdicts")
                explanation.build(HOW, gan.Discriminator.forward)
                self.link = links.build()

    def ask(
        self, kind: str, number: int, drawing: object, upload: object, correction: object, seed: int,
        address: bool = True,
    ) -> list[object]:  # fmt: skip
        """Ask every discriminator about a picture. Returns a table as HTML."""
        try:
            sources = Sources(drawing, upload, correction)
            image_picker.check_input(kind, sources)
            params = ViewParams(kind, number, seed)
            linkable = params if kind in (FAKE, image_picker.TEST_IMAGE) else None
            value = table(self.paths, picture(self.paths, params, sources))
            return [value, links.value(TAB, linkable, address)]
        except UserError as error:
            return [plots.paragraph(error_sentence(error)), links.nothing(TAB)]

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the values that the address describes, or those of a fake."""
        linked_params, wrong = links.read_request(ViewParams, TAB, request)
        params = linked_params or ViewParams()
        value, link = self.ask(
            params.picture, params.number, *NO_SOURCES, params.seed, address=linked_params is not None
        )
        return [f"{plots.paragraph(wrong) if wrong else ''}{value}", link, *astuple(params)]

    def bind(self, page: gr.Blocks) -> None:
        outputs, requests = [self.stage, self.link], gr.State(Requests())
        ask = newest_only(self.ask), [requests, *self.image.inputs, self.seed], outputs
        changes = [*self.image.changes, *self.image.choices, self.seed.input]
        gr.on(changes, *ask, api_name=links.api_name(TAB), **controls.LIGHT)
        controls.on_new_seed(self.new_seed, self.seed).then(*ask, **controls.LIGHT)
        page.load(self.on_load, None, [*outputs, *self.image.inputs[:2], self.seed], **controls.LIGHT)
