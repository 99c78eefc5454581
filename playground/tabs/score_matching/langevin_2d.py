"""Langevin: particles that follow a score through the plane, by every sampler there is for it, played and scrubbed."""

import json
from dataclasses import asdict
from functools import partial

import gradio as gr

from playground.datasets import densities
from playground.export import media
from playground.families.score_matching import langevin, particles, samplers
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.runtime.run import Frame
from playground.tabs.score_matching import langevin_runs
from playground.tabs.score_matching.langevin_runs import ViewParams
from playground.web import controls, export, links, run_view, scrubber
from playground.web.component import Value
from playground.web.controls import Control, ControlValue, user_errors_to_gradio
from playground.web.linked_run import LinkedRunView
from playground.web.live_run import LiveRun
from playground.web.newest import Requests

TAB = "score_matching.langevin"
HOW = """
Langevin dynamics follows the score uphill, shaken by just enough noise that its points end up distributed as the
density. In theory from anywhere; in practice hardly anything crosses the empty space between two modes, so how many
particles each one gets depends on where they began. Much noise fills that space: annealing begins there, where there is
a single hill, and takes the noise away little by little. The reverse process and the probability flow do the same with
one step at each level.

The step size is a share of a variance: of the noise level's where that falls (annealed), otherwise of the narrowest
part of the noised density. The formula shows the h that follows from it.

[Welling 2011](https://www.stats.ox.ac.uk/~teh/research/compstats/WelTeh2011a.pdf) (Langevin) ·
[Song 2019](https://arxiv.org/abs/1907.05600) (annealed) ·
[Song 2021](https://arxiv.org/abs/2011.13456) (predictor-corrector, probability flow)
"""


def describe_run(paths: Paths, params: ViewParams) -> dict[str, str]:
    """Return the metadata of a file; the exact score comes from no checkpoint."""
    if params.score == langevin_runs.EXACT:
        return {"settings": json.dumps(asdict(params))}
    return media.build_origin(langevin_runs.CHECKPOINTS.path(paths, params.model), params)


def update_model(paths: Paths, model: str, data: str, score: str) -> Value:
    """Return the update of the control of the model: it chooses between learned scores of the same data."""
    names = langevin_runs.learned_densities(paths).get(data, [])
    value = model if model in names else next(iter(names), model)
    # Gradio refuses a value that is no choice, even of a hidden control.
    return gr.update(choices=names or [value], value=value, visible=score == langevin_runs.LEARNED and len(names) > 1)


class LangevinView(LinkedRunView):
    """View of particles that a sampler moves along a score."""

    TITLE = "Langevin"
    HINT = (
        "Particles follow the score uphill, shaken by noise. **Press Play**, then compare the samplers: does each mode "
        "get its share? Click to drop a particle of your own."
    )
    picker, params_type, tab = langevin_runs.CHECKPOINTS, ViewParams, TAB

    def __init__(self, paths: Paths):
        stage = partial(scrubber.build, "Particles that follow a score", "score-langevin", "Moving the particles …")
        super().__init__(paths, "score-langevin", stage, HOW, langevin.langevin)
        # Parameters of the run on show, the number of its frames, and the scrubber's name of it.
        self.walk = gr.State(None, time_to_live=3600)
        self.outputs.append(self.walk)

    @run_view.follow_run
    def sample(self, *values: ControlValue) -> LiveRun[Frame]:
        """Let particles follow a score. Returns every frame as sprite sheets."""
        params, frames = langevin_runs.resolve(self.paths, ViewParams(*values)), list[Frame]()
        steps, score = samplers.SAMPLERS[params.sampler].steps(params.steps), langevin_runs.score_of(self.paths, params)

        def finish() -> list[object]:
            film = langevin_runs.film(params, frames, score)
            about = describe_run(self.paths, params) | links.record(TAB, params)
            run = export.from_film(f"{TAB}-seed{params.seed}", about, film)
            stage_value = scrubber.pack(film)
            return [stage_value, run, links.value(TAB, params), (params, len(frames), stage_value["run"])]

        return LiveRun(
            particles.sample(score, params.settings), steps, frames.append,
            lambda frame: [langevin_runs.preview(params, frame, score)], finish, links.value(TAB, params),
        )  # fmt: skip

    @user_errors_to_gradio
    def drop(self, requests: Requests, walk: tuple[ViewParams, int, str] | None, event: gr.EventData) -> Value:
        """Return the path of a particle that is dropped at a place of the picture, nothing new after another drop."""
        number, (params, length, run) = requests.next_number(), controls.check_kept(walk)
        x, y = (validation.check_number(name, getattr(event, name, None), 0, 1) for name in ("x", "y"))
        path = langevin_runs.drop(langevin_runs.score_of(self.paths, params), params, (x, y), length)
        return scrubber.pack_path(path, run) if number == requests.newest else gr.skip()

    def on_load(self, request: gr.Request) -> list[ControlValue]:
        """Return the error of the address, and the values of the link and the controls, with the models of its data."""
        wrong, link, model, data, score, *other_values = super().on_load(request)
        return [wrong, link, update_model(self.paths, model["value"], data, score), data, score, *other_values]

    def bind(self, page: gr.Blocks) -> None:
        model, data, score, sampler = self.layout.inputs[:4]
        gr.on([data.input, score.input], partial(update_model, self.paths), [model, data, score], model,
              **controls.INSTANT)  # fmt: skip
        triggers = [control.input for control in (model, data, score, sampler)]
        self.bind_runs(page, triggers)
        stage = self.layout.stage
        # No drop waits for the path of the one before: Gradio would send that one's place again.
        settings = controls.LIGHT | {"trigger_mode": "multiple"}
        stage.select(self.drop, [gr.State(Requests()), self.walk], stage, **settings)

    def build_controls(self) -> tuple[list[Control], gr.Button]:
        default = ViewParams()
        data = controls.radio(list(densities.DENSITIES), default.data, "Data", None)
        names = ", ".join(langevin_runs.learned_densities(self.paths)) or "none"
        hint = f"Exact, or learned by a network (available for {names})."
        score = controls.radio(langevin_runs.SCORES, default.score, "Score", hint)
        model = controls.radio([default.model], None, "Model", "The network whose score is followed.", visible=False)
        titles = [(sampler.title, name) for name, sampler in samplers.SAMPLERS.items()]
        hint = "The first two stay at the least noise; the others go from the most to the least."
        sampler = controls.radio(titles, default.sampler, "Sampler", hint)
        n = controls.slider(10, 1000, default.n, 10, "Particles", "How many to move.")
        hint = "A share of the variance: too large overshoots, too small crawls."
        step_size = controls.number(default.step_size, "Step size", hint, step=0.01, min_width=100)
        temperature = controls.slider(0, 4, default.temperature, 0.1, "Temperature T", "At 0, particles only climb.")
        controls.enable_for_samplers(step_size, sampler, *samplers.PLAIN, "annealed")
        controls.enable_for_samplers(temperature, sampler, "langevin")
        steps = controls.slider(10, 500, default.steps, 10, "Steps", "Evaluations of the score.")
        seed, new_seed = controls.seed()
        with gr.Accordion("More", open=False):
            low = controls.number(default.low, "Least noise", "Where the run ends.", step=0.01, min_width=100)
            hint = "Where the run begins; the first two samplers begin within half of it."
            high = controls.number(default.high, "Most noise", hint, step=0.1, min_width=100)
        return [model, data, score, sampler, n, step_size, temperature, steps, low, high, seed], new_seed
