"""Draw: a prompt becomes pictures, live while they are made and scrubbed afterwards, word by word."""

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import gradio as gr
import torch

from playground import sampling, validation
from playground.data import captions, emoji, scenes
from playground.models import text_to_image
from playground.models.text_to_image import GUIDANCE, LONGEST, Settings
from playground.tabs import Places, live
from playground.tabs.text_to_image import runs, seen
from playground.tabs.text_to_image.runs import Recorder, Run
from playground.ui import component, controls, export, how, links, scrubber
from playground.ui.controls import answered, sentence, unchecked
from playground.validation import UserError

TITLE, TAB = "Draw", "text_to_image"
MAX_PICTURES, MAX_STEPS = 9, 250
# The controls, by their names in the settings.
NAMES = ("prompt", "w", "n", "steps", "seed", "negative", "guidance", "sampler", "eta")
EXAMPLES = [
    "a small pizza on a blue background",
    "a robot to the left of a cactus on a yellow background",
    "an owl above a guitar on purple",
    "a big red apple on a black background",
    "the penguin, pink background",
]
MEAN = ("the mean", -1)
HOW = """
A text encoder turns the prompt's tokens into states, each in the light of the words before it. The U-Net starts from a
latent of noise and, at every step, lets each place of its maps ask the tokens: the shares in which they answer are the
attention under the pictures. It predicts twice, with and without the prompt; guidance goes w times the way from the
one to the other. A decoder turns the latent, 16x16 numbers of four channels, into a picture of 64x64.

What it knows: *[a] [small | big] NAME on a COLOUR background*, and two of them *to the left of*, *to the right of*,
*above* or *below* each other, for some 260 emoji and 12 colours, in many phrasings. One emoji nearly always comes out
as asked; of two, four pictures of five have both, and then each stands where it should.

[Rombach 2022](https://arxiv.org/abs/2112.10752) (latent diffusion) ·
[Radford 2021](https://arxiv.org/abs/2103.00020) (CLIP) ·
[Ho and Salimans 2022](https://arxiv.org/abs/2207.12598) (guidance) ·
[Hertz 2022](https://arxiv.org/abs/2208.01626) (attention of words)
"""


def settings_of(values: Any) -> Settings:
    """The controls' values as settings.

    Raises:
        UserError: one of them is not allowed.
    """
    given = dict(zip(NAMES, values, strict=True))
    validation.integer("number of pictures", given["n"], 1, MAX_PICTURES)  # the command line makes more
    validation.integer("steps", given["steps"], 1, MAX_STEPS)
    return Settings(**given)


def values_of(settings: Settings) -> list[Any]:
    """The controls' values for some settings."""
    given = dataclasses.asdict(settings)
    return [given[name] for name in NAMES]


def random_prompt() -> str:
    """A caption of a random scene, such as the model has or has not seen in training."""
    called = captions.words(emoji.CORE)
    every = scenes.Allowed(
        torch.ones(len(called), len(scenes.GROUNDS)).bool(), torch.ones(len(called), len(called)).bool()
    )
    random = torch.Generator()
    random.seed()
    drawn = scenes.sample_both(3, random, every)
    return captions.captions(drawn, called, random)[int(torch.randint(3, (), generator=random))]


class View(NamedTuple):
    """The components of the view: the controls, the buttons, and what a run fills."""

    controls: list[Any]
    buttons: live.Buttons
    surprise: gr.Button
    examples: gr.Dataset
    stage: gr.HTML
    look: list[Any]
    ask: gr.Button
    table: gr.HTML
    kept: gr.State
    run: gr.State
    command: gr.Code
    code: gr.Code
    link: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        """What a run fills."""
        return [self.stage, self.kept, self.run, self.command, self.code, self.link, self.table, *self.look[1:]]


UNCHANGED = [gr.skip()] * 8  # what stands beside the stage, while that shows something else than a finished run


def lay_out() -> View:
    """The prompt above all; the other controls beside the stage."""
    prompt, surprise = _prompt()
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            go, stop = live.go_and_stop("text")
            examples = gr.Dataset(
                components=[prompt], samples=[[text] for text in EXAMPLES], label="Examples", type="values"
            )
            inputs, dice = _controls()
            _known()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("From a prompt to pictures", "text-scrubber", "Sampling a first run …")
            look = _look()
            ask = gr.Button("What does CLIP see in these pictures?", size="sm")
            table = gr.HTML(elem_id="text-seen")
            code = how.build(HOW, sampling.SAMPLERS[runs.FIRST.sampler])
            kept, run = gr.State(None, time_to_live=3600), gr.State(None, time_to_live=3600)
            command = export.build(kept, "text-scrubber")
            link = links.build()
    return View(
        [prompt, *inputs], live.Buttons(go, stop, dice), surprise, examples, stage, look, ask, table, kept, run,
        command, code, link,
    )  # fmt: skip


