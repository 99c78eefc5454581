"""Compare: two prompts from the same noise under one scrubber, the second on its own or with the first's attention."""

from dataclasses import dataclass, replace
from functools import partial

import gradio as gr
import numpy as np

from playground.export import media
from playground.families import latent_diffusion
from playground.families.latent_diffusion import Model, Settings
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.runtime.run import Frame
from playground.tabs.latent_diffusion.latent_pictures import decoded
from playground.tabs.latent_diffusion.prompt_line import PromptLine
from playground.tabs.latent_diffusion.runs import CHECKPOINTS, load_model, read_prompts
from playground.web import controls, export, links, palette, run_view, scrubber
from playground.web.controls import Control, ControlValue, skip_preprocess
from playground.web.linked_run import LinkedRunView
from playground.web.live_run import LiveRun
from playground.web.scrubber import Curve, Film, Strip

TAB = "latent_diffusion.compare"
MAX_PICTURES, MAX_STEPS = 4, 100
HOW = """
Both prompts start from the same noise, so what differs comes from the words. On its own, a single other word may change
place, size and background too. If the second prompt keeps the first one's attention for a while, each shared word looks
where it looked before: the layout stays, and only the new word's places are redrawn.

[Hertz 2022](https://arxiv.org/abs/2208.01626) (prompt-to-prompt)
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls."""

    model: str = ""  # its checkpoint
    prompt: str = "a small pizza on a blue background"
    edited_prompt: str = "a small owl on a blue background"
    # Share of the run, from the noise on, in which the second prompt attends as the first does.
    attention_share: float = 0.0
    w: float = 3.0
    n: int = 2
    steps: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        for prompt in (self.prompt, self.edited_prompt):
            Settings(prompt=prompt)  # which checks it
        integers = {"n": (1, MAX_PICTURES), "steps": (1, MAX_STEPS), "seed": (0, validation.MAX_SEED)}
        labels = validation.LABELS | {"attention_share": "share with the first one's attention"}
        validation.check_bounds(self, integers, {"attention_share": (0, 1), "w": (0, 12)}, labels)

    @property
    def settings(self) -> Settings:
        """Return the settings of the run of both prompts."""
        return Settings(self.n, self.prompt, steps=self.steps, w=self.w, seed=self.seed)


class Pair:
    """Run of two prompts: the estimates of each frame as pictures, those of the first prompt before the others."""

    def __init__(self, model: Model, params: ViewParams):
        self.model, self.params, self.prompts = model, params, (params.prompt, params.edited_prompt)
        self.t: list[int] = []
        self.frames: list[np.ndarray] = []

    def add(self, frame: Frame) -> None:
        """Keep a frame."""
        self.t.append(frame.t)
        self.frames.append(decoded(self.model, frame.x0_hat[None])[0])

    def strips(self, frames: np.ndarray) -> list[Strip]:
        """Return a strip for each prompt, of pictures uint8 (F, 2 N, H, W, C)."""
        hint = "x̂0, what the model expects in the end"
        halves = zip(self.prompts, np.split(frames, 2, axis=1), strict=True)
        return [Strip(prompt or "(no prompt)", hint, images) for prompt, images in halves]

    def preview(self, _: Frame) -> list[Strip]:
        """Return the strips of the newest frame."""
        return self.strips(self.frames[-1][None])

    def to_export(self, about: dict[str, str]) -> export.ExportableRun:
        """Return the run as the export panel saves it, with metadata."""
        steps = list(range(len(self.frames)))
        return export.from_steps(f"{TAB}-seed{self.params.seed}", about, [np.stack(self.frames)], steps, self.t)

    def make_film(self) -> Film:
        """Return the film of the run."""
        frames, steps = np.stack(self.frames), self.params.steps
        first, second = np.split(frames.astype(np.float32) / 127.5, 2, axis=1)
        distances = np.sqrt(np.square(first - second).mean((1, 2, 3, 4))).tolist()
        keeps = [t / self.model.schedule.T > 1 - self.params.attention_share for t in self.t]
        return Film(
            self.strips(frames),
            [
                f"step {step} of {steps} · t = {t} · they differ by {d:.3f} (root mean square; black to white is 2)"
                + (" · the second keeps the first one's attention" if keeps_attention else "")
                for step, (t, d, keeps_attention) in enumerate(zip(self.t, distances, keeps, strict=True))
            ],
            (f"t = {self.t[0]}", "t = 0"),
            curves=[Curve.of("difference", "Root-mean-square difference between the two.",
                             palette.ESTIMATE, distances)],
        )  # fmt: skip


