"""Grid: one prompt under many settings at a time, guidance against seeds or against the number of steps."""

import html
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from itertools import product
from typing import NamedTuple

import gradio as gr
import numpy as np

from playground.export import media
from playground.families import latent_diffusion
from playground.families.latent_diffusion import Model, Settings
from playground.runtime import files, inference, pictures, validation
from playground.runtime.cache import Recent
from playground.runtime.paths import Paths
from playground.runtime.turns import Place
from playground.tabs.latent_diffusion.prompt_line import PromptLine
from playground.tabs.latent_diffusion.runs import CHECKPOINTS, load_model, read_prompts
from playground.web import controls, download, explanation, links, plots, run_view
from playground.web.component import Value
from playground.web.controls import ControlValue, skip_preprocess, user_errors_to_gradio
from playground.web.html_run import HTMLRun, HTMLRunView
from playground.web.live_run import PAUSE
from playground.web.repeats import NOTICE
from playground.web.stop import Outputs, Shown

TAB = "latent_diffusion.grid"
SEEDS, STEPS = ACROSS = ("seed", "steps")
WEIGHTS = (0.0, 1.0, 2.0, 4.0, 8.0, 12.0)
COUNTS = (2, 5, 10, 20, 50)
WIDTH = 128  # CSS pixels of a picture
HOW = """
The guidance w goes from none to far too much. At 0 the prompt is ignored; at 1 the model draws as it was trained;
beyond, pictures follow the prompt more closely and vary less, until their colours burn out. Each guidance is tried
with other noise, too, or with more steps from the same noise.
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls: the checkpoint, the prompt, what is across, in how many
    columns, and the first seed."""

    model: str = ""
    prompt: str = "a small pizza on a blue background"
    across: str = SEEDS
    columns: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        Settings(prompt=self.prompt)  # which checks it
        validation.check_choice("across", self.across, ACROSS)
        bounds = {"columns": (1, len(COUNTS)), "seed": (0, validation.MAX_SEED - len(COUNTS))}
        validation.check_bounds(self, bounds, labels={"columns": "number of columns"})

    def by_column(self) -> list[tuple[str, Settings]]:
        """Return the heading of each column, and its settings but for the guidance."""
        alone = Settings(1, self.prompt, seed=self.seed)
        if self.across == SEEDS:
            return [(f"seed {self.seed + i}", replace(alone, seed=self.seed + i)) for i in range(self.columns)]
        return [(f"{steps} steps", replace(alone, steps=steps)) for steps in COUNTS[: self.columns]]

    def places(self) -> list[tuple[int, int]]:
        """Return the row and the column of each picture, row by row."""
        return list(product(range(len(WEIGHTS)), range(self.columns)))


Cells = dict[tuple[int, int], np.ndarray]  # pictures by row and column, each uint8 (H, W, C)
# The pictures so far, so that a grid that was left goes on when it is asked for again.
_grids = Recent[Cells](16)


def count(params: ViewParams, cells: Cells) -> int:
    """Return how many pictures are there."""
    return sum(place in cells for place in params.places())


def render(params: ViewParams, cells: Cells, note: str, live: bool = False) -> str:
    """Return HTML: the pictures that are there, below a note; while the run is `live`, nothing of it can be saved
    or linked."""
    headings = [heading for heading, _ in params.by_column()]
    top = "".join(f"<th scope=col>{heading}</th>" for heading in ["", *headings])
    body = ""
    for i, w in enumerate(WEIGHTS):
        images = [
            plots.image_tag(cells[i, j], f"w = {w:g}, {heading}", WIDTH) if (i, j) in cells else ""
            for j, heading in enumerate(headings)
        ]
        body += f"<tr><th scope=row>w = {w:g}</th>{''.join(f'<td>{image}</td>' for image in images)}</tr>"
    table = f'<div class="xy" data-live="{str(live).lower()}"><table><tr>{top}</tr>{body}</table></div>'
    return f"<p class=caption aria-live=polite>{html.escape(note)}</p>{table}"


class Filling(HTMLRun[bool]):
    """Run that fills a table: its items say whether there is a new picture."""

    def __init__(self, model: Model, params: ViewParams, cells: Cells):
        super().__init__(len(params.places()))
        self.model, self.params, self.cells, self.n_before = model, params, cells, count(params, cells)
        self.start = self.last = time.monotonic()
        self.step = self.n_before or -1

    def items(self) -> Iterator[bool | Place]:
        steps = len(WEIGHTS) * sum(settings.steps + 2 for _, settings in self.params.by_column())
        return inference.in_turns(self._fill(), steps, inference.PATIENCE)

    def _fill(self) -> Iterator[bool]:
        """Sample the pictures that are not there yet, one after the other; yield after each step, so that other runs
        can take turns."""
        by_column = [settings for _, settings in self.params.by_column()]
        for i, j in self.params.places():
            if (i, j) in self.cells:
                continue
            for frame in latent_diffusion.sample(self.model, replace(by_column[j], w=WEIGHTS[i])):  # noqa: B007
                yield False
            picture = pictures.to_uint8(latent_diffusion.decode_frame(self.model, frame))[0]
            with self.lock:
                self.cells[i, j] = picture
                self.step = count(self.params, self.cells)
            yield True

    def show(self, item: bool) -> Shown | None:
        """Return the table after a picture; between two, nothing new after each `PAUSE`, since a run can only be ended
        where it yields."""
        now = time.monotonic()
        if not item and now - self.last <= PAUSE:
            return None
        self.last = now
        if not item:
            return gr.skip()
        seconds_left = (now - self.start) / max(self.step - self.n_before, 1) * (self.steps - self.step)
        return self.render(f"{self.step} of {self.steps}, about {seconds_left:.0f} s left")

    def render(self, note: str) -> str:
        return render(self.params, self.cells, note, live=True)