def _prompt() -> tuple[Any, gr.Button]:
    """The prompt, and the button that thinks of one."""
    hint = "An emoji's name, and a background if you like; or two names, and how they lie to each other."
    with gr.Row():
        prompt = gr.Textbox(runs.FIRST.prompt, label="Prompt", info=hint, max_length=LONGEST, elem_id="text-prompt",
                            scale=6, min_width=320)  # fmt: skip
        surprise = gr.Button("Random prompt", min_width=130, scale=1, elem_classes="dice")
    return unchecked(prompt), surprise


def _controls() -> tuple[list[Any], gr.Button]:
    """The other controls in the order of `NAMES`, and the dice."""
    default = runs.FIRST
    hint = "0 ignores the prompt, 1 is the model as it learned, more exaggerates the prompt."
    w = gr.Slider(0, 12, default.w, step=0.5, label="Guidance w", info=hint)
    n = gr.Slider(1, MAX_PICTURES, default.n, step=1, label="Pictures", info="How many at once.")
    steps = gr.Slider(1, MAX_STEPS, default.steps, step=1, label="Steps", info="More are slower, and more exact.")
    seed, dice = controls.seed(value=default.seed)
    with gr.Accordion("More", open=False):
        hint = "What to keep away from, instead of the empty prompt."
        negative = gr.Textbox(default.negative, label="Negative prompt", info=hint, max_length=LONGEST)
        hint = "How w goes from the noise to the picture; an interval guides the middle alone."
        guidance = gr.Radio(
            list(GUIDANCE), value=default.guidance, label="w over time", info=hint, elem_classes="chips"
        )
        sampler = controls.sampler(default.sampler)
        eta = controls.eta(default.eta, sampler)
    inputs = [unchecked(control) for control in (w, n, steps, seed, negative, guidance, sampler, eta)]
    return inputs, dice


def _known() -> None:
    """What a prompt can be made of."""
    with gr.Accordion("The words it knows", open=False):
        gr.Markdown(f"**Emoji:** {', '.join(emoji.CORE)}.\n\n**Backgrounds:** {', '.join(scenes.GROUNDS)}.")


def _look() -> list[Any]:
    """What of a run is looked at: its strips, and whose attention."""
    with gr.Row(elem_classes="look"):
        hint = "Guidance: the estimates with and without the prompt."
        shown = gr.Radio(runs.SHOWN, value=runs.LATENT, label="Show", info=hint, elem_classes="chips")
        layer = gr.Dropdown([MEAN], value=-1, label="Attention of", info="The mean, or one of the U-Net's layers.")
        head = gr.Dropdown([MEAN], value=-1, label="Head", info="Each layer looks with several.")
    return [unchecked(control) for control in (shown, layer, head)]


def finished(places: Places, run: Run, shown: object = runs.LATENT, asked: bool = True, notice: str = "") -> list[Any]:
    """A finished run as values of the outputs; `asked` for, it goes into the page's address."""
    settings = run.settings
    kept = export.of_diffusion(runs.NAME, settings, runs.provenance(places), [run.x0_hat], run.steps, run.t)
    value = runs.describe(runs.load_model(places), run, validation.choice("strips", shown, runs.SHOWN), notice)
    code, link = how.source(sampling.SAMPLERS[settings.sampler]), links.value(TAB, settings, address=asked)
    return [value, kept, run, kept.about["command"], code, link, "", *_choices(run)]


def _choices(run: Run) -> list[Any]:
    """Of layers and heads, of which attention is shown; the mean at first."""
    heads = [(f"head {i + 1}", i) for i in range(run.attention[0].shape[2])]
    layers = [(name, i) for i, name in enumerate(runs.layers(run))]
    return [gr.update(choices=[MEAN, *each], value=-1) for each in (layers, heads)]


