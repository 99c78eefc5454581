"""Why latent? One step of the same U-Net on latents and on pixels, measured while you wait."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from playground.families.latent_diffusion.cost import measure_costs
from playground.nn.cost import Cost
from playground.nn.unet import UNet
from playground.runtime import inference
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.latent_diffusion.runs import CHECKPOINTS, load_model
from playground.web import controls, explanation, links, palette, plots
from playground.web.controls import ControlValue, EventSettings
from playground.web.newest import Requests, newest_only
from playground.web.view import View

TAB = "latent_diffusion.latent_vs_pixel"
NAMES = ("U-Net on the latent", "U-Net on the pixels", "decoder, once a run")
COLOURS = (palette.ESTIMATE, palette.DATA)
HOW = """
The same network, with random weights, is evaluated on a latent and on an input of a picture's size: sixteen times as
many places, so sixteen times the work in every convolution, and 256 times in attention, where every place looks at
every other. The decoder costs one more evaluation, once, at the end of a run.

[Rombach 2022](https://arxiv.org/abs/2112.10752), section 4.1
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link: the model that is measured."""

    model: str = ""


def show(costs: list[Cost]) -> str:
    """Return HTML of the costs that are measured so far: the verdict, bars, and a table."""
    verdict = plots.paragraph(f"Measuring: {NAMES[len(costs)]} …") if len(costs) < len(NAMES) else ""
    if len(costs) > 1:
        latent, pixels, *_ = costs
        verdict = (
            plots.paragraph(
                f"A step on pixels takes {pixels.seconds / latent.seconds:.1f} times as long, "
                f"{pixels.operations / latent.operations:.1f} times the operations and "
                f"{pixels.numbers / latent.numbers:.1f} times the numbers in its feature maps."
            )
            + verdict
        )
    if not costs:
        return verdict
    steps = list(zip(("in latents", "in pixels"), costs, COLOURS, strict=False))
    times = [(name, 1000 * entry.seconds, colour) for name, entry, colour in steps]
    values = [(name, math.prod(entry.shape), colour) for name, entry, colour in steps]
    return (
        verdict
        + plots.bars("Time of one step", times, "{:.1f} ms")
        + plots.bars("Numbers that make up a picture", values, "{:,}")
        + table(costs)
    )


def table(costs: list[Cost]) -> str:
    """Return HTML of the costs that are measured so far, in numbers: a column each, which a phone has room for."""
    lines = {
        "shape": ["×".join(map(str, entry.shape)) for entry in costs],
        "time": [f"{1000 * entry.seconds:.1f} ms" for entry in costs],
        "operations, in billions": [f"{entry.operations / 1e9:.2f}" for entry in costs],
        "numbers in its maps, in millions": [f"{entry.numbers / 1e6:.2f}" for entry in costs],
    }
    head = "".join(f"<th scope=col>{name}</th>" for name in ("", *NAMES[: len(costs)]))
    rows = "".join(
        f"<tr><th scope=row>{name}</th>{''.join(f'<td>{text}</td>' for text in texts)}</tr>"
        for name, texts in lines.items()
    )
    return f'<div class="answers"><table><tr>{head}</tr>{rows}</table></div>'


class CostView(View):
    """View of the costs, measured when it is first seen and at a press."""

    TITLE = "Why latent?"
    HINT = "One step of the same U-Net on a latent and on pixels, measured on this machine while you wait."

    def __init__(self, paths: Paths):
        self.paths = paths
        with gr.Column(elem_classes="stage"):
            self.model = CHECKPOINTS.build(paths)
            self.go = gr.Button("Measure again", variant="primary", elem_id="text-measure")
            self.costs = gr.HTML(show([]), elem_id="text-why")
            explanation.build(HOW, UNet.forward)
            self.link = links.build()

    def measure(self, name: object) -> Iterator[str]:
        """Measure the costs. Returns bars and a table as HTML."""
        costs: list[Cost] = []
        yield show(costs)
        try:
            for entry in inference.in_worker_thread(measure_costs(load_model(self.paths, name)), len(NAMES)):
                costs.append(entry)
                yield show(costs)
        except UserError as error:
            yield plots.paragraph(controls.error_sentence(error))
            controls.raise_unseen(error)

    def choose(self, name: ControlValue) -> list[object]:
        """Return nothing measured yet, and the link, for another model; what is being measured is dropped."""
        return [show([]), links.value(TAB, ViewParams(name))]

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the model that the address names."""
        params, address, wrong = CHECKPOINTS.settings_from_request(self.paths, ViewParams, TAB, request)
        model = CHECKPOINTS.update(self.paths, params.model)
        if wrong:  # without a link, which would have the costs measured
            return [model, gr.skip(), plots.paragraph(wrong)]
        return [model, links.value(TAB, params, address), gr.skip()]

    def bind(self, page: gr.Blocks) -> None:
        page.load(self.on_load, None, [self.model, self.link, self.costs], **controls.INSTANT)
        inputs = [gr.State(Requests()), self.model]
        measure = newest_only(self.measure), inputs, self.costs
        settings: EventSettings = {**controls.SLOW, "concurrency_id": "measure", "concurrency_limit": 1}
        gr.on([self.go.click, self.link.select], *measure, **settings)
        choice = self.model.input(newest_only(self.choose), inputs, [self.costs, self.link], **controls.INSTANT)
        choice.then(*measure, **settings)
