"""The first tab: what each of the others shows."""

from html import escape

import gradio as gr

from playground import tabs
from playground.runtime.paths import Paths
from playground.tabs import Tab

INTRO = "Six ways in which machines learn to make images. Each model on these pages runs while you watch."


def build(page: gr.Blocks, paths: Paths) -> None:
    """Build a card for each of the other tabs."""
    cards = "".join(
        f'<a href="{name}"><b>{escape(tab.title)}</b><span>{escape(tab.intro)}</span></a>'
        for name, tab in tabs.discover().items()
        if tab is not TAB
    )
    gr.HTML(f'<div class="families">{cards}</div>', padding=False, apply_default_css=False)


TAB = Tab("Start", 0, INTRO, build)
