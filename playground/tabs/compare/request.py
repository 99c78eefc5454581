"""The same request: digits by a sampler of each family, in a race, with what was measured meanwhile."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, replace
from typing import NamedTuple

import gradio as gr

from playground.export import media
from playground.runtime import inference, validation
from playground.runtime.paths import Paths
from playground.runtime.turns import Place
from playground.runtime.validation import UserError
from playground.tabs.compare import judge, lanes
from playground.tabs.compare.lanes import SORTS, Lane
from playground.tabs.compare.participants import PARTICIPANTS, Request
from playground.tabs.compare.race import Runner, prepare, race
from playground.tabs.score_matching.digits import ANY, DIGITS
from playground.web import controls, download, explanation, export, links, plots, run_view
from playground.web.component import Value
from playground.web.controls import ControlValue, error_sentence, skip_preprocess, user_errors_to_gradio
from playground.web.html_run import HTMLRun, HTMLRunView
from playground.web.live_run import PAUSE
from playground.web.stop import Outputs, Shown, newest_run_only

TAB = "compare"
ALL = ",".join(PARTICIPANTS)
HOW = """
All make the same number of pictures of the same digits. They take turns, a step each: next is the one whose clock shows
least, and a clock counts its own turns only. So the clocks run together, as if each had this machine to itself, and the
first to be done is the fastest. Only the runs of other visitors slow it down: while there are some, each step has one
core. A step or two before the start warm each network up. Its evaluations are counted in its layers, and the parameters
are those of the part that samples: a decoder, a generator, or all of a U-Net.

