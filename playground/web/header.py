"""Head of every page: the title, the tabs, and the button that opens a saved picture."""

from collections.abc import Mapping
from html import escape

import gradio as gr

from playground.web import reopen

TITLE = "Generative Playground"


def address(name: str, titles: Mapping[str, str]) -> str:
    """Return the address of a tab, as any page of the app may refer to it; the first of them is at the root."""
    return "./" if name == next(iter(titles)) else name


def build(titles: Mapping[str, str], selected: str) -> None:
    """Build the head of the page of the tab `selected`; `titles` are those of all tabs by name, in order."""
    links = "".join(
        f'<a href="{address(name, titles)}"{" aria-current=page" if name == selected else ""}>{escape(title)}</a>'
        for name, title in titles.items()
    )
    with gr.Row(elem_classes="title"):
        gr.Markdown(f"# {TITLE}")
        gr.HTML(f'<nav id="tabs" aria-label="Tabs">{links}</nav>', padding=False, apply_default_css=False)
        reopen.build()
