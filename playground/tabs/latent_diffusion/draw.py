"""Draw: a prompt becomes pictures, live while they are made and scrubbed afterwards, word by word."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import gradio as gr

from playground.datasets import emoji
from playground.datasets.scenes import BACKGROUNDS
from playground.diffusion.samplers import SAMPLERS
from playground.export import media
from playground.families import latent_diffusion
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.runtime.run import Frame
from playground.tabs.latent_diffusion import clip_captions, draw_controls, fidelity, runs, token_vectors
from playground.tabs.latent_diffusion.draw_controls import MEAN, NAMES
from playground.tabs.latent_diffusion.prompt_line import PromptLine
from playground.tabs.latent_diffusion.recorder import Recorder, Run
from playground.tabs.latent_diffusion.runs import (
    CHECKPOINTS,
    FIRST,
    LATENT,
    SMOOTH,
    STRIP_KINDS,
    ViewParams,
    load_model,
)
from playground.web import controls, explanation, export, links, run_view, scrubber
from playground.web.component import Value
from playground.web.controls import ControlValue, EventSettings, user_errors_to_gradio
from playground.web.first_run import FirstRunView
from playground.web.live_run import LiveRun
from playground.web.stop import Outputs, Unfinished, newest_run_only

TAB = "latent_diffusion"
EXAMPLES = [
    "a small pizza on a blue background",
    "a robot to the left of a cactus on a yellow background",
    "a rocket above a guitar on purple",
    "a big red apple on a black background",
    "the penguin, pink background",
]
HOW = f"""
A text encoder turns the prompt's tokens into states, each in the light of the words before it. The U-Net starts from a
latent of noise and, at every step, lets each place of its maps ask the tokens: the shares in which they answer are the
attention that the words above the pictures show. It predicts twice, with and without the prompt; guidance goes w times
the way from the one to the other. A decoder turns the latent, 16x16 numbers of four channels, into a picture of 64x64.

What it knows: *[a] [small | big] NAME on a COLOUR background*, and two of them *to the left of*, *to the right of*,
*above* or *below* each other, for {len(emoji.CORE)} emoji and {len(BACKGROUNDS)} colours, in many phrasings.

