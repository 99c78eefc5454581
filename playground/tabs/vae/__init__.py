"""The tab of the variational autoencoder: one image, and every view of what the model makes of it."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr

from playground import checkpoint
from playground.tabs import Places, Tab
from playground.tabs.vae import betas, codes, interpolate, latent_map, meter, nearest, save, traverse
from playground.tabs.vae.codes import Settings, Start
from playground.ui import controls, links, plots, source
from playground.ui.controls import sentence
from playground.validation import UserError

INTRO = "A variational autoencoder squeezes an image into a few numbers, its code z, and draws it again from them."
VIEWS: dict[str, Any] = {"traverse": traverse, "map": latent_map, "interpolate": interpolate, "beta": betas,
                         "elbo": meter, "nearest": nearest}  # fmt: skip
FIRST = "traverse"


def build(page: gr.Blocks, places: Places) -> None:
    """The controls, which all views share, beside the views."""
    gr.Markdown(INTRO)
    with gr.Row(elem_classes="tab-body"):
        with gr.Column(scale=1, min_width=260, elem_classes="controls"):
            models = offered(places)
            model: Any = controls.unchecked(
                gr.Radio(models, value=models[0][1], label="Model", info="Each learned its own code.",
                         elem_classes="chips")
            )  # fmt: skip
            chosen = source.build("vae", codes.KINDS, "What is encoded.")
            seed, dice = controls.seed("The same seed gives the same code from the prior.")
            chosen.inputs[0].change(
                lambda kind: [gr.update(interactive=kind == codes.PRIOR)] * 2,
                chosen.inputs[0],
                [seed, dice],
                queue=False,
                **controls.HIDDEN,
                **controls.PRIVATE,
            )
        with gr.Column(scale=3, min_width=320, elem_classes="stage"):
            controls.to_settings()
            notice = gr.HTML(visible=False)  # what is wrong with the address
            with gr.Tabs(overflow_behavior="wrap") as views:
                tabs, shown, own = {}, {}, {}
                for name, view in VIEWS.items():
                    with gr.Tab(view.TITLE, id=name) as tabs[name]:
                        gr.Markdown(view.HINT)
                        shown[name], own[name] = view.build(places)
            inputs = [model, *chosen.inputs, seed, *(control for controls in own.values() for control in controls)]
            command = save.build(places, partial(start, places), inputs)
            link = links.build()
    selected, turning = gr.State(FIRST), gr.State(False)  # the view; whether a link is about to select another
    filled = gr.State({})  # by view, the values of the controls that it was filled for
    outputs = [filled, notice, link, command, *(component for components in shown.values() for component in components)]

    def show(name: str, filled: dict[str, Any], *values: Any, address: bool = True, wrong: str = "") -> list[Any]:
        """The values of the outputs for the chosen image in a view; the other views stay as they are."""
        try:
            begun = start(places, *cause(name, values))
            made = VIEWS[name].show(places, begun)
            beside = [link_of(name, begun.settings, address), save.command(begun.settings)]
            filled = filled | {name: cause(name, values)}
        except UserError as error:
            made, beside = VIEWS[name].message(sentence(error)), [gr.skip(), gr.skip()]
            filled = filled | {name: None}
        every = {other: [gr.skip()] * len(components) for other, components in shown.items()} | {name: made}
        noticed = gr.update(value=plots.paragraph(wrong), visible=bool(wrong))
        return [filled, noticed, *beside, *(value for values in every.values() for value in values)]

    def opened(request: gr.Request) -> list[Any]:
        """What the address describes, or the first image."""
        view = request.query_params.get("tab", "").removeprefix("vae.")
        name = view if view in VIEWS else FIRST
        linked, wrong = asked(request)
        values = dataclasses.astuple(linked or Settings())
        nothing_drawn = [*values[:3], "", None, *values[3:]]
        made = show(name, {}, *nothing_drawn, address=linked is not None, wrong=wrong)
        turned = [gr.Tabs(selected=name), name, True] if name != FIRST else [gr.skip()] * 3
        return [*made, *values, *turned]

    def turn(name: str, before: str, turning: bool, filled: dict[str, Any], *values: Any) -> list[Any]:
        """A view that was selected, as it was left if the image is still the same.

        Those that a page selects by itself as it opens, `opened` has filled.
        """
        nothing = [gr.skip()] * len(outputs)
        if name == before or (turning and name == FIRST):
            return [*nothing, gr.skip(), False]
        if filled.get(name) == cause(name, values):
            nothing[outputs.index(link)] = link_of(name, settings(*cause(name, values)))
            return [*nothing, name, False]
        return [*show(name, filled, *values), name, False]

    light = {**controls.LIGHT, **controls.PRIVATE}
    ends = inputs[6:]
    changed = [seed.input, *chosen.changes, *chosen.choices, *(end.input for end in ends)]
    given = [selected, filled, *inputs]
    gr.on(changed, show, given, outputs, trigger_mode="always_last", **light)
    read = model.input(kinds, [model, chosen.inputs[0]], chosen.inputs[0], queue=False, **controls.PRIVATE)
    read.then(show, given, outputs, **light)

    controls.thrown(dice, seed).then(show, given, outputs, **light)
    for name, tab in tabs.items():
        tab.select(partial(turn, name), [selected, turning, filled, *inputs], [*outputs, selected, turning], **light)
    linkable = [model, *chosen.inputs[:2], seed, *ends]
    page.load(opened, None, [*outputs, *linkable, views, selected, turning], **light)


def cause(name: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """The values of the controls that a view depends on, and the others as they are at first."""
    return tuple(values) if name == "interpolate" else (*values[:6], Settings.to, Settings.other)


def link_of(name: str, chosen: Settings, address: bool = True) -> dict[str, Any]:
    """The link of a view; what was moved in it is not part of it."""
    linked = chosen if chosen.picture in codes.ENDS else None
    copied = "Copied, but not what was moved" if name in ("traverse", "map") else "Copied"
    return links.value(f"vae.{name}", linked, address, copied)


def kinds(name: object, kind: object) -> Any:
    """What the model can encode, and the choice of it."""
    offered = codes.MODELS[name].kinds if isinstance(name, str) and name in codes.MODELS else codes.KINDS
    return gr.update(choices=list(offered), value=kind if kind in offered else codes.PRIOR)


def start(
    places: Places, model: Any, kind: Any, number: Any, drawing: Any, upload: Any, seed: Any, to: Any, other: Any
) -> Start:
    """The image that the controls choose, with its code.

    Raises:
        UserError: there is none yet, or a control's value is not allowed.
    """
    wanted = source.awaited(kind, drawing, upload)
    if wanted:
        raise UserError(wanted)
    return codes.start(places, settings(model, kind, number, drawing, upload, seed, to, other), drawing, upload)


def settings(model: Any, kind: Any, number: Any, drawing: Any, upload: Any, seed: Any, to: Any, other: Any) -> Settings:
    """What a link can hold of the controls.

    Raises:
        UserError: a control's value is not allowed.
    """
    return Settings(model, kind, number, seed, to, other)


def offered(places: Places) -> list[tuple[str, str]]:
    """Title and name of the models whose checkpoints are there, or of all if none is."""
    found = {path.stem for path in checkpoint.find(places.weights)} & set(codes.MODELS)
    return [(about.title, name) for name, about in codes.MODELS.items() if name in found or not found]


def asked(request: gr.Request) -> tuple[Settings | None, str]:
    """The settings in the address, if it holds some, and what is wrong with it."""
    tab = request.query_params.get("tab", "")
    ours = tab in ("vae", *(f"vae.{view}" for view in VIEWS))
    return links.asked(Settings, tab, request) if ours else (None, "")


TAB = Tab("VAE", 10, build)
