"""Grid: one prompt under many settings at a time, guidance against seeds or against the number of steps."""

import html
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from typing import Any

import gradio as gr
import numpy as np

from playground import compute, exports, pictures, validation
from playground.models import text_to_image
from playground.models.text_to_image import LONGEST, Model, Settings
from playground.sampling import last
from playground.tabs import Places, live
from playground.tabs.text_to_image import runs
from playground.ui import controls, download, how, links, plots
from playground.ui.controls import answered, sentence, unchecked
from playground.validation import UserError

TITLE, TAB = "Grid", "text_to_image.grid"
SEEDS, STEPS = ACROSS = ("seed", "steps")
WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0, 12.0)
COUNTS = (2, 5, 10, 20, 50)
WIDTH = 96  # CSS pixels of a picture
HOW = """
Down: guidance, from none to far too much. At 0 the prompt is ignored; at 1 the model draws what it learned; beyond,
every picture obeys more and varies less, until colours burn out. Across: other noise, or more steps from the same.
"""


@dataclass(frozen=True)
class Asked:
    """What a link restores, and the controls hold, in their order: the prompt, what is across, and the first seed."""

    prompt: str = "a small pizza on a blue background"
    across: str = SEEDS
    seed: int = 0

    def __post_init__(self) -> None:
        settings = Settings(prompt=self.prompt, seed=self.seed)
        validation.choice("across", self.across, ACROSS)
        validation.keep(self, seed=validation.integer("seed", settings.seed, 0, validation.MAX_SEED - len(COUNTS)))

    def columns(self) -> list[tuple[str, Settings]]:
        """The heading of each column, and its settings but for the guidance."""
        alone = Settings(1, self.prompt, seed=self.seed)
        if self.across == SEEDS:
            return [(f"seed {self.seed + i}", replace(alone, seed=self.seed + i)) for i in range(len(COUNTS))]
        return [(f"{steps} steps", replace(alone, steps=steps)) for steps in COUNTS]


def cells(model: Model, asked: Asked) -> Iterator[tuple[int, int, np.ndarray]]:
    """Row, column and picture, uint8 (H, W, C), one after the other."""
    for i, w in enumerate(WEIGHTS):
        for j, (_, settings) in enumerate(asked.columns()):
            x = last(text_to_image.sample(model, replace(settings, w=w))).x
            assert x is not None
            yield i, j, pictures.to_uint8(x)[0]


Cells = dict[tuple[int, int], np.ndarray]  # by row and column
Grid = tuple[Asked, Cells]


def table(asked: Asked, made: Cells, note: str) -> str:
    """HTML: the pictures that are there, and what is said below."""
    headings = [heading for heading, _ in asked.columns()]
    top = "".join(f"<th scope=col>{heading}</th>" for heading in ["", *headings])
    body = ""
    for i, w in enumerate(WEIGHTS):
        shown = [
            plots.picture(made[i, j], f"w = {w:g}, {heading}", WIDTH) if (i, j) in made else ""
            for j, heading in enumerate(headings)
        ]
        body += f"<tr><th scope=row>w = {w:g}</th>{''.join(f'<td>{cell}</td>' for cell in shown)}</tr>"
    return f'<div class="xy"><table><tr>{top}</tr>{body}</table></div><p aria-live=polite>{html.escape(note)}</p>'