class CompareView(LinkedRunView):
    """View of two prompts, which are above all the rest."""

    TITLE = "Two prompts"
    HINT = (
        "Two prompts start from the same noise, so all differences come from the words. **Change a word and press "
        "Sample**."
    )
    picker, params_type, tab = CHECKPOINTS, ViewParams, TAB

    def __init__(self, paths: Paths):
        self.prompts, self.lines = _build_prompts(paths)
        stage = partial(scrubber.build, "Two prompts from the same noise", "text-compare", "Sampling a first pair …")
        super().__init__(paths, "text-compare", stage, HOW, latent_diffusion.prompt_to_prompt)

    @run_view.follow_run
    def sample(self, *values: ControlValue) -> LiveRun[Frame]:
        """Draw what two prompts say, from the same noise. Returns every frame as sprite sheets."""
        params = ViewParams(*values)
        model = load_model(self.paths, params.model)
        first, second = (
            read_prompts(self.paths, params.model, Settings(prompt=prompt)).prompt
            for prompt in (params.prompt, params.edited_prompt)
        )
        read = replace(params, prompt=first, edited_prompt=second)
        pair = Pair(model, read)
        frames = latent_diffusion.prompt_to_prompt(model, read.settings, second, params.attention_share)
        about = media.build_origin(CHECKPOINTS.path(self.paths, params.model), read) | links.record(TAB, params)
        return LiveRun(
            frames, params.steps, pair.add, pair.preview,
            lambda: [scrubber.pack(pair.make_film()), pair.to_export(about), links.value(TAB, params)],
            links.value(TAB, params),
        )  # fmt: skip

    def bind(self, page: gr.Blocks) -> None:
        self.bind_runs(page, [prompt.submit for prompt in self.prompts])

    def build_controls(self) -> tuple[list[Control], gr.Button]:
        """Build the controls but for the prompts; return all in the order of `ViewParams`, and that for a new seed."""
        default, model = ViewParams(), CHECKPOINTS.build(self.paths)
        for line in self.lines:
            line.bind(model)
        hint = "Share of the run in which words of both prompts look where they look for the first."
        share = controls.slider(0, 1, default.attention_share, 0.05, "Keep the attention", hint)
        w = controls.slider(0, 12, default.w, 0.5, "Guidance w", "More exaggerates the prompts.")
        n = controls.slider(1, MAX_PICTURES, default.n, 1, "Pictures", "How many for each prompt.")
        steps = controls.steps(MAX_STEPS, default.steps)
        seed, new_seed = controls.seed()
        return [model, *self.prompts, share, w, n, steps, seed], new_seed


def _build_prompts(paths: Paths) -> tuple[list[Control], list[PromptLine]]:
    default, prompts, lines = ViewParams(), list[Control](), list[PromptLine]()
    with gr.Row():
        for name, text, label, hint in (
            ("first", default.prompt, "Prompt", "For the pictures on the left."),
            ("second", default.edited_prompt, "Other prompt", "For the pictures on the right; change a word."),
        ):
            with gr.Column(min_width=320):
                box = gr.Textbox(text, label=label, info=hint, elem_id=f"text-compare-{name}")
                prompts.append(skip_preprocess(box))
                lines.append(PromptLine(paths, box))
    return prompts, lines
