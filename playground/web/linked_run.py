"""Base class of the views that wait: a run begins when the link of the view is visible, or at a press of its button."""

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from playground.runtime.paths import Paths
from playground.web import component, controls, links, run_view
from playground.web.checkpoint_picker import CheckpointPicker
from playground.web.controls import Control, ControlValue, Trigger
from playground.web.run_view import RunView
from playground.web.stop import Outputs
from playground.web.view import StageView

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class LinkedView(StageView):
    """View that shows nothing before its link is visible.

    Attributes:
        picker: The models to choose from.
        params_type: Dataclass of the parameters of the view's link.
        tab: Name of the view in links.
    """

    picker: CheckpointPicker[Any]
    params_type: "type[DataclassInstance]"
    tab: str

    def on_load(self, request: gr.Request) -> list[ControlValue]:
        """Return the error of the address, "" for none, and the values of the link and the controls: those of the
        address, or the first ones."""
        params, has_link, wrong = self.picker.settings_from_request(self.paths, self.params_type, self.tab, request)
        link_value = links.value(self.tab, params, has_link)
        return [wrong, link_value, *self.picker.control_values(self.paths, dataclasses.astuple(params))]


class LinkedRunView(LinkedView):
    """View whose run begins when its link is visible; a run fills the stage, its state for the export, the link, and
    what a view adds to the `outputs`.

    Attributes:
        layout: Components; the seed is the last of the inputs.
    """

    def __init__(
        self,
        paths: Paths,
        name: str,
        build_stage: Callable[[], gr.HTML],
        how: str,
        function: Callable[..., object],
        verb: str = "Sample",
    ):
        """Lay out the components, as `run_view.lay_out` does."""
        self.paths = paths
        self.layout = run_view.lay_out(name, self.build_controls, build_stage, how, function, verb=verb)
        self.outputs = [self.layout.stage, self.layout.run, self.layout.link]

    @abstractmethod
    def build_controls(self) -> tuple[list[Control], gr.Button]:
        """Build the controls in the order of the link's parameters, and the button for a new seed."""

    def show_address(self, request: gr.Request) -> list[ControlValue]:
        """Return the controls as the address sets them; after an error no run begins by itself."""
        wrong, link, *values = self.on_load(request)
        return [component.message(wrong), gr.skip(), *values] if wrong else [gr.skip(), link, *values]

    @abstractmethod
    def sample(self, *values: ControlValue) -> Iterator[Outputs]:
        """Make a run from the values of other inputs and of the controls; yield values of the outputs."""

    def bind(self, page: gr.Blocks) -> None:
        self.bind_runs(page)

    def bind_runs(
        self, page: gr.Blocks, triggers: Sequence[Trigger] = (), other_inputs: Sequence[Control] = ()
    ) -> None:
        """Bind the event of the page and those that begin and stop runs."""
        stage, link, inputs = self.layout.stage, self.layout.link, self.layout.inputs
        view = RunView(stage, self.layout.buttons, inputs, inputs[-1], self.outputs, other_inputs)
        view.bind(self.sample, self.tab, triggers=[*triggers, link.select])
        page.load(self.show_address, None, [stage, link, *inputs], **controls.LIGHT)
