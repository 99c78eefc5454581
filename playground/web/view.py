"""View of a tab, as a class: its constructor lays out the components, and `bind` binds their events."""

from abc import ABC, abstractmethod
from typing import ClassVar

import gradio as gr

from playground.runtime.paths import Paths


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