def draw(model: Model, asked: Asked, made: Cells) -> Iterator[str]:
    """Fill a table; its HTML after every picture."""
    start, total = time.monotonic(), len(WEIGHTS) * len(asked.columns())
    for i, j, picture in compute.one_by_one(cells(model, asked)):
        made[i, j] = picture
        left = (time.monotonic() - start) / len(made) * (total - len(made))
        yield table(asked, made, f"{len(made)} of {total}, about {left:.0f} s left")


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    hint = "Of all pictures."
    prompt = unchecked(gr.Textbox(Asked().prompt, label="Prompt", info=hint, max_length=LONGEST))
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            go, stop = live.go_and_stop("text-grid")
            others, dice = _controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = gr.HTML(plots.paragraph("Sampling thirty pictures, a few seconds each row …"), elem_id="text-grid")
            how.build(HOW, text_to_image.sample)
            save = gr.Button("The grid (PNG)", size="sm")
            saving = download.build("text-grid-download")
            link = links.build()
    kept, under_way = gr.State(None, time_to_live=3600), gr.State(False)
    inputs, seed = [prompt, *others], others[-1]

    @answered
    def sample(*given: Any) -> Iterator[list[Any]]:
        """Draw a prompt under many settings. Returns a table of pictures as HTML."""
        try:
            asked, model = Asked(*given), runs.load_model(places)
            made: Cells = {}
            for shown in draw(model, asked, made):
                yield [shown, gr.skip(), True, gr.skip()]
            note = " ".join([f"“{asked.prompt}”", runs.notices(model, asked.prompt)])
            yield [table(asked, made, note), (asked, made), False, links.value(TAB, asked)]
        except Exception as error:
            yield [plots.paragraph(sentence(error)), gr.skip(), False, gr.skip()]
            raise

    def ended(found: Grid | None, under_way: bool) -> list[Any]:
        """What is shown after Stop: the grid before."""
        if not under_way:
            return [gr.skip(), False]
        if found is None:
            return [plots.paragraph("Stopped. Press Sample to start again."), False]
        return [table(*found, f"Stopped; the grid before is shown: “{found[0].prompt}”"), False]

    @answered
    def save_grid(found: Grid | None) -> dict[str, Any]:
        if found is None:
            raise UserError("there is no whole grid to save: press Sample first")
        asked, made = found
        path = download.path(f"{runs.NAME}-grid-seed{asked.seed}.png")
        about = exports.origin(runs.NAME, asked, runs.provenance(places))
        sheet = pictures.grid(np.stack([made[at] for at in sorted(made)]), columns=len(asked.columns()), gap=2)
        exports.png(path, sheet, about | {"w": str(WEIGHTS), "across": ", ".join(name for name, _ in asked.columns())})
        return download.file(path)

    def opened(request: gr.Request) -> list[Any]:
        asked, wrong = links.asked(Asked, TAB, request)
        shown = [plots.paragraph(wrong), gr.skip()] if wrong else [gr.skip(), links.value(TAB, asked or Asked())]
        return [*shown, *astuple(asked or Asked())]

    quiet: dict[str, Any] = {**controls.MODEL, **controls.PRIVATE}
    outputs = [stage, kept, under_way, link]
    buttons = [go, dice, stop]
    turned = "() => [{0}, {0}, {1}].map((yes) => ({{__type__: 'update', interactive: yes}}))".format
    triggers = [go.click, inputs[0].submit, seed.submit]
    gr.on([*triggers, dice.click, link.select], None, None, buttons, js=turned("false", "true"))
    started = [
        gr.on(triggers, sample, inputs, outputs, api_name="text_to_image_grid", **controls.MODEL),
        link.select(sample, inputs, outputs, **quiet),
        controls.thrown(dice, seed).then(sample, inputs, outputs, **quiet),
    ]
    for event in started:
        event.then(None, None, buttons, js=turned("true", "false")).then(
            ended, [kept, under_way], [stage, under_way], **controls.LIGHT, **controls.PRIVATE
        )
    stop.click(None, None, None, cancels=started)
    save.click(save_grid, kept, saving, **controls.SLOW)
    page.load(opened, None, [stage, link, *inputs], **controls.LIGHT, **controls.PRIVATE)


def _controls() -> tuple[list[Any], gr.Button]:
    """The other controls in the order of `Asked`, and the dice."""
    default = Asked()
    across = gr.Radio(ACROSS, value=default.across, label="Across", info="Down is guidance.", elem_classes="chips")
    seed, dice = controls.seed("Of the first column, or of all.")
    return [unchecked(control) for control in (across, seed)], dice