Speed says nothing about quality: for that, see the *Scoreboard*. Text to image takes no part: it has learned
emoji, not digits.
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls: a class or `ANY`, the number of pictures, who takes part,
    their names between commas, what they are sorted by, and the seed."""

    digit: str = ANY
    n: int = 5
    who: str = ALL
    sort: str = "tab"
    seed: int = 0

    def __post_init__(self) -> None:
        validation.check_choice("digit", self.digit, DIGITS)
        validation.check_choice("sort", self.sort, SORTS)
        validation.check_bounds(self, {"n": (1, 20), "seed": (0, validation.MAX_SEED)}, labels=validation.LABELS)
        if not isinstance(self.who, str) or not self.who:
            raise UserError("choose at least one to take part")
        for name in self.names:
            validation.check_choice("who", name, PARTICIPANTS)

    @classmethod
    def of(cls, digit: ControlValue, n: ControlValue, who: ControlValue, *sort_and_seed: ControlValue) -> "ViewParams":
        """Return the parameters in the values of the controls."""
        names = ",".join(map(str, who)) if isinstance(who, list) else ""
        return cls(digit, n, names, *sort_and_seed)

    @property
    def names(self) -> list[str]:
        """Return the names of those who take part."""
        return self.who.split(",")

    @property
    def request(self) -> Request:
        """Return the request that all get."""
        return Request(self.n, None if self.digit == ANY else int(self.digit), self.seed)

    def describe(self) -> str:
        """Return the request as text."""
        number = f"{self.n} picture" + "s" * (self.n > 1)
        return f"{number} each{'' if self.digit == ANY else f', of {self.digit}'}, seed {self.seed}"


class Result(NamedTuple):
    """Race as far as it came."""

    params: ViewParams
    lanes: dict[str, Lane]
    commands: str

    @property
    def stop_note(self) -> str:
        """Return a sentence about how many had finished when it was stopped, "" if all had."""
        n_done, able = count_done(self.lanes)
        return f"Stopped with {n_done} of {able} finished. " if n_done < able else ""

    @property
    def link(self) -> Value:
        """Return the value of its link."""
        return links.value(TAB, self.params, copied=links.WHOLE_RUN if self.stop_note else links.COPIED)

    def render(self) -> str:
        """Return the result as HTML."""
        note = self.stop_note + self.params.describe()
        return lanes.render(self.lanes, self.params.sort, self.params.digit != ANY, note)


def count_done(lanes: Mapping[str, Lane]) -> tuple[int, int]:
    """Return how many are done, and how many take part."""
    return sum(lane.is_done for lane in lanes.values()), sum(not lane.error for lane in lanes.values())


class Race(HTMLRun[str]):
    """Race under way: the runners of a request, and the lanes that the page shows; its items are the names of those
    that are ready or have taken a step."""

    def __init__(self, paths: Paths, params: ViewParams):
        self.paths, self.params, self.last_preview = paths, params, time.monotonic()
        self.runners: dict[str, Runner] = {}
        self.lanes = {name: Lane(PARTICIPANTS[name]) for name in PARTICIPANTS if name in params.names}
        super().__init__(len(self.lanes))

    def items(self) -> Iterator[str | Place]:
        yield from inference.in_turns(self._prepare(), len(self.lanes), inference.PATIENCE)
        turns = sum(runner.steps + 2 for runner in self.runners.values())  # with the first frame, and the end
        yield from inference.in_turns(race(self.runners), turns, inference.PATIENCE)

    def _prepare(self) -> Iterator[str]:
        for name, lane in list(self.lanes.items()):
            try:
                self.runners[name] = prepare(lane.participant, self.paths.weights, self.params.request)
            except UserError as error:
                self.lanes[name] = replace(lane, error=error_sentence(error))
            yield name

    def show(self, item: str) -> Shown | None:
        """Return the lanes every now and then, and whenever one is done."""
        runner, now = self.runners.get(item), time.monotonic()
        if runner and not runner.is_done and now - self.last_preview < PAUSE:
            return None
        with self.lock:
            self.update()
        self.last_preview = now
        return self.render(f"{self.step} of {self.steps} done: {self.params.describe()}")

    def render(self, note: str) -> str:
        return lanes.render(self.lanes, self.params.sort, self.params.digit != ANY, note, live=True)

    def update(self) -> None:
        """Draw the lanes of the runners that have taken a step since they were drawn."""
        for name, runner in list(self.runners.items()):  # Stop looks while others are prepared
            drawn = self.lanes[name].standing
            if drawn and drawn.seconds == runner.seconds:
                continue
            standing, reading = runner.standing(), ""
            if standing.is_done and standing.images is not None:
                reading = judge.describe(self.paths, standing.images, self.params.request, standing.has_classes)
            self.lanes[name] = replace(self.lanes[name], standing=standing, reading=reading)
        self.step, self.steps = count_done(self.lanes)

    def result(self) -> Result:
        """Return the race as far as it came, which may be farther than it was drawn."""
        self.update()
        commands = [
            media.build_command(runner.path, runner.settings, f"{name}.png")
            for name, runner in list(self.runners.items())
            if runner.participant.has_command and runner.is_done  # the others have drawn no such pictures
        ]
        return Result(self.params, dict(self.lanes), "\n".join(commands))


class RequestView(HTMLRunView):
    """View of the race."""

    TITLE, tab, params_of = "Race", TAB, ViewParams.of
    HINT = "**Watch who finishes first**, then choose a digit and press Sample."

    def __init__(self, paths: Paths):
        self.paths = paths
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                go, stop = run_view.build_buttons("compare")
                self.inputs, self.sort, new_seed = _controls()
            with controls.stage_column(with_settings=False):
                stage = gr.HTML(plots.paragraph("Loading the models …"), elem_id="compare-race")
                explanation.build(HOW, race)
                with gr.Accordion("Export", open=False):
                    with gr.Row(elem_classes="needs-run"):
                        self.save_button = gr.Button("Pictures (PNG)", size="sm")
                    label = export.COMMAND_LABEL
                    self.command = gr.Code(label=label, language="shell", interactive=False, visible=False)
                self.download = download.build("compare-download")
                self.link = links.build()
        self.buttons = run_view.Buttons(go, stop, new_seed)
        self.result = gr.State(None, time_to_live=3600)
        self.outputs = [stage, self.result, self.link, self.command]

    @run_view.errors_on_stage
    def sample(self, previous: Result | None, *values: ControlValue) -> Iterator[Shown | Outputs]:
        """Ask a sampler of each family for the same digits. Returns their pictures and what was measured, as HTML."""
        params = ViewParams.of(*values)
        race_run = Race(self.paths, params)  # a reload begins it anew: clocks run
        yield from self.stream(race_run, lambda: self.values(race_run.result()), params, previous)

    @staticmethod
    def values(result: Result) -> list[object]:
        """Return the values of the outputs for a result."""
        command = gr.update(value=result.commands, visible=bool(result.commands))
        return [result.render(), result, result.link, command]

    @user_errors_to_gradio
    def sort_lanes(self, result: Result | None, sort: ControlValue, *values: ControlValue) -> list[object]:
        """Sort the lanes of the last race."""
        result = controls.check_kept(result)
        return self.values_again(result._replace(params=replace(result.params, sort=sort)), values)

    @user_errors_to_gradio
    def save(self, result: Result | None) -> Value:
        """Save the pictures of all lanes in the order on show, as a PNG with the settings and what was measured."""
        params, by_name, _ = controls.check_kept(result)
        about = {"settings": json.dumps(asdict(params)), **links.record(TAB, params)}
        rows = [_measured(name, by_name[name]) for name in lanes.sort_lanes(by_name, params.sort)]
        about |= {"rows": json.dumps(rows)}
        return download.save(
            f"compare-seed{params.seed}.png", media.write_png, lanes.sheet(by_name, params.sort), about
        )

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the controls as the address sets them; the race begins when the link is visible."""
        linked_params, wrong = links.read_request(ViewParams, TAB, request)
        params = linked_params or ViewParams()
        values = (
            [plots.paragraph(wrong), gr.skip()] if wrong else [gr.skip(), links.value(TAB, params, bool(linked_params))]
        )
        digit, n, _, sort, seed = astuple(params)
        return [*values, digit, n, params.names, sort, seed]

    def bind(self, page: gr.Blocks) -> None:
        under_way = self.bind_runs(page, other_controls=[self.sort])
        inputs = [under_way, self.result, self.sort, *self.inputs]
        self.sort.input(newest_run_only(self.sort_lanes), inputs, self.outputs, **controls.LIGHT)


def _measured(name: str, lane: Lane) -> Mapping[str, object]:
    """Return what was measured of a participant, for the metadata of a file."""
    standing = lane.standing and asdict(replace(lane.standing, images=None))
    about = {"name": name, "title": lane.participant.title, "checkpoint": lane.participant.checkpoint}
    return {**about, **(standing or {}), "reading": lane.reading, "error": lane.error}


def _controls() -> tuple[list[controls.Control], gr.Radio, gr.Button]:
    """Build the controls in the order of `ViewParams`; return them, the one that sorts, and the button for a new
    seed."""
    default = ViewParams()
    digit = controls.dropdown(list(DIGITS), default.digit, "Digit", "Any: all ten in turn.")
    n = controls.slider(1, 20, default.n, 1, "Pictures", "How many each of them makes.")
    titles = [(participant.title, name) for name, participant in PARTICIPANTS.items()]
    who = gr.CheckboxGroup(titles, value=default.names, label="Who takes part", info="Each is a way to sample.",
                           elem_classes="chips")  # fmt: skip
    sort = controls.radio([(title, name) for name, title in SORTS.items()], default.sort, "Sort by", "Smallest first.")
    seed, new_seed = controls.seed()
    return [digit, n, skip_preprocess(who), sort, seed], sort, new_seed
