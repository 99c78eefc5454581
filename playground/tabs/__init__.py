"""One file a tab; each holds `TAB`, which says its title, its place and how to build it."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr


@dataclass(frozen=True)
class Places:
    """Where the app finds its files."""

    weights: Path
    data: Path


@dataclass(frozen=True)
class Tab:
    """A tab: its title, its place among the others, and the function that builds it into a page.

    `build(page, places)` makes the components, and listens to `page.load` for its first picture.
    """

    title: str
    order: int
    build: Callable[[gr.Blocks, Places], None]


def discover() -> dict[str, Tab]:
    """Every tab by the name of its file, in order; one that is still being built has no `TAB` yet."""
    modules = {
        module.name: importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
    }
    tabs = {name: module.TAB for name, module in modules.items() if hasattr(module, "TAB")}
    return dict(sorted(tabs.items(), key=lambda item: item[1].order))
