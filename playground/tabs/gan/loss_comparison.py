"""Losses: the same codes under every loss, side by side, while training time is scrubbed."""

import json
from dataclasses import asdict, dataclass

import gradio as gr
import numpy as np

from playground.export import media
from playground.families.gan import history
from playground.families.gan import losses as adversarial
from playground.runtime import pictures, validation
from playground.runtime.formula import Formula
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.gan import diagnostics, variants
from playground.tabs.gan.variants import Training
from playground.web import component, controls, download, explanation, formula, links, scrubber
from playground.web.component import Value
from playground.web.controls import Control, error_sentence, user_errors_to_gradio
from playground.web.formula import use_minus_signs
from playground.web.newest import Requests, newest_only
from playground.web.scrubber import Curve, Film, Series, Strip
from playground.web.view import View

TAB = "gan.losses"
PREFIX = "gan-digits-"  # of what is shipped, left out in links
FIRST = "minimax,wasserstein-gp,r3gan"
HOW = """
Every loss trains the same two networks, from the same weights, on the same digits in the same order; what you see are
pictures of the same codes z. (Three need more: *hinge* divides D's weights by their gain, the *class-conditional* one
has an input for the class, the *growing* one outputs at every size.) D gives a picture a logit, high for real ones. The
networks are those in training, as they are: a loss that swings or collapses does so before your eyes. *Samples* and
*Ask D* have their moving average, which is better.

The *Fréchet distance* is that between the features of 10,000 fakes and of the test digits, as a multiple of the
distance between as many training digits and the test digits: at 1 × real, fakes are as close as real digits.

**Why it saturates.** G learns by the slope of its loss at the logits of its fakes. Minimax is flat where D is sure of
a fake, just when G has most to learn; the non-saturating loss is steep there. **Why D is held back.** A slope of D that
is 0 teaches G nothing, a huge one throws it about: a gradient penalty asks for 1, R1 and R2 for little, clipping for
whatever small weights give.

[Goodfellow 2014](https://arxiv.org/abs/1406.2661) · [Mao 2017](https://arxiv.org/abs/1611.04076) (least squares) ·
[Arjovsky 2017](https://arxiv.org/abs/1701.07875) and [Gulrajani 2017](https://arxiv.org/abs/1704.00028) (Wasserstein) ·
[Miyato 2018](https://arxiv.org/abs/1802.05957) (spectral norm, hinge) ·
[Mescheder 2018](https://arxiv.org/abs/1801.04406) (R1) · [Huang 2024](https://arxiv.org/abs/2501.05441) (R3GAN) ·
[Karras 2018](https://arxiv.org/abs/1710.10196) (growing)
"""


@dataclass(frozen=True)
class ViewParams:
    """Parameters of a link: the losses, separated by commas, and the diagnostic drawn below their pictures."""

    losses: str = FIRST
    below: str = "logits"

    def __post_init__(self) -> None:
        validation.check_choice("below", self.below, diagnostics.DIAGNOSTICS)
        if not self.losses or not isinstance(self.losses, str):
            raise UserError("tick at least one loss")

    @property
    def names(self) -> list[str]:
        """Return the names of the models."""
        return [PREFIX + loss if PREFIX + loss in variants.SHIPPED else loss for loss in self.losses.split(",")]


def short_name(model: str) -> str:
    """Return the name of a model in `ViewParams.losses`."""
    return model.removeprefix(PREFIX) if model in variants.SHIPPED else model


def first(paths: Paths) -> ViewParams:
    """Return the first view: three losses, as far as their models are available."""
    available = [short_name(model) for model in variants.CHECKPOINTS.names(paths)]
    return ViewParams(",".join([loss for loss in FIRST.split(",") if loss in available] or available[:3]))


def describe(paths: Paths, params: ViewParams) -> Value:
    """Return the scrubber's value: a strip for each loss, and curves over training time; raise UserError if there is
    none."""
    trainings, missing = load_trainings(paths, params.names)
    steps = trainings[0].history.steps
    sizes = {training.about.batch_size for training in trainings}
    return scrubber.pack(
        Film(
            [
                Strip(
                    about.title,
                    about.caveat or about.short,
                    history.decode_pictures(training_history),
                    *diagnostics.DIAGNOSTICS[params.below](objective.loss, training_history),
                )
                for about, objective, training_history in trainings
            ],
            [f"step {step:,} of G and of D{epochs(step, sizes)}" for step in steps.tolist()],
            ("step 1", f"step {steps[-1]:,} (logarithmic)"),
            curves=curves(trainings),
            formula=formula.render(formulas(trainings)),
            numbers=numbers(trainings),
            keep=True,
            notice=" ".join(missing),
        )
    )


def join(losses: object) -> str:
    """Return the losses that are ticked, as `ViewParams` has them."""
    return ",".join(map(str, losses)) if isinstance(losses, list) else ""


def epochs(step: int, sizes: set[int | None]) -> str:
    """Return how often all digits were seen, in words, if all trainings had batches of the same known size."""
    size = next(iter(sizes)) if len(sizes) == 1 else None
    return f" · {step * size / DIGITS:.1f} epochs" if size else ""


DIGITS = 60_000  # of the training set


def load_trainings(paths: Paths, names: list[str]) -> tuple[list[Training], list[str]]:
    """Return the trainings of models, and what is wrong with the others; raise UserError if there is none."""
    trainings: list[Training] = []
    missing = []
    for name in names:
        try:
            training = variants.load_training(paths, name)
            if trainings and not np.array_equal(training.history.steps, trainings[0].history.steps):
                raise UserError(f"{name} was recorded at other steps than the first of the losses")
            trainings.append(training)
        except UserError as error:
            missing.append(error_sentence(error))
    if not trainings:
        raise UserError(missing[0])
    return trainings, missing


