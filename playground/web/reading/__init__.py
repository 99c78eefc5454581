"""Line under a prompt: how it is read, and buttons that change it."""

from collections.abc import Sequence

import gradio as gr

from playground.datasets.prompts import Fix
from playground.web import component
from playground.web.component import Value


def build(prompt: gr.Textbox, start: Value) -> gr.HTML:
    """Build the line of a text box, which has an id; a press of a button puts the changed prompt into the box."""
    line = component.build("reading", {"PROMPT": str(prompt.elem_id)}, value=start, padding=False)
    line.select(None, line, prompt, js="(value) => value.chosen")
    return line


def value(sentence: str, fixes: Sequence[Fix] = ()) -> Value:
    """Return the value that shows a sentence, its words between asterisks emphasized, and a button for each fix."""
    return {"sentence": sentence, "fixes": [{"label": fix.label, "prompt": fix.prompt} for fix in fixes]}
