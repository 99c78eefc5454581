"""Scoreboard: how good the digits of each family are, as the evaluation measured them."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import gradio as gr
import plotly.graph_objects as go

from playground import tabs
from playground.diffusion.samplers import SAMPLERS
from playground.runtime import files, validation
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.compare import figures
from playground.tabs.compare.figures import Row, Spread
from playground.web import component, controls, download, explanation, links, palette, plots, table
from playground.web.component import Value
from playground.web.controls import error_sentence, user_errors_to_gradio
from playground.web.table import Cell, Column
from playground.web.view import View

TAB = "compare.scoreboard"
HOW = """
Pictures are compared with the 10,000 test digits by the features of a classifier, mostly in sets of 10,000. The
**Fréchet distance** between the two sets is a multiple of that between as many real training digits and the test
digits: at 1 × real, pictures are as good as real. **Precision** is the share of the pictures that lie among real ones,
**recall** the share of real ones that lie among the pictures, and **density** and **coverage** are their counterparts
that outliers do not mislead. Coverage and the distance depend on the number of pictures: compare rows of equal numbers;
an open point of a plot has fewer than the others. **Bits per dimension** bound the negative log-likelihood of grey test
digits from above, for the flow by 16 draws of its noise. Pictures per second were counted on two cores of the machine
that measured, which was sometimes busy. After ± stands the standard deviation over sets of other seeds.

