"""The tab of the variational autoencoder: one image, and every view of what the model makes of it."""

import dataclasses
from functools import partial
from typing import Any

import gradio as gr

from playground.tabs import Places
from playground.tabs.vae import betas, codes, interpolate, latent_map, meter, nearest, traverse
from playground.tabs.vae.codes import Settings
from playground.ui import controls, links, source
from playground.ui.controls import sentence
from playground.validation import UserError

INTRO = (
    "A variational autoencoder squeezes an image into a few numbers, its code z, and draws it again from them. "
    "**Move a slider**, and see what that number means."
)
VIEWS: dict[str, Any] = {"traverse": traverse, "map": latent_map, "interpolate": interpolate, "beta": betas,
                         "elbo": meter, "nearest": nearest}  # fmt: skip


def build(page: gr.Blocks, places: Places) -> None:
    """The controls, which all views share, beside the views."""
    gr.Markdown(INTRO)
    with gr.Row(elem_classes=["tab-body", "controls-first"]):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            choices = [(about.title, name) for name, about in codes.MODELS.items()]
            model: Any = controls.unchecked(
                gr.Dropdown(choices, label="Model", info="Each learned its own code.", filterable=False)
            )
            chosen = source.build("vae", codes.KINDS, "What is encoded.")
            seed, dice = controls.seed("The same seed gives the same code from the prior.")
            link = links.build()
        with gr.Column(scale=3, min_width=320, elem_classes="stage"), gr.Tabs() as views:
            tabs, shown, own = {}, {}, {}
            for name, view in VIEWS.items():
                with gr.Tab(view.TITLE, id=name) as tabs[name]:
                    shown[name], own[name] = view.build(places)
    selected = gr.State(next(iter(VIEWS)))
    (other,) = [control for controls in own.values() for control in controls]  # Interpolate's
    inputs = [model, *chosen.inputs, seed, other]
    outputs = [link, *(component for components in shown.values() for component in components)]

    def show(
        name: str, model: Any, kind: Any, number: Any, drawing: Any, upload: Any, seed: Any, other: Any
    ) -> list[Any]:
        """The link, and the values of a view for the chosen image; the other views stay as they are."""
        wanted = source.awaited(kind, drawing, upload)
        try:
            if wanted:
                raise UserError(wanted)
            settings = Settings(model, kind, number, seed, other)
            start = codes.start(places, settings, drawing, upload)
            values = VIEWS[name].show(places, start)
            linked = settings if kind in (codes.PRIOR, source.TEST) else None
            first = links.value(f"vae.{name}", linked)
        except UserError as error:
            values, first = VIEWS[name].message(sentence(error)), gr.skip()
        made = {other: [gr.skip()] * len(components) for other, components in shown.items()} | {name: values}
        return [first, *(value for values in made.values() for value in values)]

    def opened(request: gr.Request) -> list[Any]:
        """What the address describes, or the first image."""
        name = request.query_params.get("tab", "").removeprefix("vae.")
        name = name if name in VIEWS else next(iter(VIEWS))
        try:
            asked = links.restore(Settings, f"vae.{name}", request.query_params) or Settings()
        except UserError as error:
            gr.Warning(sentence(error))
            asked = Settings()
        value, *values = show(name, asked.model, asked.picture, asked.number, "", None, asked.seed, asked.other)
        value = {**value, "address": False} if "query" in value else value  # else it is a gr.skip()
        return [value, *values, *dataclasses.astuple(asked), name]

    def turn(name: str, *values: Any) -> list[Any]:
        return [*show(name, *values), name]

    light: dict[str, Any] = {"show_progress": "hidden", "concurrency_id": "light", "concurrency_limit": 2,
                             "api_visibility": "private"}  # fmt: skip
    changed = [model.input, seed.input, *chosen.changes, other.input]
    gr.on(changed, show, [selected, *inputs], outputs, trigger_mode="always_last", **light)
    chosen.chosen(show, [selected, *inputs], outputs, **light)

    def rolled(*values: Any) -> list[Any]:
        return [*show(*values), values[place]]

    place = 1 + inputs.index(seed)
    dice.click(rolled, [selected, *inputs], [*outputs, seed], js=controls.roll(place), **light)
    for name, tab in tabs.items():
        tab.select(partial(turn, name), inputs, [*outputs, selected], **light)
    page.load(opened, None, [*outputs, model, *chosen.inputs[:2], seed, other, selected], **light)
    page.load(links.selector(1, "vae"), None, views, queue=False, api_visibility="private")
