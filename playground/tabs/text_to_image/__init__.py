"""The tab of text to image: diffusion in latents, told what to draw by a prompt."""

import gradio as gr

from playground.tabs import Places, Tab
from playground.tabs.text_to_image import compare, draw, grid, inside, why
from playground.ui import links

INTRO = (
    "A text encoder reads the prompt, a U-Net denoises a small latent while it looks at the words, and a decoder makes "
    "a picture of it. **Type a prompt and press Sample**, then point at a word below the pictures."
)
VIEWS = {"draw": draw, "compare": compare, "grid": grid, "inside": inside, "why": why}


def build(page: gr.Blocks, places: Places) -> None:
    gr.Markdown(INTRO)
    with gr.Tabs(overflow_behavior="wrap") as views:
        for name, view in VIEWS.items():
            with gr.Tab(view.TITLE, id=name):
                view.build(page, places)
    links.select(page, views, draw.TAB)


TAB = Tab("Text to image", 50, build)
