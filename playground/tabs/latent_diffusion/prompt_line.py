"""The line under a prompt, which says while one types how the model will read it."""

import gradio as gr

from playground.families import latent_diffusion
from playground.families.latent_diffusion import Settings
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.latent_diffusion.runs import provenance
from playground.web import controls, reading
from playground.web.component import Value
from playground.web.controls import Control, error_sentence
from playground.web.newest import Requests, newest_only


class PromptLine:
    """Line under a prompt; under a negative prompt, which is optional, there is none while that is empty."""

    def __init__(self, paths: Paths, prompt: gr.Textbox, optional: bool = False):
        self.paths, self.prompt, self.optional = paths, prompt, optional
        self.line = reading.build(prompt, self.read("", prompt.value))

    def read(self, model: object, text: object) -> Value:
        """Return the line's value for a prompt."""
        try:
            prompt = Settings(prompt=text).prompt  # type: ignore[arg-type]  # the settings check it
            if self.optional and not prompt:
                return reading.value("")
            result = latent_diffusion.read_prompt(prompt, provenance(self.paths, model))
            return reading.value(result.sentence, result.fixes)
        except UserError as error:
            return reading.value(error_sentence(error))

    def bind(self, model: Control) -> None:
        """Read the prompt anew at each change of it or of the model."""
        inputs = [gr.State(Requests()), model, self.prompt]
        gr.on([self.prompt.change, model.change], newest_only(self.read), inputs, self.line,
              **controls.LIGHT)  # fmt: skip
