"""The tab of denoising diffusion: from noise to digits, and from a digit to noise, frame by frame."""

import gradio as gr

from playground.tabs import Places, Tab
from playground.tabs.ddpm import forward, reverse

INTRO = (
    "Diffusion turns noise into pictures step by step: a network estimates the noise in what it sees, and a little of "
    "it is taken away. **Drag the slider under the pictures** and watch the digits appear."
)


def build(page: gr.Blocks, places: Places) -> None:
    gr.Markdown(INTRO)
    with gr.Tabs(overflow_behavior="wrap"):
        with gr.Tab("Reverse: noise to digits"):
            reverse.build(page, places)
        with gr.Tab("Forward: digit to noise"):
            forward.build(page, places)


TAB = Tab("DDPM / DDIM", 40, build)
