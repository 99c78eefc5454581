"""Every view says in a sentence or two what it shows, where a newcomer looks first."""

from pathlib import Path

import gradio as gr

import app
from playground.runtime.paths import Paths


def test_every_view_says_what_it_shows(tmp_path: Path) -> None:
    views: dict[str, list[gr.Tab]] = {}
    for block in app.build_page(Paths(tmp_path, tmp_path)).blocks.values():
        if isinstance(block, gr.Tab):
            views.setdefault(block.page, []).append(block)
    assert len(views) == 7, "all pages but the start page"
    for page, tabs in views.items():
        for tab in tabs:
            hint = tab.children[0]
            assert isinstance(hint, gr.Markdown), (page, tab.label)
            assert len(hint.value) > 30, (page, tab.label)
