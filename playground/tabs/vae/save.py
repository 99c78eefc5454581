"""Export: the picture and the traversal on show, and the way of Interpolate, as files that tell of their making."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import gradio as gr

from playground import checkpoint, exports, pictures
from playground.models import vae
from playground.tabs import Places
from playground.tabs.vae import answers, codes, interpolate
from playground.tabs.vae.codes import Settings, Start
from playground.ui import controls, download
from playground.ui.controls import answered

FROM_IMAGE = "# only pictures of codes from the prior come from the command line"


def build(places: Places, start: Callable[..., Start], inputs: list[Any]) -> gr.Code:
    """The panel. The code shows the command that draws the chosen image, if there is one.

    Args:
        start: makes of the values of `inputs` the image that is looked at.
    """
    with gr.Accordion("Export", open=False):
        with gr.Row():
            picture = gr.Button("Picture (PNG)", size="sm")
            traversal = gr.Button("Traversal (PNG)", size="sm")
            way = gr.Button("Interpolation (GIF)", size="sm")
        command = gr.Code(label="The same picture from the command line", language="shell", interactive=False)
        saving = download.build("vae-download")
        shown = gr.Textbox(visible=False)

    def save_picture(text: Any) -> dict[str, Any]:
        name, z = answers.on_show(places, text)
        image = pictures.to_uint8(codes.decoded(codes.load(places, name), z[None]))[0]
        return _png(f"{name}.png", image, about(places, name, z=z.tolist()))

    def save_traversal(text: Any) -> dict[str, Any]:
        name, z = answers.on_show(places, text)
        return _png(f"{name}-traversal.png", codes.traversal(codes.load(places, name), z),
                    about(places, name, z=z.tolist()))  # fmt: skip

    def save_way(*values: Any) -> dict[str, Any]:
        chosen = start(*values)
        name, arc = chosen.settings.model, interpolate.ways(places, chosen)["arc"]
        frames = pictures.to_uint8(codes.decoded(codes.load(places, name), arc))[:, None]
        path = download.path(f"{name}-interpolation.gif")
        exports.gif(path, frames, about(places, name, settings=asdict(chosen.settings)))
        return download.file(path)

    picture.click(answered(save_picture), shown, saving, js=answers.ON_SHOW, **controls.SLOW)
    traversal.click(answered(save_traversal), shown, saving, js=answers.ON_SHOW, **controls.SLOW)
    way.click(answered(save_way), inputs, saving, **controls.SLOW)
    return command


def command(settings: Settings) -> str:
    """The command that draws the image of some settings."""
    if settings.picture != codes.PRIOR:
        return FROM_IMAGE
    return exports.command_line(settings.model, vae.Settings(n=1, seed=settings.seed), "picture.png")


def about(places: Places, name: str, **more: Any) -> dict[str, str]:
    """What a file says of its making: the checkpoint with its provenance, and more."""
    provenance = checkpoint.header(places.weights / f"{name}.safetensors").provenance
    return {"checkpoint": name, "provenance": json.dumps(provenance)} | {k: json.dumps(v) for k, v in more.items()}


def _png(name: str, image: Any, made: dict[str, str]) -> dict[str, Any]:
    path = download.path(name)
    exports.png(path, image, made)
    return download.file(path)