class Grid(NamedTuple):
    """Table, as far as it was filled, with the parameters of its link, whose prompt is as it was typed, and a
    notice."""

    params: ViewParams
    cells: Cells
    link_params: ViewParams
    notice: str = ""

    @property
    def stop_note(self) -> str:
        """Return at which picture it was stopped, "" if it is finished."""
        n, total = count(self.params, self.cells), len(self.params.places())
        return f"stopped at picture {n} of {total}" if n < total else ""

    @property
    def link(self) -> Value:
        """Return the value of its link."""
        return links.value(TAB, self.link_params, copied=links.WHOLE_RUN if self.stop_note else links.COPIED)

    def render(self) -> str:
        """Return the table as HTML."""
        sentence = f"{self.stop_note.capitalize()}." if self.stop_note else ""
        return render(self.params, self.cells, f"{self.notice}{sentence} “{self.params.prompt}”".strip())

    def sheet(self) -> np.ndarray:
        """Return the pictures beside each other, uint8 (H, W, C), black where there is none yet."""
        blank = np.zeros_like(self.cells[0, 0])
        images = [self.cells.get(place, blank) for place in self.params.places()]
        return pictures.make_grid(np.stack(images), columns=self.params.columns, gap=2)


class GridView(HTMLRunView):
    """Exchange between the controls and the table of pictures."""

    TITLE, tab, params_of = "Grid", TAB, ViewParams
    HINT = "One prompt with more and more guidance. **Type another prompt and press Sample.**"

    def __init__(self, paths: Paths):
        self.paths, default, hint = paths, ViewParams(), "What every picture shows."
        box = gr.Textbox(default.prompt, label="Prompt", info=hint, elem_id="text-grid-prompt")
        self.prompt, line = skip_preprocess(box), PromptLine(paths, box)
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                go, stop = run_view.build_buttons("text-grid")
                model, hint = CHECKPOINTS.build(paths), "What else differs from picture to picture."
                line.bind(model)
                across = controls.radio(ACROSS, default.across, "Guidance against", hint)
                columns = controls.slider(1, len(COUNTS), default.columns, 1, "How many", "Each is six pictures.")
                seed, new_seed = controls.seed("The first seed, or that of all pictures.")
            with controls.stage_column(with_settings=False):
                stage = gr.HTML(plots.paragraph("Sampling six pictures …"), elem_id="text-grid")
                explanation.build(HOW, latent_diffusion.sample)
                self.save_button = gr.Button("The grid (PNG)", size="sm", elem_classes="needs-run")
                self.download = download.build("text-grid-download")
                self.link = links.build()
        self.inputs = [model, self.prompt, across, columns, seed]
        self.buttons = run_view.Buttons(go, stop, new_seed)
        self.result = gr.State(None, time_to_live=3600)
        self.outputs = [stage, self.result, self.link]

    @run_view.errors_on_stage
    def sample(self, previous: Grid | None, *values: ControlValue) -> Iterator[Shown | Outputs]:
        """Draw a prompt under many settings. Returns a table of pictures as HTML."""
        params = ViewParams(*values)
        model, path = load_model(self.paths, params.model), CHECKPOINTS.path(self.paths, params.model)
        read = replace(params, prompt=read_prompts(self.paths, params.model, Settings(prompt=params.prompt)).prompt)
        key = path, files.version(path), replace(read, columns=1)
        cells = {} if (kept := _grids.get(key)) is None else kept
        run = Filling(model, read, cells)
        notice = NOTICE if run.step == run.steps else ""

        def finish() -> list[object]:
            return self.values(Grid(read, dict(cells), params, notice))

        _grids.put(key, cells)  # for others who ask for the same
        try:
            yield from self.stream(run, finish, params, previous)
        finally:
            _grids.put(key, cells)  # with its size, whether it was finished or left

    @staticmethod
    def values(result: Grid) -> list[object]:
        """Return the values of the outputs for a table."""
        return [result.render(), result, result.link]

    @user_errors_to_gradio
    def save(self, result: Grid | None) -> Value:
        """Save the grid as a PNG."""
        grid = controls.check_kept(result)
        headings = [heading for heading, _ in grid.params.by_column()]
        checkpoint = CHECKPOINTS.path(self.paths, grid.params.model)
        about = media.build_origin(checkpoint, grid.params) | {"w": str(WEIGHTS), "across": ", ".join(headings)}
        about |= links.record(TAB, grid.params) | ({"stopped": grid.stop_note} if grid.stop_note else {})
        name = f"{checkpoint.stem}-grid-seed{grid.params.seed}.png"
        return download.save(name, media.write_png, grid.sheet(), about)

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the controls as the address sets them; the table is filled when the link is visible."""
        params, has_link, wrong = CHECKPOINTS.settings_from_request(self.paths, ViewParams, TAB, request)
        values = [plots.paragraph(wrong), gr.skip()] if wrong else [gr.skip(), links.value(TAB, params, has_link)]
        return [*values, *CHECKPOINTS.control_values(self.paths, astuple(params))]

    def bind(self, page: gr.Blocks) -> None:
        self.bind_runs(page, [self.prompt.submit])
