"""Why latent? One step of the same U-Net on latents and on pixels, measured while you wait."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import gradio as gr
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from playground import compute, labs
from playground.data.scenes import SIZE
from playground.models.text_to_image import Config, Model
from playground.nets import UNet
from playground.tabs import Places
from playground.tabs.text_to_image import runs
from playground.ui import controls, how, plots
from playground.ui.controls import answered
from playground.validation import UserError

TITLE = "Why latent?"
RUNS = 5
HOW = """
The same network is evaluated on a latent and, with random weights, on something of a picture's size: sixteen times as
many places, so sixteen times the work in every convolution, and 256 times in what looks from every place at every
other. The decoder costs one more evaluation, once, at the end of a run.

[Rombach 2022](https://arxiv.org/abs/2112.10752), section 4.1
"""


class Cost(NamedTuple):
    """Of one evaluation.

    Attributes:
        shape: of what goes in, (C, H, W).
        seconds: the median of `RUNS`.
        operations: multiplications and additions.
        numbers: in all feature maps that its layers make.
    """

    shape: tuple[int, ...]
    seconds: float
    operations: float
    numbers: int


@torch.no_grad()
def costs(model: Model) -> Iterator[Cost]:
    """Of a step on latents, of one on pixels, and of the decoder."""
    said = model.said(["a small pizza on a blue background"])
    config = model.config
    for each in (config, replace(config, size=SIZE, channels=3)):
        with labs.seeded(0):
            network = Model(each).eval()
        yield cost(lambda x, network=network: network(x, torch.tensor([500]), said), network, each)
    decoder = copy.deepcopy(model.attached().autoencoder)
    yield cost(decoder.decode, decoder, config)


def cost(evaluate: Any, network: torch.nn.Module, config: Config) -> Cost:
    """Of one evaluation of a network on (1, channels, size, size)."""
    x, numbers = torch.zeros(1, config.channels, config.size, config.size), list[int]()

    def count(module: torch.nn.Module, _: Any, made: Any) -> None:
        if not list(module.children()) and isinstance(made, Tensor):
            numbers.append(made.numel())

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    try:
        with FlopCounterMode(display=False) as counter:
            evaluate(x)
    finally:
        for hook in hooks:
            hook.remove()
    with compute.fast(x):
        seconds = compute.seconds(lambda: evaluate(x), RUNS)
    return Cost(tuple(x.shape[1:]), seconds, counter.get_total_flops(), sum(numbers))


def table(found: list[Cost]) -> str:
    """HTML of what was measured so far."""
    names = ("U-Net on the latent", "U-Net on the pixels", "decoder, once a run")
    rows = "".join(
        f"<tr><th scope=row>{name}</th><td>{'x'.join(map(str, each.shape))}</td><td>{1000 * each.seconds:.1f} ms</td>"
        f"<td>{each.operations / 1e9:.2f} billion</td><td>{each.numbers / 1e6:.2f} million</td></tr>"
        for name, each in zip(names, found, strict=False)
    )
    times = ""
    if len(found) > 1:
        ratios = [getattr(found[1], name) / getattr(found[0], name) for name in ("seconds", "operations", "numbers")]
        times = "<p>On pixels: {:.1f} times the time, {:.1f} times the operations, {:.1f} times the memory.</p>".format(
            *ratios
        )
    head = "".join(f"<th scope=col>{name}</th>" for name in ("", "shape", "time", "operations", "numbers in its maps"))
    return f'<div class="xy"><table><tr>{head}</tr>{rows}</table></div>{times}'


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Column(elem_classes="stage"):
        go = gr.Button("Measure", variant="primary", elem_id="text-measure")
        shown = gr.HTML(plots.paragraph("Press Measure: a few seconds, on the machine that serves this page."),
                        elem_id="text-why")  # fmt: skip
        how.build(HOW, UNet.forward)

    @answered
    def measure() -> Iterator[str]:
        found: list[Cost] = []
        try:
            for each in compute.one_by_one(costs(runs.load_model(places))):
                found.append(each)
                yield table(found)
        except UserError as error:
            yield plots.paragraph(controls.sentence(error))
            raise

    go.click(measure, None, shown, concurrency_id="model", concurrency_limit=1, trigger_mode="once", **controls.SLOW)
