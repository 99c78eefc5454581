"""Skeleton of the lab views: the data to choose or to draw, and the events."""

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import gradio as gr
from gradio.context import LocalContext

from playground.datasets.densities import DENSITIES, Density, from_drawing
from playground.runtime.validation import UserError
from playground.web import answers, component, controls, drawing_pad, explanation, lab, lab_sessions, links
from playground.web.component import Value
from playground.web.controls import Control, error_sentence, skip_preprocess
from playground.web.newest import Requests, newest_only
from playground.web.view import View

DRAWING = "draw"
STEPS = 100, 50_000  # fewest and most of a training
DATA = (*DENSITIES, DRAWING)  # names of the data of a lab: densities to choose from, or one to draw


class LabControls(NamedTuple):
    """Controls of a lab: its settings in the order of its link's parameters, and the buttons that start it anew."""

    inputs: list[Control]
    seed: Control
    pad: Control
    new_seed: gr.Button
    reset: gr.Button


class LabParams(Protocol):
    """Parameters of a lab's link, a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def data(self) -> str:
        """Return the name of the data."""


Params = TypeVar("Params", bound=LabParams)


class LabView(View, Generic[Params]):
    """View of a lab, which starts when the page is opened, and anew at every change of a control."""

    TITLE = "2-D lab"
    tab: str  # name in links
    planes: lab.View  # planes and curves of the lab
    first: Params  # parameters of the first lab
    why: str  # text beside the first lab

    def __init__(self, name: str, how: str, function: Callable[..., object]):
        """Lay out the components, whose ids begin with a name, with explanation and code of the training; a lab needs
        no files."""
        self.name = name
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                self.controls = self.build_controls()
            with controls.stage_column():
                train = answers.server_function("train", lab_sessions.train, answers.TRAINING_SLOTS)
                self.stage = lab.build(f"{name}-lab", train)
                explanation.build(how, function)
                self.link = links.build()
        self.requests = gr.State(Requests())

    def build_controls(self) -> LabControls:
        """Build the controls: the data and the pad to draw them on, the settings, and the seed."""
        data = controls.radio(
            DATA, self.first.data, "Data", "What to learn; or draw your own, on the pad or on the plane."
        )
        with gr.Column(visible=False) as column:
            pad = drawing_pad.build(f"{self.name}-pad")
        controls.show_for(data, {DRAWING: column})
        by_name = {"data": data, **self.build_settings()}
        by_name["seed"], new_seed = controls.seed("The same seed gives the same training.")
        reset = gr.Button("Reset", elem_id=f"{self.name}-reset")
        with gr.Accordion("More", open=False):
            by_name |= self.build_more_settings()
        inputs = [skip_preprocess(by_name[field.name]) for field in dataclasses.fields(self.first)]
        return LabControls(inputs, by_name["seed"], pad, new_seed, reset)

    @abstractmethod
    def build_settings(self) -> dict[str, Control]:
        """Build the controls of the settings by the names of their parameters."""

    @abstractmethod
    def build_more_settings(self) -> dict[str, Control]:
        """Build those that are folded away."""

    @staticmethod
    @abstractmethod
    def start_lab(data: Density, params: Any, /) -> Value:
        """Start a lab; return its session, as `lab.pack` takes it."""

    def make_lab(self, params: Params, drawing: object, why: str = "") -> Value:
        """Return a new lab as the value of the stage, or raise UserError if nothing is drawn."""
        is_drawn = params.data == DRAWING
        data = from_drawing(drawing_pad.decode(drawing)) if is_drawn else DENSITIES[params.data]()
        return lab.pack(self.planes, self.start_lab(data, params), why)

    def start(
        self, make_params: Callable[[], Params], drawing: object, why: str = "", address: bool = True
    ) -> list[Value]:
        """Return the values of stage and link for a new lab, or for what is wrong with the parameters that
        `make_params` returns; they go into the page's address, or not."""
        linkable = None
        try:
            params = make_params()
            linkable = None if params.data == DRAWING else params
            stage_value = self.make_lab(params, drawing, why)
            visitor = LocalContext.request.get(None)
            if visitor and visitor.session_hash:  # a caller of the API may have none
                lab_sessions.assign_owner(stage_value["lab"], (visitor.session_hash, self.tab))
        except UserError as error:
            stage_value = component.message(error_sentence(error))
        return [stage_value, links.value(self.tab, linkable, address)]

    def restart(self, drawing: object, *values: object, why: str = "") -> list[object]:
        """Begin a training with new networks. Returns its first picture."""
        names = [field.name for field in dataclasses.fields(self.first)]
        fields = dict(zip(names, values, strict=True))
        stage_value, link = self.start(lambda: dataclasses.replace(self.first, **fields), drawing, why)
        return [{**stage_value, "refused": self.find_refused(values)}, link]

    def find_refused(self, values: Sequence[object]) -> list[str]:
        """Return the names, as screen readers say them, of the number boxes whose values are not allowed, whatever the
        others' are."""
        names = []
        for field, value, control in zip(dataclasses.fields(self.first), values, self.controls.inputs, strict=True):
            try:
                dataclasses.replace(self.first, **{field.name: value})
            except UserError:
                names.append(f"number input for {control.label}" if isinstance(control, gr.Slider) else control.label)
        return names

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the values for the lab of the page's address, or for the first lab."""
        linked_params, wrong = links.read_request(type(self.first), self.tab, request)
        params = linked_params or self.first
        why = wrong or ("" if linked_params else self.why)
        return [*self.start(lambda: params, None, why, linked_params is not None), *dataclasses.astuple(params)]

    @property
    def outputs(self) -> list[Control]:
        """Return the components that a new lab fills."""
        return [self.stage, self.link]

    def bind(self, page: gr.Blocks) -> None:
        """Bind the events."""
        settings, seed, pad, new_seed, reset = self.controls
        restart = newest_only(self.restart), [self.requests, pad, *settings], self.outputs
        changes = [control.input for control in settings]
        gr.on([reset.click, pad.change, *changes], *restart, api_name=links.api_name(self.tab), **controls.INSTANT)
        controls.on_new_seed(new_seed, seed).then(*restart, **controls.INSTANT)
        page.load(self.on_load, None, [*self.outputs, *settings], **controls.INSTANT)


def training_controls() -> dict[str, Control]:
    """Build the controls of a training by their names: its batches, its steps, and the moving average."""
    return {
        "batch": controls.slider(8, 2048, None, 8, "Batch", "Points per step."),
        "steps": controls.slider(*STEPS, None, 100, "Steps", "Updates in the whole training."),
        "ema_decay": number_control("Moving average", "Decay of the average that is shown; 0 for the network itself."),
    }


def number_control(label: str, hint: str) -> gr.Number:
    """Build a control for a real number of any size."""
    return controls.number(None, label, hint, step=0.001, min_width=100)
