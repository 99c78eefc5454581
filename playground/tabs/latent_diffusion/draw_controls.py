"""Controls of Draw: the prompt, the settings of a run, and the choice of what is shown."""

import gradio as gr
import torch

from playground.datasets import captions, emoji, scenes
from playground.datasets.prompts import exchange
from playground.families.latent_diffusion import GUIDANCE_SCHEDULES
from playground.runtime.paths import Paths
from playground.tabs.latent_diffusion import runs
from playground.tabs.latent_diffusion.prompt_line import PromptLine
from playground.tabs.latent_diffusion.runs import CHECKPOINTS, FIRST, LATENT, SMOOTH
from playground.web import controls
from playground.web.controls import Control, skip_preprocess

# The controls in their order, by the names of their parameters.
NAMES = ("model", "prompt", "w", "n", "steps", "seed", "negative", "guidance", "sampler", "eta")
MEAN = ("the mean", -1)


def random_prompt() -> str:
    """Return a caption of a random scene, such as the model has or has not seen in training."""
    synonyms, rng = captions.list_synonyms(emoji.CORE), torch.Generator()
    n = len(synonyms)
    combinations = scenes.Combinations(torch.ones(n, len(scenes.BACKGROUNDS)).bool(), torch.ones(n, n).bool())
    rng.seed()
    scene_batch = scenes.sample_mixed(3, rng, combinations)
    return captions.write_captions(scene_batch, synonyms, rng)[int(torch.randint(3, (), generator=rng))]


def build_prompt() -> tuple[Control, gr.Button]:
    """Build the prompt, and the button for a random one."""
    hint = "An emoji and, if you like, a background; or two emoji and how they are placed."
    with gr.Row(elem_classes="prompt"):
        prompt = gr.Textbox(FIRST.prompt, label="Prompt", info=hint, elem_id="text-prompt", scale=6, min_width=320)
        button = gr.Button("Random prompt", min_width=130, scale=1, elem_classes="input-button")
    return skip_preprocess(prompt), button


def build_picker(prompt: Control) -> None:
    """Build the emoji and the backgrounds that the shipped model knows; a press puts one into the prompt.

    They share an event: of two events, each would overwrite what the other has put into the prompt meanwhile.
    """
    characters = {name: text for text, name in emoji.emoji_names().items()}
    names = [*emoji.CORE, *scenes.BACKGROUNDS]
    labels = [*(characters[name] for name in emoji.CORE), *scenes.BACKGROUNDS]
    with gr.Accordion("Emoji and backgrounds it knows", open=False):
        picker = gr.Dataset(components=[prompt], samples=[[name] for name in names], sample_labels=labels,
                            samples_per_page=len(names), show_label=False, type="index")  # fmt: skip
        picker.click(_put_into_prompt, [picker, prompt], prompt, **controls.INSTANT)


def _put_into_prompt(index: int, text: object) -> str:
    """Return a prompt with another emoji or, if the index is above all of theirs, on another background."""
    if index < len(emoji.CORE):
        return exchange(str(text), name=emoji.CORE[index])
    return exchange(str(text), background=list(scenes.BACKGROUNDS)[index - len(emoji.CORE)])


def build_controls(paths: Paths) -> tuple[Control, list[Control], gr.Button]:
    """Build the model's control, those after the prompt in the order of `NAMES`, and the button for a new seed."""
    default, model = FIRST, CHECKPOINTS.build(paths)
    hint = "0 ignores the prompt, 1 follows it as trained, more exaggerates it."
    w = controls.slider(0, 12, default.w, 0.5, "Guidance w", hint)
    n = controls.slider(1, runs.MAX_PICTURES, default.n, 1, "Pictures", "How many at once.")
    steps = controls.steps(runs.MAX_STEPS, default.steps)
    seed, new_seed = controls.seed(value=default.seed)
    with gr.Accordion("More", open=False):
        hint = "What to avoid; guidance then leads away from it."
        negative = gr.Textbox(default.negative, label="Negative prompt", info=hint, elem_id="text-negative")
        PromptLine(paths, negative, optional=True).bind(model)
        hint = "How w changes during the run: linear and cosine grow, interval guides only the middle."
        guidance = controls.radio(list(GUIDANCE_SCHEDULES), default.guidance, "w over time", hint)
        sampler = controls.sampler(default.sampler)
        eta = controls.eta(default.eta, sampler)
    return model, [w, n, steps, seed, skip_preprocess(negative), guidance, sampler, eta], new_seed


def build_inside() -> tuple[list[Control], gr.HTML]:
    """Build the choice of strips; of the layer and the head whose attention is shown; and of how it is shown. Return
    them, and the place of the prompt's vectors."""
    with gr.Accordion("Look inside", open=False):
        with gr.Row(elem_classes="needs-run"):
            hint = "The latents as colours or by channel, or the estimates with and without the prompt."
            strip_kind = controls.radio(runs.STRIP_KINDS, LATENT, "Show", hint)
            layer = controls.dropdown([MEAN], -1, "Attention of", "The mean of all layers, or one layer of the U-Net.")
            head = controls.dropdown([MEAN], -1, "Head", "The mean of all heads, or one of a layer.")
            hint = "How attention is drawn: smoothed, or each place of the latent as a square."
            detail = controls.radio(runs.DETAILS, SMOOTH, "Over the pictures", hint)
        gr.Markdown("**Tokens become vectors**")
        vectors = gr.HTML(elem_id="text-vectors")
    return [strip_kind, layer, head, detail], vectors