CURVES = (  # what each shows, its name, a hint, whether it is logarithmic
    ("frechet", "Fréchet distance", "As a multiple of that between two sets of real digits.", True),
    ("discriminator", "Loss of D", "What D minimizes.", False),
    ("generator", "Loss of G", "What G minimizes.", False),
    ("discriminator_gradient", "Gradient of D", "Its norm over all of D's weights.", True),
    ("generator_gradient", "Gradient of G", "Its norm over all of G's weights.", True),
)


def curves(trainings: list[Training]) -> list[Curve]:
    """Return lines over training time, one for each loss."""

    values = [
        {"frechet": training.history.frechet, **history.average_curves(training.history)} for training in trainings
    ]

    def lines(key: str) -> list[Series]:
        rows = zip(trainings, values, strict=True)
        return [Series(about.short, about.colour, row[key].astype(float).tolist()) for (about, *_), row in rows]

    return [Curve(name, hint, lines(key), log) for key, name, hint, log in CURVES]


def formulas(trainings: list[Training]) -> list[Formula]:
    """Return the formula of each loss, with the numbers of the frame."""
    texts = [variants.formulas(training.objective) for training in trainings]
    where = [variants.WHERE, *[""] * (len(trainings) - 1)]  # once for all
    return [
        Formula(f"L_D = {d} = {{d{k}}} · L_G = {g} = {{g{k}}}", where=where[k], name=trainings[k].about.short)
        for k, (d, g) in enumerate(texts)
    ]


def numbers(trainings: list[Training]) -> dict[str, list[str]]:
    """Return the losses at each moment."""
    moments = [history.average_curves(training.history) for training in trainings]
    return {
        f"{player}{k}": [use_minus_signs(f"{value:.3g}") for value in lines[row]]
        for k, lines in enumerate(moments)
        for player, row in (("d", "discriminator"), ("g", "generator"))
    }


def choices(paths: Paths) -> list[tuple[str, str]]:
    """Return title and name of each loss to tick."""
    return [(title, short_name(model)) for title, model in variants.CHECKPOINTS.choices(paths)]


class LossView(View):
    """View of the losses that are ticked."""

    TITLE = "Losses"
    HINT = (
        "The same networks, trained under different losses, draw the same codes. **Drag the slider** to see which loss "
        "learns first; then add *Wasserstein, clipped*, which never gets far."
    )

    def __init__(self, paths: Paths):
        self.paths = paths
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                self.inputs = self._build_controls()
            with controls.stage_column():
                self.stage = scrubber.build("Training time", "gan-losses", "Tick a loss.")
                explanation.build(HOW, adversarial.discriminator_loss)
                with gr.Accordion("Export", open=False):
                    self.animation = gr.Button("Animation (GIF)", size="sm")
                    self.download = download.build("gan-losses-download")
                self.link, self.shown = links.build(), gr.State(None)  # the parameters of what is on show

    def _build_controls(self) -> list[Control]:
        losses = gr.CheckboxGroup(
            choices(self.paths), value=first(self.paths).losses.split(","), label="Losses",
            info="All trained alike, on digits. Three fit side by side.", elem_classes="chips",
        )  # fmt: skip
        below = controls.radio(diagnostics.TITLES, "logits", "Below the pictures", "What is drawn under each of them.")
        return [controls.skip_preprocess(losses), below]

    def on_choice(self, losses: object, below: str) -> list[object]:
        """Show the trainings of some losses. Returns every moment as sprite sheets."""
        try:
            params = ViewParams(join(losses), below)
            return [describe(self.paths, params), links.value(TAB, params), params]
        except UserError as error:
            return [component.message(error_sentence(error), outdated=True), links.nothing(TAB), gr.skip()]

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the values that the address describes, or those of the first losses."""
        linked_params, wrong = links.read_request(ViewParams, TAB, request)
        try:
            if linked_params:
                return self._values(linked_params, describe(self.paths, linked_params))
        except UserError as error:
            wrong = error_sentence(error)
        params = first(self.paths)
        try:
            stage_value = describe(self.paths, params)
        except UserError as error:
            stage_value = component.message(error_sentence(error))
        return self._values(params, stage_value | ({"notice": wrong} if wrong else {}), address=False)

    def _values(self, params: ViewParams, stage_value: Value, address: bool = True) -> list[object]:
        options = choices(self.paths)
        names = {name for _, name in options}  # Gradio refuses a value that is no choice
        ticked = gr.update(choices=options, value=[loss for loss in params.losses.split(",") if loss in names])
        return [stage_value, links.value(TAB, params, address), params, ticked, params.below]

    def save(self, shown: ViewParams | None) -> Value:
        """Save the pictures on show side by side as a GIF."""
        params = controls.check_kept(shown)
        trainings, _ = load_trainings(self.paths, params.names)
        sheets = [history.decode_pictures(training.history) for training in trainings]
        grids = [np.stack([pictures.make_grid(moment) for moment in sheet]) for sheet in sheets]
        about = {"settings": json.dumps(asdict(params)), **links.record(TAB, params)}
        return download.save("gan-losses.gif", media.write_gif, np.stack(grids, axis=1), about)

    def bind(self, page: gr.Blocks) -> None:
        outputs = [self.stage, self.link, self.shown]
        changes = [control.input for control in self.inputs]
        gr.on(changes, newest_only(self.on_choice), [gr.State(Requests()), *self.inputs], outputs,
              api_name=links.api_name(TAB), **controls.LIGHT)  # fmt: skip
        self.animation.click(user_errors_to_gradio(self.save), self.shown, self.download, **controls.SLOW)
        page.load(self.on_load, None, [*outputs, *self.inputs], **controls.LIGHT)