[Heusel 2017](https://arxiv.org/abs/1706.08500) (Fréchet distance) ·
[Kynkäänniemi 2019](https://arxiv.org/abs/1904.06991) (precision and recall) ·
[Naeem 2020](https://arxiv.org/abs/2002.09797) (density and coverage)
"""


class Figure(NamedTuple):
    """Figure that the scoreboard shows: its column, and how its numbers are written."""

    title: str
    hint: str
    more_is_better: bool
    write: Callable[[float], str]


FIGURES = {
    "frechet_x_real": Figure(
        "Fréchet distance, × real",
        "Distance to the test digits, as a multiple of that between two sets of real digits: 1 is as good as real.",
        False, "{:.2f}".format,
    ),
    "precision": Figure("Precision", "Share of the pictures that lie among real ones.", True, "{:.3f}".format),
    "recall": Figure("Recall", "Share of the real pictures that lie among the generated ones.", True, "{:.3f}".format),
    "density": Figure("Density", "How densely real pictures surround the generated ones.", True, "{:.3f}".format),
    "coverage": Figure("Coverage", "Share of the real pictures with a generated one near them.", True, "{:.3f}".format),
    "accuracy": Figure("Read as asked", "Share that a classifier reads as the class that was asked for.", True,
                       "{:.2%}".format),
    "bits_tight": Figure("Bits per dimension", "Bound on the negative log-likelihood of test digits; fewer are better.",
                         False, "{:.3f}".format),
    "samples_per_second": Figure("Pictures per second", "As measured, on two cores.", True, "{:,.1f}".format),
}  # fmt: skip
SPEED = "samples_per_second"
PLOTTED = ("frechet_x_real", "coverage")  # against speed
COLUMNS = (
    Column("model", "Model", "The checkpoint."),
    Column("settings", "Settings", "How its pictures were made."),
    *(Column(name, figure.title, figure.hint, figure.more_is_better) for name, figure in FIGURES.items()),
    Column("family", "Family", "The kind of model."),
    Column("n", "Pictures", "Pictures in a set × number of sets.", descending=True),
)
COLOURS = {
    "real": palette.CLASSES[8], "vae": palette.LINES[0], "gan": palette.LINES[1], "ddpm": palette.LINES[5],
    "normalizing_flow": palette.LINES[3], "": palette.LINES[8],
}  # fmt: skip

# What the page calls rows whose settings name no sampler.
ROWS = {
    figures.FLOOR: "training digits as they are",
    "normal": "codes from N(0, I)",
    "mixture": "codes from a fitted mixture",
    "samples": "codes from N(0, I)",
    "score: annealed": "annealed Langevin dynamics",
    "test digits": "likelihood of test digits",
}
FLOOR_MEANING = " This is the distance between two sets of real digits, in which × real counts: no model can do better."


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link: the column that sorts, its direction, and the key of the row that is picked."""

    sort: str = "frechet_x_real"
    descending: bool = False
    row: str = ""

    def __post_init__(self) -> None:
        validation.check_choice("sort", self.sort, [column.name for column in COLUMNS])
        validation.check_flag("descending", self.descending)
        if not isinstance(self.row, str):
            raise UserError("the row must be named by a text")


def family_title(row: Row) -> str:
    """Return what the page calls the family of a row: the title of its tab."""
    if row.checkpoint == figures.REAL:
        return "real"
    tab = tabs.discover().get(row.family)
    return tab.title if tab else "file not here"


def describe_settings(row: Row) -> str:
    """Return how the pictures of a row were made, in a few words."""
    values = dict(part.split("=") for part in row.settings.split(", ") if part.count("=") == 1)
    if values.get("sampler") not in SAMPLERS:
        return ROWS.get(row.row, row.row)
    eta, w = (float(values[name]) for name in ("eta", "w"))
    extras = [f"η = {eta:g}"] * (eta != 0) + [f"w = {w:g}"] * (w != 1)
    return ", ".join([SAMPLERS[values["sampler"]].title, f"{values['steps']} steps", *extras])


def describe_spread(figure: str, spread: Spread) -> str:
    """Return a figure with its spread as text."""
    write = FIGURES[figure].write
    return write(spread.mean) + ("" if spread.std is None else f" ± {write(spread.std)}")


def how_measured(row: Row) -> str:
    """Return of what a row was measured, in a sentence or two."""
    sets = (
        f"{row.n:,} pictures" if row.seeds == 1 else f"{row.seeds} sets of {row.n:,} pictures, each with its own seed"
    )
    return f"{sets}." + (f" Settings: {row.settings}." if row.settings else "")


def describe_row(row: Row) -> str:
    """Return how a row was measured, in Markdown."""
    changed = " **The file has changed since: measure it again.**" if row.changed else ""
    meaning = FLOOR_MEANING if (row.checkpoint, row.row) == (figures.REAL, figures.FLOOR) else ""
    about = f"**{row.checkpoint}**, {describe_settings(row)}: {how_measured(row)}"
    return f"{about}{meaning}{changed} To measure it again:"


def cell(row: Row, figure: str) -> Cell:
    """Return the cell of a figure, or why there is none."""
    if spread := row.figures.get(figure):
        return Cell(describe_spread(figure, spread), spread.mean)
    return Cell(row.why_missing(figure), None)


def table_row(row: Row) -> table.Row:
    """Return a row of the table."""
    settings = describe_settings(row)
    cells = [
        Cell(row.checkpoint, row.checkpoint),
        Cell(settings, settings),
        *(cell(row, figure) for figure in FIGURES),
        Cell(family_title(row), family_title(row)),
        Cell(f"{row.n:,} × {row.seeds}", row.n),
    ]
    return table.Row(row.key, cells)


def plot(rows: Sequence[Row], figure: str) -> go.Figure:
    """Return a plot of a figure against speed, a point a row; an open one is of fewer pictures than others."""
    points = [row for row in rows if figure in row.figures and SPEED in row.figures]
    most = max((row.n for row in points), default=0)
    families = [family for family in COLOURS if any(row.family == family for row in points)]
    traces = [_points([row for row in points if row.family == family], figure, most) for family in families]
    fig = plots.figure("pictures per second", FIGURES[figure].title, *traces)
    fig.update_xaxes(type="log")
    if not FIGURES[figure].more_is_better:
        fig.update_yaxes(type="log")
    return fig


def _points(rows: Sequence[Row], figure: str, most: int) -> go.Scatter:
    y = [row.figures[figure] for row in rows]
    hover = [
        f"<b>{row.checkpoint}</b>, {describe_settings(row)}"
        f"<br>{FIGURES[figure].title} {describe_spread(figure, row.figures[figure])}"
        f"<br>{describe_spread(SPEED, row.figures[SPEED])} pictures a second<br>{how_measured(row)}"
        for row in rows
    ]
    symbols = ["circle" if row.n == most else "circle-open" for row in rows]
    return go.Scatter(
        x=[row.figures[SPEED].mean for row in rows], y=[spread.mean for spread in y], mode="markers",
        error_y={"array": [spread.std or 0 for spread in y], "thickness": 1}, text=hover, hoverinfo="text",
        marker={"color": COLOURS[rows[0].family], "size": 10, "symbol": symbols},
        name=family_title(rows[0]),
    )  # fmt: skip


def write_csv(path: Path, rows: Sequence[Row], params: ViewParams) -> None:
    """Write the rows to a file, in the order on show."""
    by_key = {row.key: row for row in rows}
    order = table.sort_rows(COLUMNS, [table_row(row) for row in rows], params.sort, params.descending)
    parts = ("", " std")
    heading = ["checkpoint", "family", "row", "settings", "n", "seeds", *(n + p for n in FIGURES for p in parts)]
    with files.os_errors_to_user_error(path), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*heading, "command"])
        for row in (by_key[entry.key] for entry in order):
            spreads = [row.figures.get(figure, (None, None)) for figure in FIGURES]
            numbers = [number for spread in spreads for number in spread]
            about = [row.checkpoint, family_title(row), row.row, row.settings, row.n, row.seeds]
            writer.writerow([*about, *numbers, row.command])


class ScoreboardView(View):
    """View of the results of the evaluation."""

    TITLE = "Scoreboard"
    HINT = (
        "How close the digits of each model come to real ones, as a classifier sees them. **Press a heading** to "
        "sort, or a row to see how it was measured."
    )

    def __init__(self, paths: Paths):
        self.paths = paths
        with gr.Column(elem_classes="stage"):
            self.table = table.build("Scoreboard", "scoreboard")
            self.about = gr.Markdown(elem_id="scoreboard-about")
            self.command = gr.Code(lines=1, language="shell", show_label=False, interactive=False)
            with gr.Row():
                self.plots = [gr.Plot(show_label=False, min_width=320) for _ in PLOTTED]
            explanation.build(HOW, figures.read)
            with gr.Accordion("Export", open=False):
                self.save_button = gr.Button("Scoreboard (CSV)", size="sm")
            self.download = download.build("scoreboard-download")
            self.link = links.build()

    def values(self, params: ViewParams) -> list[object]:
        """Return the values of the table, of what it says of the picked row, and of the link."""
        rows = figures.read(self.paths)
        by_key = {row.key: row for row in rows}
        if params.row and params.row not in by_key:
            raise UserError(f"the results have no row {params.row!r}: press one in the table")
        table_value = table.pack(COLUMNS, [table_row(row) for row in rows], params.sort, params.descending, params.row)
        row = by_key[params.row or table_value["rows"][0]["key"]]
        return [table_value | {"picked": row.key}, describe_row(row), row.command, links.value(TAB, params)]

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the values of all outputs, as the address asks for."""
        params, wrong = links.read_request(ViewParams, TAB, request)
        try:
            speed_plots = [plot(figures.read(self.paths), figure) for figure in PLOTTED]
            try:
                values = self.values(params or ViewParams())
            except UserError as error:
                values, wrong = self.values(ViewParams()), error_sentence(error)
        except UserError as error:
            return [component.message(error_sentence(error)), *[gr.skip()] * (3 + len(PLOTTED))]
        stage, *other_values = values
        assert isinstance(stage, dict)
        return [stage | {"message": wrong}, *other_values, *speed_plots]

    @user_errors_to_gradio
    def select(self, value: object) -> list[object]:
        """Sort the table, or say how a row was measured."""
        return self.values(params_of(value))

    @user_errors_to_gradio
    def save(self, value: object) -> Value:
        """Save the table as CSV, in the order on show."""
        return download.save("scoreboard.csv", write_csv, figures.read(self.paths), params_of(value))

    def bind(self, page: gr.Blocks) -> None:
        outputs = [self.table, self.about, self.command, self.link]
        page.load(self.on_load, None, [*outputs, *self.plots], **controls.LIGHT)
        self.table.select(self.select, self.table, outputs, **controls.LIGHT)
        self.save_button.click(self.save, self.table, self.download, **controls.SLOW)


def params_of(value: object) -> ViewParams:
    """Return the parameters in the value of the table, which the browser sends."""
    if not isinstance(value, Mapping) or "sort" not in value:
        raise UserError("there are no results to sort: open the page again")
    return ViewParams(value["sort"], value.get("descending"), value.get("picked"))  # type: ignore[arg-type]
