"""The tab of denoising diffusion: from noise to digits, and from a digit to noise, frame by frame."""

import gradio as gr

from playground.tabs import Places, Tab
from playground.tabs.ddpm import forward, reverse
from playground.ui import links

INTRO = (
    "Diffusion turns noise into pictures: noise is added to digits, and a network learns to take it away again, step "
    "by step, until digits come out of nothing but noise. **Press Play, or drag the slider under the pictures.**"
)


def build(page: gr.Blocks, places: Places) -> None:
    gr.Markdown(INTRO)
    with gr.Tabs(overflow_behavior="wrap") as views:
        with gr.Tab("Reverse: noise to digits", id="reverse"):
            reverse.build(page, places)
        with gr.Tab("Forward: digit to noise", id="forward"):
            forward.build(page, places)
    links.select(page, views, "ddpm")


TAB = Tab("DDPM / DDIM", 40, build)
