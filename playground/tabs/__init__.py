"""One package a tab; each holds `TAB`, which says its title, its place and how to build it.

A tab is a page with an address of its own, so that a visitor's browser loads, and the server fills, only what is seen.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import gradio as gr

from playground.runtime.paths import Paths
from playground.web.header import GuideStep
from playground.web.view import View


@dataclass(frozen=True)
class Tab:
    """A tab: its title, its place among the others, what it is about in a sentence, the function that builds it,
    its guided minute, and a function that computes its first picture before anyone asks.

    `build(page, paths)` makes the components, and listens to `page.load` for its first picture.
    """

    title: str
    order: int
    summary: str
    build: Callable[[gr.Blocks, Paths], None]
    guide: Sequence[GuideStep] = ()
    prepare: Callable[[Paths], None] | None = None


def tab_of_views(
    title: str,
    order: int,
    summary: str,
    views: Mapping[str, type[View]],
    guide: Sequence[GuideStep] = (),
    prepare: Callable[[Paths], None] | None = None,
) -> Tab:
    """Return a tab of several views, each in a tab of its own; `?view=NAME` in the address selects one."""

    def build(page: gr.Blocks, paths: Paths) -> None:
        with gr.Tabs(overflow_behavior="wrap"):
            for view_name, view in views.items():
                with gr.Tab(view.TITLE, id=view_name):
                    gr.Markdown(view.HINT, elem_classes="summary")
                    view.build(page, paths)

    return Tab(title, order, summary, build, guide, prepare)


def discover() -> dict[str, Tab]:
    """Return every tab by the name of its package, in order."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    tabs = {name: importlib.import_module(f"{__name__}.{name}").TAB for name in names}
    return dict(sorted(tabs.items(), key=lambda item: item[1].order))
