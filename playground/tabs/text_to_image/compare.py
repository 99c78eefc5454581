"""Compare: two prompts from the same noise under one scrubber, the second on its own or with the first's attention."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np

from playground import exports, validation
from playground.models import text_to_image
from playground.models.text_to_image import LONGEST, Model, Moment, Settings
from playground.tabs import Places, live
from playground.tabs.text_to_image import runs
from playground.ui import controls, export, how, links, palette, scrubber
from playground.ui.controls import unchecked
from playground.ui.scrubber import Curve, Series, Strip

TITLE, TAB = "Compare", "text_to_image.compare"
MAX_PICTURES, MAX_STEPS = 4, 100
HOW = """
Both prompts start from the same noise, so what differs comes from the words. On its own, a single other word may change
place, size and background too. If the second prompt keeps the first one's attention for a while, each shared word looks
where it looked before: the layout stays, and only the new word's places are redrawn.

[Hertz 2022](https://arxiv.org/abs/2208.01626) (prompt-to-prompt)
"""


@dataclass(frozen=True)
class Asked:
    """What a link restores, and the controls hold, in their order.

    Attributes:
        kept: for which share of the run the second prompt looks as the first does, from the noise on.
    """

    prompt: str = "a small pizza on a blue background"
    other: str = "a small owl on a blue background"
    kept: float = 0.0
    w: float = 3.0
    n: int = 2
    steps: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        validation.integer("number of pictures", self.n, 1, MAX_PICTURES)
        validation.integer("steps", self.steps, 1, MAX_STEPS)
        settings = self.settings
        validation.keep(
            self,
            prompt=settings.prompt,
            other=Settings(prompt=self.other).prompt,
            kept=validation.number("share with the first one's attention", self.kept, 0, 1),
            **{name: getattr(settings, name) for name in ("w", "n", "steps", "seed")},
        )

    @property
    def settings(self) -> Settings:
        """Of the run of both."""
        return Settings(self.n, self.prompt, steps=self.steps, w=self.w, seed=self.seed)


class Pair:
    """The estimates of a run of two prompts, as pictures."""

    def __init__(self, model: Model, asked: Asked):
        self.model, self.asked = model, asked
        self.t: list[int] = []
        self.frames: list[np.ndarray] = []

    def add(self, moment: Moment) -> None:
        """Keep a moment."""
        self.t.append(moment.t)
        self.frames.append(runs.decoded(self.model, moment.z0_hat[None])[0])

    def strips(self, frames: np.ndarray) -> list[Strip]:
        """One for each prompt, of pictures uint8 (F, 2 N, H, W, C)."""
        halves = zip((self.asked.prompt, self.asked.other), np.split(frames, 2, axis=1), strict=True)
        return [
            Strip(prompt or "(no prompt)", "x̂0, what the model expects in the end", half) for prompt, half in halves
        ]

    def preview(self, _: Moment) -> list[Strip]:
        """Of the newest moment."""
        return self.strips(self.frames[-1][None])

    def kept(self, about: dict[str, str]) -> export.RunOnShow:
        """As files get it, which say so much of its making."""
        steps = list(range(len(self.frames)))
        return export.of_steps(f"{TAB}-seed{self.asked.seed}", about, [np.stack(self.frames)], steps, self.t)

    def describe(self) -> dict[str, Any]:
        """The scrubber's value."""
        frames, steps = np.stack(self.frames), self.asked.steps
        first, second = np.split(frames.astype(np.float32) / 127.5, 2, axis=1)
        apart = np.sqrt(np.square(first - second).mean((1, 2, 3, 4))).tolist()
        keeps = [t / self.model.schedule.T > 1 - self.asked.kept for t in self.t]
        return scrubber.pack(
            self.strips(frames),
            [
                f"step {step} of {steps} · t = {t} · the pictures differ by {d:.3f} (root mean square, of a range of 2)"
                + (" · the second keeps the first one's attention" if kept else "")
                for step, (t, d, kept) in enumerate(zip(self.t, apart, keeps, strict=True))
            ],
            (f"t = {self.t[0]}", "t = 0"),
            curves=[Curve("difference", "Root mean square of the difference of the two.",
                          [Series("", palette.ESTIMATE, apart)])],
            notice=" ".join({runs.notices(self.model, each): None for each in (self.asked.prompt, self.asked.other)}),
        )  # fmt: skip


def build(page: gr.Blocks, places: Places) -> None:
    """The view, and what happens in it."""
    prompts = _prompts()
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            go, stop = live.go_and_stop("text-compare")
            others, dice = _controls()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            stage = scrubber.build("Two prompts from the same noise", "text-compare", "Sampling a first pair …")
            how.build(HOW, text_to_image.edited)
            kept = gr.State(None, time_to_live=3600)
            export.build(kept, "text-compare", told="")
            link = links.build()
    inputs = [*prompts, *others]

    @live.shown_on_stage(beside=2)
    def sample(*given: Any) -> Iterator[Any]:
        """Draw what two prompts say, from the same noise. Returns every frame as sprite sheets."""
        asked, model = Asked(*given), runs.load_model(places)
        pair = Pair(model, asked)
        moments = text_to_image.edited(model, asked.settings, asked.other, asked.kept)
        yield from live.previews(moments, asked.steps, pair.add, pair.preview)
        about = exports.origin(runs.NAME, asked, runs.provenance(places))
        yield [pair.describe(), pair.kept(about), links.value(TAB, asked)]

    def opened(request: gr.Request) -> list[Any]:
        return live.opened(Asked, TAB, request)

    live.listen(stage, live.Buttons(go, stop, dice), sample, inputs, [stage, kept, link], inputs[-1],
                "text_to_image_compare", also=[field.submit for field in prompts], quietly=[link.select])  # fmt: skip
    page.load(opened, None, [stage, link, *inputs], **controls.LIGHT, **controls.PRIVATE)


def _prompts() -> list[Any]:
    """Both prompts, beside each other."""
    default = Asked()
    with gr.Row():
        prompt = gr.Textbox(default.prompt, label="Prompt", info="Of the left pictures.", max_length=LONGEST)
        other = gr.Textbox(default.other, label="Other prompt", info="Of the right ones; try another word.",
                           max_length=LONGEST)  # fmt: skip
    return [unchecked(prompt), unchecked(other)]


def _controls() -> tuple[list[Any], gr.Button]:
    """The other controls in the order of `Asked`, and the dice."""
    default = Asked()
    hint = "How long the shared words of the second look where the first one's did."
    kept = gr.Slider(0, 1, default.kept, step=0.05, label="Keep the attention", info=hint)
    w = gr.Slider(0, 12, default.w, step=0.5, label="Guidance w", info="More exaggerates the prompts.")
    n = gr.Slider(1, MAX_PICTURES, default.n, step=1, label="Pictures", info="Of each prompt.")
    steps = gr.Slider(1, MAX_STEPS, default.steps, step=1, label="Steps", info="More are slower, and more exact.")
    seed, dice = controls.seed()
    return [unchecked(control) for control in (kept, w, n, steps, seed)], dice
