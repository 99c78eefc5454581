"""The tab of generative adversarial networks: two networks that learn from each other."""

import gradio as gr

from playground.tabs import Places, Tab
from playground.tabs.gan import arena, lab, samples, verdict
from playground.ui import links

INTRO = (
    "A generator G makes fakes, a discriminator D learns to tell them from data, and each learns from the other. "
    "**Drag the slider** through a training, or press Play in the *2-D lab* and try *Cause collapse*."
)
VIEWS = {"arena": arena, "samples": samples, "ask": verdict}


def build(page: gr.Blocks, places: Places) -> None:
    gr.Markdown(INTRO)
    with gr.Tabs(overflow_behavior="wrap") as views:
        for name, view in VIEWS.items():
            with gr.Tab(view.TITLE, id=name):
                view.build(page, places)
        with gr.Tab(lab.TITLE, id="lab"):
            lab.build(page)
    links.select(page, views, "gan")


TAB = Tab("GAN", 20, build)