def whose(run: Run, layer: object, head: object) -> list[int | None]:
    """The layer and the head whose attention is looked at; none for the mean.

    Raises:
        UserError: the U-Net has no such layer or head.
    """
    of = [
        validation.integer(name, value, -1, most - 1)
        for name, value, most in (("layer", layer, len(run.attention)), ("head", head, run.attention[0].shape[2]))
    ]
    return [None if value < 0 else value for value in of]


def first_run(places: Places, notice: str = "") -> list[Any]:
    """The run that greets, and the controls that say so; or what is wrong with the model."""
    try:
        shown = finished(places, runs.first(places), asked=False, notice=notice)
    except UserError as error:
        shown = [component.message(notice or sentence(error)), *UNCHANGED]
    return [*shown, *values_of(runs.FIRST), None]


def opened(places: Places, request: gr.Request) -> list[Any]:
    """The controls as the address sets them, and the first run if it asks for none."""
    try:
        asked = links.restore(Settings, TAB, request.query_params)
        if not asked:
            return first_run(places)
        values = values_of(asked)
        settings_of(values)  # the page allows less than the command line
        return [component.message("Sampling the run of this link …"), *UNCHANGED, *values, asked]
    except UserError as error:
        return first_run(places, sentence(error))


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    view = lay_out()
    inputs, outputs, prompt, seed = view.controls, view.outputs, view.controls[0], view.controls[NAMES.index("seed")]

    @live.shown_on_stage(beside=len(UNCHANGED))
    def sample(shown: object, *values: Any) -> Iterator[Any]:
        """Draw what a prompt says. Returns every frame as sprite sheets, and the command line."""
        settings, model = settings_of(values), runs.load_model(places)
        validation.choice("strips", shown, runs.SHOWN)
        recorder = Recorder(model, settings)
        moments = text_to_image.sample(model, settings)
        yield from live.previews(moments, settings.steps, recorder.add, partial(runs.preview, model))
        yield finished(places, recorder.run(), shown)

    def sample_example(example: list[str], shown: object, _: object, *values: Any) -> Iterator[Any]:
        for update in sample(shown, example[0], *values):
            yield [*update, example[0]]

    def sample_random(shown: object, _: object, *values: Any) -> Iterator[Any]:
        yield from sample_example([random_prompt()], shown, _, *values)

    def sample_linked(asked: Settings | None, shown: object) -> Iterator[Any]:
        if asked:
            yield from sample(shown, *values_of(asked))
        else:  # Gradio tells of the state of a hidden tab even if it did not change
            yield [gr.skip(), *UNCHANGED]

    def open_page(request: gr.Request) -> list[Any]:
        return opened(places, request)

    asked, shown = gr.State(None), view.look[0]
    page.load(open_page, None, [*outputs, *inputs, asked], **controls.HIDDEN, concurrency_id="text",
              concurrency_limit=2, **controls.PRIVATE)  # fmt: skip

    others: list[tuple[Any, ...]] = [
        (view.surprise, sample_random, [shown, *inputs], [*outputs, prompt]),
        (view.examples, sample_example, [view.examples, shown, *inputs], [*outputs, prompt]),
    ]
    linked = asked.change(sample_linked, [asked, shown], outputs, **controls.MODEL, **controls.PRIVATE)
    live.listen(view.stage, view.buttons, sample, inputs, outputs, seed, "text_to_image_sample",
                beside=[shown], also=[prompt.submit], others=others, linked=[linked])  # fmt: skip

    @answered
    def look(run: Run | None, shown: object, layer: object, head: object) -> Any:
        """Other strips of the run on show."""
        if not run:
            return gr.skip()
        strips, (layer, head) = validation.choice("strips", shown, runs.SHOWN), whose(run, layer, head)
        return runs.describe(runs.load_model(places), run, strips, layer=layer, head=head, keep=True)

    @answered
    def attend(run: Run | None, layer: object, head: object) -> Any:
        """Other maps of its words."""
        if not run:
            return gr.skip()
        return scrubber.spoken(runs.words(run, *whose(run, layer, head)))

    @answered
    def see(run: Run | None) -> str:
        """What CLIP sees in the pictures on show."""
        return seen.table(runs.load_model(places), run)

    view.ask.click(see, view.run, view.table, **controls.SLOW)
    shown.input(look, [view.run, *view.look], view.stage, **controls.LIGHT, **controls.PRIVATE)
    gr.on([each.input for each in view.look[1:]], attend, [view.run, *view.look[1:]], view.stage, **controls.LIGHT,
          **controls.PRIVATE)  # fmt: skip
