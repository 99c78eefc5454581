"""One file a tab; each holds `TAB`, which says its title, its place and how to build it."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import gradio as gr

from playground.runtime.paths import Paths
from playground.web import links
from playground.web.view import View


@dataclass(frozen=True)
class Tab:
    """A tab: its title, its place among the others, and the function that builds it into a page.

    `build(page, paths)` makes the components, and listens to `page.load` for its first picture.
    """

    title: str
    order: int
    build: Callable[[gr.Blocks, Paths], None]


def tab_of_views(name: str, title: str, order: int, intro: str, views: Mapping[str, type[View]]) -> Tab:
    """Return a tab of several views, each in a tab of its own; links select them as "NAME.VIEW"."""

    def build(page: gr.Blocks, paths: Paths) -> None:
        gr.Markdown(intro)
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            for view_name, view in views.items():
                with gr.Tab(view.TITLE, id=view_name):
                    view.build(page, paths)
        links.select(page, tabs, name)

    return Tab(title, order, build)


def discover() -> dict[str, Tab]:
    """Return every tab by the name of its file, in order; one that is still being built has no `TAB` yet."""
    modules = {
        module.name: importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
    }
    tabs = {name: module.TAB for name, module in modules.items() if hasattr(module, "TAB")}
    return dict(sorted(tabs.items(), key=lambda item: item[1].order))
