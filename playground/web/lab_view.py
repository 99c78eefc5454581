"""Skeleton of the lab views: the data to choose or to draw, and the events."""

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import gradio as gr
import numpy as np
from gradio.context import LocalContext

from playground.runtime import validation
from playground.runtime.validation import UserError
from playground.web import answers, component, controls, drawing_pad, explanation, lab, lab_sessions, links
from playground.web.component import Value
from playground.web.controls import Control, EventSettings, error_sentence
from playground.web.newest import Requests, newest_only
from playground.web.view import View

DRAWING = "draw"
STEPS = 100, 50_000  # fewest and most of a training
Data = TypeVar("Data")


@dataclass(frozen=True)
class LabData(Generic[Data]):
    """Data sets of a lab, to choose from by name, or to draw."""

    factories: Mapping[str, Callable[[], Data]]  # functions that make the data sets
    from_drawing: Callable[[np.ndarray], Data]  # function from a drawing uint8 (H, W) to a data set

    def build(self, value: str, pad_id: str) -> tuple[gr.Radio, gr.HTML]:
        """Build the choice of the data, and the pad to draw them on."""
        hint = "The distribution of points to learn; or draw your own."
        choice = gr.Radio([*self.factories, DRAWING], value=value, label="Data", info=hint, elem_classes="chips")
        with gr.Column(visible=False) as column:
            pad = drawing_pad.build(pad_id)
        choice.change(
            lambda name: gr.update(visible=name == DRAWING), choice, column,
            queue=False, **controls.HIDDEN,
        )  # fmt: skip
        return choice, pad

    def check_name(self, name: str) -> None:
        """Check the name of a data set, or raise UserError."""
        validation.check_choice("data", name, [*self.factories, DRAWING])

    def load(self, name: str, drawing: object) -> Data:
        """Return the data set of a name, or of the value of the pad; raise UserError if that is blank."""
        return self.from_drawing(drawing_pad.decode(drawing)) if name == DRAWING else self.factories[name]()


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
    data: LabData[Any]  # data sets to choose from
    first: Params  # parameters of the first lab
    why: str  # text beside the first lab

    def __init__(self, elem_id: str, how: str, function: Callable[..., object]):
        """Lay out the components, with explanation and code of the training; a lab needs no files."""
        with gr.Row(elem_classes="tab-body"):
            with controls.column():
                self.controls = self.build_controls()
            with controls.stage_column():
                train = answers.server_function("train", lab_sessions.train, answers.TRAINING_SLOTS)
                self.stage = lab.build(elem_id, train)
                explanation.build(how, function)
                self.link = links.build()
        self.requests = gr.State(Requests())

    @abstractmethod
    def build_controls(self) -> LabControls:
        """Build the controls in the order of the link's parameters."""

    @staticmethod
    @abstractmethod
    def start_lab(data: Any, params: Any, /) -> Value:
        """Start a lab; return its session, as `lab.pack` takes it."""

    def make_lab(self, params: Params, drawing: object, why: str = "") -> Value:
        """Return a new lab as the value of the stage, or raise UserError if nothing is drawn."""
        return lab.pack(self.planes, self.start_lab(self.data.load(params.data, drawing), params), why)

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
        hidden: EventSettings = {**controls.HIDDEN, "queue": False}
        settings, seed, pad, new_seed, reset = self.controls
        restart = newest_only(self.restart), [self.requests, pad, *settings], self.outputs
        changes = [control.input for control in settings]
        gr.on([reset.click, pad.change, *changes], *restart, api_name=self.tab.replace(".", "_"), **hidden)
        controls.on_new_seed(new_seed, seed).then(*restart, **hidden)
        page.load(self.on_load, None, [*self.outputs, *settings], **hidden)


def training_controls() -> dict[str, Control]:
    """Build the controls of a training by their names: its batches, its steps, and the moving average."""
    return {
        "batch": gr.Slider(8, 2048, step=8, label="Batch", info="Points per step."),
        "steps": gr.Slider(*STEPS, step=100, label="Steps", info="Updates in the whole training."),
        "ema_decay": number_control("Moving average", "Decay of the average that is shown; 0 for the network itself."),
    }


def number_control(label: str, hint: str) -> gr.Number:
    """Build a control for a real number of any size."""
    return gr.Number(label=label, info=hint, step=0.001, min_width=100)
