"""Walk: particles that follow a score through the plane, by every sampler there is for it, played and scrubbed."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr

from playground import checkpoint, exports, langevin
from playground.data import densities
from playground.langevin import Moment
from playground.tabs import Places, live
from playground.tabs.score import samplers, walks
from playground.tabs.score.walks import Asked
from playground.ui import controls, export, how, links, scrubber
from playground.ui.controls import unchecked
from playground.ui.scrubber import Strip

TITLE, TAB = "Walk", "score.walk"
HOW = """
Langevin dynamics follows the score uphill and is shaken by just so much noise that it ends with the density itself. In
theory from anywhere; in practice nothing crosses the empty space between two modes, so how many particles each one gets
depends on where they began. Much noise fills that space: annealing begins there, where there is a single hill, and
takes the noise away little by little. The reverse process and the probability flow do the same in one go.

A step suits a density if it is some share of a variance: of the noise level where that falls (annealed), else of the
narrowest part of the density with its noise. The formula has the h that comes of it.

[Welling 2011](https://www.stats.ox.ac.uk/~teh/research/compstats/WelTeh2011a.pdf) (Langevin) ·
[Song 2019](https://arxiv.org/abs/1907.05600) (annealed) ·
[Song 2021](https://arxiv.org/abs/2011.13456) (predictor-corrector, probability flow)
"""


def described(places: Places, asked: Asked) -> dict[str, str]:
    """What a file says of its making; the exact score comes from no checkpoint."""
    if asked.scored == walks.EXACT:
        return {"settings": json.dumps(asdict(asked))}
    found = walks.path(places, asked.data)
    return exports.origin(found.stem, asked, checkpoint.header(found).provenance)


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            go, stop = live.go_and_stop("score-walk")
            inputs, dice = _controls(places)
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("Particles that follow a score", "score-walk", "Walking …")
            how.build(HOW, langevin.langevin)
            kept = gr.State(None, time_to_live=3600)
            export.build(kept, "score-walk", told="")
            link = links.build()

    @live.shown_on_stage(beside=2)
    def walk(*given: Any) -> Iterator[Any]:
        """Let particles follow a score. Returns every frame as sprite sheets."""
        asked, moments = Asked(*given), list[Moment]()
        made, density = walks.run(walks.score_of(places, asked), asked), walks.density_of(asked.data)

        def now(moment: Moment) -> list[Strip]:
            return [walks.strip([walks.seen(density, moment)])]

        steps = langevin.DESCENTS[asked.sampler](asked.steps) if asked.sampler in langevin.DESCENTS else asked.steps
        yield from live.previews(made, steps, moments.append, now)
        shown = walks.film(asked, moments)
        about = described(places, asked)
        yield [scrubber.pack(**shown), export.of_film(f"{TAB}-seed{asked.seed}", about, shown), links.value(TAB, asked)]

    def opened(request: gr.Request) -> list[Any]:
        return live.opened(Asked, TAB, request)

    outputs, chosen = [stage, kept, link], inputs[:3]
    live.listen(stage, live.Buttons(go, stop, dice), walk, inputs, outputs, inputs[-1], "score_walk",
                also=[radio.input for radio in chosen], quietly=[link.select])  # fmt: skip
    page.load(opened, None, [stage, link, *inputs], **controls.LIGHT, **controls.PRIVATE)


def _controls(places: Places) -> tuple[list[Any], gr.Button]:
    """The controls in the order of `Asked`, and the dice."""
    default = Asked()
    data = gr.Radio(list(densities.DENSITIES), value=default.data, label="Data", elem_classes="chips")
    hint = f"The true one, or that of a network, which there is of {', '.join(walks.learned(places)) or 'none'}."
    scored = gr.Radio(walks.SCORES, value=default.scored, label="Score", info=hint, elem_classes="chips")
    named = [(title, name) for name, title in samplers.SAMPLERS.items()]
    sampler = gr.Radio(named, value=default.sampler, label="Sampler", info="The first two stay at the least noise.",
                       elem_classes="chips")  # fmt: skip
    n = gr.Slider(10, 1000, default.n, step=10, label="Particles", info="How many.")
    hint = "h by the variance at hand; too large overshoots, too small crawls."
    size = gr.Number(default.size, label="Step size", info=hint, min_width=100)
    temperature = gr.Slider(0, 4, default.temperature, step=0.1, label="Temperature T", info="0 only climbs.")
    controls.rest(size, sampler, *samplers.PLAIN, "annealed")
    controls.rest(temperature, sampler, "langevin")
    steps = gr.Slider(10, 500, default.steps, step=10, label="Steps", info="Evaluations of the score.")
    seed, dice = controls.seed()
    with gr.Accordion("More", open=False):
        low = gr.Number(default.low, label="Least noise", info="Where it ends.", min_width=100)
        hint = "Where annealing begins; the first two begin within half of it."
        high = gr.Number(default.high, label="Most noise", info=hint, min_width=100)
    every = (data, scored, sampler, n, size, temperature, steps, low, high, seed)
    return [unchecked(control) for control in every], dice