[Rombach 2022](https://arxiv.org/abs/2112.10752) (latent diffusion) ·
[Radford 2021](https://arxiv.org/abs/2103.00020) (CLIP) ·
[Ho and Salimans 2022](https://arxiv.org/abs/2207.12598) (guidance) ·
[Hertz 2022](https://arxiv.org/abs/2208.01626) (attention of words)
"""
# With the name of its model, the scrubber's name of the run, and the kind of the strips that it came with.
RunOnShow = tuple[str, Run, str, str]


@dataclass
class ChosenStrips:
    """State of a visitor's view: the strips that were chosen last, by their kind and the scrubber's name of the run."""

    run_id: str = ""
    kind: str = ""


class DrawView(FirstRunView[ViewParams, Run]):
    """Exchange between the controls and the scrubber, and questions about the run on show."""

    TITLE = "Draw"
    HINT = (
        "**Type a prompt and press Sample**, then point at a word above the pictures to see where the network looks "
        "for it."
    )
    picker, tab, first, names = CHECKPOINTS, TAB, FIRST, NAMES

    def __init__(self, paths: Paths):
        """Lay out the prompt above, and the other controls beside the stage."""
        self.paths, (prompt, self.random_prompt) = paths, draw_controls.build_prompt()
        line = PromptLine(paths, prompt)
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                go, stop = run_view.build_buttons("text")
                samples = [[text] for text in EXAMPLES]
                self.examples = gr.Dataset(components=[prompt], samples=samples, label="Examples", type="values")
                model, inputs, new_seed = draw_controls.build_controls(paths)
                line.bind(model)
                draw_controls.build_picker(prompt)
            with controls.stage_column(with_settings=False):
                stage = scrubber.build("From a prompt to pictures", "text-scrubber", "Sampling a first run …")
                (self.strip_kind, *self.attention), vectors = draw_controls.build_inside()
                text = "What does CLIP see in these pictures?"
                self.caption_button = gr.Button(text, size="sm", elem_classes="needs-run")
                self.captions = gr.HTML(elem_id="text-seen")
                self.worst = fidelity.build(paths, prompt)
                code = explanation.build(HOW, SAMPLERS[FIRST.sampler].function)
                # The run as the export panel saves it; and the run on show, with the name of its model.
                exportable, self.run = gr.State(None, time_to_live=3600), gr.State(None, time_to_live=3600)
                command = export.build(exportable, stage)
                link = links.build()
        self.stage, self.buttons = stage, run_view.Buttons(go, stop, new_seed)
        self.inputs = [model, prompt, *inputs]
        self.outputs = [stage, exportable, self.run, command, code, link, self.captions, vectors, *self.attention]

    def load_first_run(self, model: str) -> Run:
        """Return the first run of a model."""
        return runs.first(self.paths, model)

    def run_values(
        self, params: ViewParams, run: Run, address: bool = True, notice: str = "", strip_kind: str = LATENT
    ) -> list[object]:
        """Return the values of the outputs for a finished run, which goes into the page's `address`, or not."""
        path, model = CHECKPOINTS.path(self.paths, params.model), load_model(self.paths, params.model)
        film = runs.make_film(model, run, strip_kind)
        stage_value = scrubber.pack(replace(film, notice=notice or film.notice))
        about = media.build_metadata(path, run.settings) | links.record(TAB, params)
        return [
            stage_value,
            export.from_steps(f"{path.stem}-seed{params.seed}", about, [run.x0_hat], run.steps, run.t),
            (params.model, run, stage_value["run"], strip_kind),
            about["command"],
            explanation.source(SAMPLERS[params.sampler].function),
            links.value(TAB, params, address),
            "",
            token_vectors.table(model, run.settings.prompt),
            *_attention_choices(run),
        ]

    @run_view.follow_run
    def sample(self, strip_kind: ControlValue, *values: ControlValue) -> LiveRun[Frame]:
        """Draw what a prompt says. Returns every frame as sprite sheets, and the command line."""
        params = self.params_of(values)
        model = load_model(self.paths, params.model)
        validation.check_choice("strips", strip_kind, STRIP_KINDS)
        settings = runs.read_prompts(self.paths, params.model, params.settings)
        recorder = Recorder(model, settings)
        frames = latent_diffusion.sample(model, settings)
        return LiveRun(
            frames, params.steps, recorder.add, partial(runs.preview, model),
            lambda: self.run_values(params, recorder.run(), strip_kind=strip_kind), links.value(TAB, params),
        )  # fmt: skip

    def sample_example(
        self, example: list[str], strip_kind: object, model: object, _: object, *values: object
    ) -> Iterator[Outputs]:
        """Draw what an example says, and put it into the prompt, once: the next one may be typed meanwhile."""
        prompt = example[0]
        for outputs in self.sample(strip_kind, model, prompt, *values):
            if isinstance(outputs, Unfinished):
                yield outputs
            else:
                yield [*outputs, prompt]
                prompt = gr.skip()

    def sample_random(self, *values: object) -> Iterator[Outputs]:
        """Draw what a random prompt says, and put it into the prompt."""
        yield from self.sample_example([draw_controls.random_prompt()], *values)

    @user_errors_to_gradio
    def show_inside(
        self, chosen: ChosenStrips, run_on_show: RunOnShow | None, strip_kind: object, *attention: object
    ) -> Value:
        """Return other strips of the run on show or, if these stay, other maps of its words."""
        name, run, run_id, kind_on_show = controls.check_kept(run_on_show)
        if chosen.run_id == run_id:
            kind_on_show = chosen.kind
        kind, maps = validation.check_choice("strips", strip_kind, STRIP_KINDS), parse_attention(run, *attention)
        if kind == kind_on_show:
            return scrubber.pack_words(runs.words(run, maps), run_id)
        film = runs.make_film(load_model(self.paths, name), run, kind, maps)
        chosen.run_id, chosen.kind = run_id, kind
        return scrubber.pack_again(film, run_id)

    @user_errors_to_gradio
    def find_captions(self, run_on_show: RunOnShow | None) -> str:
        """Return the captions that CLIP finds nearest to the pictures on show."""
        name, run, *_ = controls.check_kept(run_on_show)
        return clip_captions.table(load_model(self.paths, name), run)

    def bind(self, page: gr.Blocks) -> None:
        stage = self.stage
        kind, attention = self.strip_kind, self.attention
        prompt, negative, seed = (self.inputs[NAMES.index(name)] for name in ("prompt", "negative", "seed"))
        inputs, outputs = [kind, *self.inputs], [*self.outputs, prompt]
        other_runs = [
            run_view.OtherRun(self.random_prompt, self.sample_random, inputs, outputs),
            *(
                run_view.OtherRun(samples, self.sample_example, [samples, *inputs], outputs)
                for samples in (self.examples, self.worst)
            ),
        ]
        view = run_view.RunView(stage, self.buttons, self.inputs, seed, self.outputs, [kind], unmarked=[kind])
        settings: EventSettings = {**controls.HIDDEN, "concurrency_id": "text", "concurrency_limit": 2}
        view.bind(self.sample, TAB, triggers=[prompt.submit, negative.submit],
                  other_runs=other_runs, link_runs=[self.bind_load(page, view, settings)])  # fmt: skip
        find_captions = newest_run_only(self.find_captions)
        self.caption_button.click(find_captions, [view.under_way, self.run], self.captions, **controls.SLOW)
        inside = [kind, *attention]
        gr.on([control.input for control in inside], self.show_inside, [gr.State(ChosenStrips()), self.run, *inside],
              stage, **controls.LIGHT)  # fmt: skip


def parse_attention(run: Run, layer: object, head: object, detail: object) -> runs.Attention:
    """Return the attention of a layer and a head, -1 for the mean; raise UserError if the U-Net has none such."""

    def parse(name: str, value: object, n: int) -> int | None:
        index = validation.check_integer(name, value, -1, n - 1)
        return None if index < 0 else index

    n_layers, n_heads = len(run.attention), run.attention[0].shape[2]
    smooth = validation.check_choice("detail", detail, runs.DETAILS) == SMOOTH
    return runs.Attention(parse("layer", layer, n_layers), parse("head", head, n_heads), smooth)


def _attention_choices(run: Run) -> list[object]:
    """Return the layers and heads to choose from, with the mean first, and smooth maps."""
    heads = [(f"head {i + 1}", i) for i in range(run.attention[0].shape[2])]
    names = [(name, i) for i, name in enumerate(runs.layers(run))]
    return [*(gr.update(choices=[MEAN, *options], value=-1) for options in (names, heads)), SMOOTH]
