"""The tab of normalizing flows."""

import gradio as gr

from playground.tabs import Places, Tab
from playground.tabs.flow import digits, lab
from playground.ui import links

INTRO = (
    "A flow is a network that can be run backwards: layer by layer it turns data into noise, and noise into data, "
    "and it knows the likelihood of every point exactly. **Press Play** to train one, then turn the dial through its "
    "layers, or see *Digits* come out of noise, and go back."
)


def build(page: gr.Blocks, places: Places) -> None:
    gr.Markdown(INTRO)
    with gr.Tabs(overflow_behavior="wrap") as views:
        with gr.Tab(lab.TITLE, id="lab"):
            lab.build(page)
        with gr.Tab(digits.TITLE, id="digits"):
            digits.build(page, places)
    links.select(page, views, "flow")


TAB = Tab("Flow", 60, build)
