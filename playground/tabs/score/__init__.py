"""The tab of score matching and Langevin dynamics."""

import gradio as gr

from playground.tabs import Places, Tab
from playground.tabs.score import digits, lab, mend, walk
from playground.ui import links

INTRO = (
    "The score is the gradient of the log density: wherever you stand, the way to where the data are denser. "
    "**Drag the slider** to see particles follow it, choose *Annealed* to see all modes found, "
    "watch a network learn it in the *2-D lab*, or let it *Mend* a digit of your own."
)


def build(page: gr.Blocks, places: Places) -> None:
    gr.Markdown(INTRO)
    with gr.Tabs(overflow_behavior="wrap") as views:
        with gr.Tab(walk.TITLE, id="walk"):
            walk.build(page, places)
        with gr.Tab(lab.TITLE, id="lab"):
            lab.build(page)
        with gr.Tab(digits.TITLE, id="digits"):
            digits.build(page, places)
        with gr.Tab(mend.TITLE, id="mend"):
            mend.build(page, places)
    links.select(page, views, "score")


TAB = Tab("Score", 30, build)
