"""Base class of the views that show a run when the page is opened, and sample the run of a link."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import gradio as gr

from playground.runtime.validation import UserError
from playground.web import component, controls
from playground.web.checkpoint_picker import CheckpointPicker
from playground.web.controls import Control, ControlValue, Event, EventSettings, error_sentence
from playground.web.run_view import RunView
from playground.web.stop import Outputs, keep_run
from playground.web.view import StageView

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Params = TypeVar("Params", bound="DataclassInstance")
Run = TypeVar("Run")


class FirstRunView(StageView, Generic[Params, Run]):
    """View that shows a run when the page is opened: one for all visitors, or the run of its address."""

    picker: CheckpointPicker[Any]  # the models to choose from
    tab: str  # name of the view in links
    first: Params  # parameters of the run that is shown first
    names: Sequence[str]  # of the parameters, in the order of the controls
    inputs: list[Control]  # controls, the model's first

    @classmethod
    def params_of(cls, values: Iterable[ControlValue]) -> Params:
        """Return the parameters in the values of the controls, or raise UserError if one is not allowed; the page
        allows less than the command line."""
        return type(cls.first)(**dict(zip(cls.names, values, strict=True)))

    @classmethod
    def values_of(cls, params: Params) -> list[object]:
        """Return the values of the controls for parameters."""
        return [getattr(params, name) for name in cls.names]

    @abstractmethod
    def load_first_run(self, model: str) -> Run:
        """Return the first run of a model."""

    @abstractmethod
    def run_values(self, params: Params, run: Run, address: bool = True, notice: str = "") -> list[object]:
        """Return the values of the outputs for a finished run, which goes into the page's `address`, or not."""

    @abstractmethod
    def sample(self, *values: ControlValue) -> Iterator[Outputs]:
        """Make a run; yield values of the outputs."""

    def bind_load(self, page: gr.Blocks, view: RunView, settings: EventSettings) -> Event:
        """Bind the event of the page, with its settings; return the event of a link's run, which `view` stops."""
        linked_params = gr.State(None)  # only a link has something to sample
        page.load(self.on_load, None, [*self.outputs, *self.inputs, linked_params], **settings)
        inputs = [view.under_way, linked_params, *view.other_inputs]
        return linked_params.change(keep_run(self.sample_linked), inputs, self.outputs, **controls.MODEL)

    def on_load(self, request: gr.Request) -> list[object]:
        """Return the controls as the address sets them, and the first run if it asks for none."""
        try:
            params, has_link, wrong = self.picker.settings_from_request(self.paths, type(self.first), self.tab, request)
            if not has_link:
                return self._first_values(wrong)
            self.params_of(self.values_of(params))
            stage_value = component.message("Sampling the run of this link …")
            return [*self.stage_values(stage_value), *self.control_values(params), params]
        except UserError as error:
            return self._first_values(error_sentence(error))

    def sample_linked(self, params: Params | None, *other_values: ControlValue) -> Iterator[Outputs]:
        """Make the run of a link."""
        if params:
            yield from self.sample(*other_values, *self.values_of(params))
        else:  # Gradio tells of the state of a hidden tab even if it did not change
            yield self.stage_values(gr.skip())

    def _first_values(self, notice: str) -> list[object]:
        """Return the first run or the error of the model, and its choice among the models."""
        name = self.picker.first_name(self.paths)
        params = replace(self.first, model=name)
        try:
            values = self.run_values(params, self.load_first_run(name), address=False, notice=notice)
        except UserError as error:
            values = self.stage_values(component.message(notice or error_sentence(error)))
        # The other controls are as they were built, or as the visitor has set them while the run was made.
        model, *others = self.control_values(params)
        return [*values, model, *map(_without_value, others), None]

    def control_values(self, params: Params) -> list[object]:
        """Return the values of the controls for parameters."""
        return self.picker.control_values(self.paths, self.values_of(params))


def _without_value(update: object) -> object:
    """Return the update of a control without its value, or none if it updates nothing else."""
    return {key: part for key, part in update.items() if key != "value"} if isinstance(update, dict) else gr.skip()
