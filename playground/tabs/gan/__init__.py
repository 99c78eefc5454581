"""The tab of generative adversarial networks: two networks that learn from each other."""

import gradio as gr

from playground.tabs import Places, Tab
from playground.tabs.gan import live

INTRO = (
    "A generator G makes fakes, a discriminator D learns to tell them from data, and each learns from the other. "
    "**Press Play**, then try *Cause collapse*."
)


def build(page: gr.Blocks, places: Places) -> None:
    gr.Markdown(INTRO)
    live.build(page)


TAB = Tab("GAN", 20, build)
