"""View of a tab, as a class: its constructor lays out the components, and `bind` binds their events."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import gradio as gr

from playground.runtime.paths import Paths
from playground.web import component
from playground.web.controls import Control, error_sentence


class View(ABC):
    """View with a tab of its own.

    Attributes:
        TITLE: Title of its tab.
        HINT: What it shows and what to try, in a sentence or two of Markdown.
    """

    TITLE: ClassVar[str]
    HINT: ClassVar[str]

    @abstractmethod
    def __init__(self, paths: Paths):
        """Lay out the components."""

    @abstractmethod
    def bind(self, page: gr.Blocks) -> None:
        """Bind the events of the page and of the components."""

    @classmethod
    def build(cls, page: gr.Blocks, paths: Paths) -> None:
        """Build the view into a page."""
        cls(paths).bind(page)


class StageView(View):
    """View that makes runs and shows them on its stage.

    Attributes:
        paths: Folders of the checkpoints and the data.
        outputs: Components that a run fills, the stage first.
    """

    paths: Paths
    outputs: list[Control]

    def stage_values(self, value: object) -> list[object]:
        """Return the values of the outputs that change the stage alone."""
        return [value, *[gr.skip()] * (len(self.outputs) - 1)]

    def error_values(self, error: Exception, *inputs: Any) -> list[object]:
        """Return the values of the outputs that show an error of a run with these inputs on the stage."""
        return self.stage_values(component.message(error_sentence(error)))
