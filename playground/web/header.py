"""Head of every page: the title, the tabs, and the button that opens a saved picture."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import gradio as gr

from playground.web import reopen, tour

TITLE = "Generative Playground"


class GuideStep(NamedTuple):
    """Caption of a tab's guided minute."""

    target: str  # CSS selector of what it is about; the first that is visible is marked
    text: str  # what to do, and what to notice


def address(name: str, titles: Mapping[str, str]) -> str:
    """Return the address of a tab, as any page of the app may refer to it; the first of them is at the root."""
    return "./" if name == next(iter(titles)) else name


def page_title(titles: Mapping[str, str], selected: str) -> str:
    """Return the title of a tab's page in the browser's bar; the first is the app's own."""
    return TITLE if selected == next(iter(titles)) else f"{titles[selected]} · {TITLE}"


def build(titles: Mapping[str, str], selected: str, guide: Sequence[GuideStep]) -> None:
    """Build the head of the page of the tab `selected`, with its guide; `titles` are those of all tabs by name, in
    order."""
    links = "".join(
        f'<a href="{address(name, titles)}"{" aria-current=page" if name == selected else ""}>{escape(title)}</a>'
        for name, title in titles.items()
    )
    with gr.Row(elem_classes="title"):
        gr.Markdown(f"# {TITLE}")
        stops = f'<template id="tour" data-stops="{_to_attribute(tour.STOPS)}"></template>'
        nav = f'<nav id="tabs" aria-label="Tabs" data-title="{escape(page_title(titles, selected))}">{links}</nav>'
        gr.HTML(nav + stops, padding=False, apply_default_css=False)
        if guide:
            steps = _to_attribute(guide)
            button = f'<button id="guide" type="button" aria-label="Show me around" data-steps="{steps}">?</button>'
            gr.HTML(button, padding=False, apply_default_css=False)
        reopen.build()


def _to_attribute(steps: Sequence[GuideStep | tour.Stop]) -> str:
    """Return the steps of a guide or of the tour as the value of an attribute that their scripts read."""
    return escape(json.dumps([step._asdict() for step in steps]))
