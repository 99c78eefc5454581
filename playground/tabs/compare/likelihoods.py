"""The likelihood paradox: how likely each family finds digits, and pictures that are not digits."""

import html
import json
from dataclasses import dataclass

import gradio as gr
from torch import Tensor

from playground.families.score_matching import langevin
from playground.runtime import validation
from playground.runtime.paths import Paths
from playground.tabs.compare import paradox
from playground.tabs.compare.digits import FamiliesView, Models, to_export, to_tiles
from playground.tabs.compare.paradox import CLOTHES, COMPRESSOR, FAMILIES, Bits, Kinds, Measurement
from playground.web import controls, links, plots, run_view, scrubber
from playground.web.controls import Control, ControlValue
from playground.web.live_run import LiveRun
from playground.web.scrubber import Film, Strip

TAB = "compare.likelihoods"
N_IMMEDIATE = 3  # families of a run before the score
UNFETCHED = "The files of Fashion-MNIST are not here, so it is left out; training a model of it fetches them."
HOW = """
All are in bits per dimension: the fewer, the likelier. The VAE's are upper bounds, by the ELBO of 100 codes; the flow's
include its dequantization; the score's come from its probability flow, as in *Score*, *Restore*, where more evaluations
make them more exact. A GAN has no likelihood.

Nalisnick and others found in 2019 that models trained by likelihood find some pictures likelier than those that they
learned from. A likelihood is a density, which is high where pictures are easy to predict; most of the volume, and so
most of the samples, may lie elsewhere. Ren and others showed that the background decides, and compare two models, one
of which knows nothing but background. Serrà and others subtract what a compressor needs.

[Nalisnick 2019](https://arxiv.org/abs/1810.09136) · [Ren 2019](https://arxiv.org/abs/1906.02845) ·
[Serrà 2020](https://arxiv.org/abs/1909.11480)
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link, in the order of the controls."""

    n: int = 4  # digits
    evaluations: int = 30  # of the score for each picture
    seed: int = 0  # of the noise

    def __post_init__(self) -> None:
        bounds = {"n": (2, 20), "evaluations": (10, 200), "seed": (0, validation.MAX_SEED)}
        validation.check_bounds(self, bounds, labels={**validation.LABELS, "n": "number of digits"})


def strips(kinds: Kinds, bits: Bits, frames: slice) -> list[Strip]:
    """Return a strip for each kind of pictures: some of them, with the mean bits so far."""
    return [
        Strip(
            kind,
            f"on average: {paradox.average(bits, kind)}",
            to_tiles(images[frames])[:, None],
            _notes(kind, bits, frames),
        )
        for kind, images in kinds.items()
    ]


def _notes(kind: str, bits: Bits, frames: slice) -> list[str]:
    """Return the bits of each picture of a kind."""
    values = {family: row[kind][frames].tolist() for family, row in bits.items()}
    n = len(next(iter(values.values()), []))
    return ["this one: " + " · ".join(f"{family} {row[k]:.2f}" for family, row in values.items()) for k in range(n)]


def film(kinds: Kinds, bits: Bits) -> Film:
    """Return the film of the pictures, one of each kind in a frame."""
    n = len(next(iter(kinds.values())))
    return Film(
        strips(kinds, bits, slice(None)),
        [
            f"digit {k + 1} of {n}, and the others in step · bits per dimension, the fewer the likelier"
            for k in range(n)
        ],
        ("the first digit", "the last"),
        start=0,
        keep=True,
    )


def table(kinds: Kinds, bits: Bits) -> str:
    """Return HTML: the mean bits of each kind by each family with their standard deviation, and what they say."""
    rows = [_row(family, bits[family]) for family in FAMILIES if family in bits]
    head = "".join(f'<th scope="col">{html.escape(kind)}</th>' for kind in ("bits per dimension", *kinds))
    sentences = [*paradox.explain(kinds, bits), *([] if CLOTHES in kinds else [UNFETCHED])]
    return (
        f'<div class="answers"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        + "".join(map(plots.paragraph, sentences))
    )


def _row(family: str, row: dict[str, Tensor]) -> str:
    least = min(values.mean().item() for values in row.values())
    cells = []
    for values in row.values():
        text = f"{values.mean().item():.2f} ± {values.std().item():.2f}"
        cells.append(f"<td>{f'<b>{text}</b>' if values.mean().item() == least else text}</td>")
    name = f"{family}, no model" if family == COMPRESSOR else family
    return f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>'


class LikelihoodsView(FamiliesView):
    """View of the likelihoods of digits, and of pictures that are not digits."""

    TITLE = "The likelihood paradox"
    HINT = (
        "How likely each family finds digits and pictures that are not digits: the fewer bits, the likelier. **Compare "
        "the numbers**: do the digits win?"
    )
    params_type, tab = ViewParams, TAB

    def __init__(self, paths: Paths):
        super().__init__(paths, "compare-likelihoods", self._build_stage, HOW, langevin.log_likelihood, verb="Run")
        self.outputs.append(self.table)

    @run_view.follow_run
    def sample(self, *values: ControlValue) -> LiveRun[Measurement]:
        """Measure how likely each family finds digits and other pictures. Returns the pictures as sprite sheets, and a
        table as HTML."""
        params, models, bits = ViewParams(*values), Models(self.paths), Bits()
        kinds = paradox.make_kinds(self.paths, params.n, params.seed)

        def keep(item: Measurement) -> None:
            if item.is_complete:  # what the score has said so far is no likelihood yet
                bits[item.family] = item.bits

        def finish() -> list[object]:
            film_value = film(kinds, bits)
            about = models.build_origin(params) | links.record(TAB, params)
            means = {family: {kind: v.mean().item() for kind, v in row.items()} for family, row in bits.items()}
            run = to_export(f"likelihoods-seed{params.seed}", about | {"bits": json.dumps(means)}, film_value)
            return [scrubber.pack(film_value), run, links.value(TAB, params), table(kinds, bits)]

        return LiveRun(
            paradox.measure(models, kinds, params.evaluations, params.seed),
            N_IMMEDIATE + params.evaluations // 2, keep, lambda _: strips(kinds, bits, slice(1)), finish,
            links.value(TAB, params),
        )  # fmt: skip

    def _build_stage(self) -> gr.HTML:
        empty = "Measuring: VAE and flow take a moment, the score half a minute …"
        stage = scrubber.build("Pictures of each kind", "compare-likelihoods", empty, in_rows=True)
        self.table = gr.HTML(elem_id="compare-likelihoods-table")
        return stage

    def build_controls(self) -> tuple[list[Control], gr.Button]:
        default = ViewParams()
        n = controls.slider(2, 20, default.n, 1, "Digits", "How many test digits, and of every other kind.")
        hint = "How often the score is evaluated for each picture; more is slower and better."
        evaluations = controls.slider(10, 200, default.evaluations, 10, "Evaluations", hint)
        seed, new_seed = controls.seed("The same seed gives the same noise.")
        return [n, evaluations, seed], new_seed
