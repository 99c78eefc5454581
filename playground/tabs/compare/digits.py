"""Base of the views that send digits through every family: a model of each, pictures of one size, and the address."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import gradio as gr
import numpy as np
import torch
from torch import Tensor, nn

from playground.datasets import mnist
from playground.datasets.registry import dataset_of
from playground.families import ddpm, gan, normalizing_flow, vae
from playground.families.score_matching import langevin
from playground.families.score_matching.langevin import Score
from playground.runtime import checkpoint, pictures
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.ddpm import runs
from playground.tabs.gan import variants
from playground.tabs.normalizing_flow import likelihood
from playground.tabs.vae import codes
from playground.web import links, palette
from playground.web.checkpoint_picker import CheckpointPicker
from playground.web.controls import ControlValue, error_sentence
from playground.web.export import ExportableRun
from playground.web.linked_run import LinkedRunView
from playground.web.scrubber import Film, Series

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

GAP = 1  # pixels between the rows of a file
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Models:
    """Folders of the app, and the model of each family that its own tab shows first.

    Attributes:
        used: checkpoints of the models that were asked for, by name.
    """

    paths: Paths
    used: dict[str, Path] = field(default_factory=dict)

    @property
    def vae(self) -> vae.Model:
        """Return the VAE, or raise UserError if it is missing or learned other data, as each of these does."""
        return self._load(codes.CHECKPOINTS)

    @property
    def gan(self) -> gan.Model:
        """Return the GAN."""
        return self._load(variants.CHECKPOINTS)

    @property
    def flow(self) -> normalizing_flow.Model:
        """Return the normalizing flow."""
        return self._load(likelihood.CHECKPOINTS)

    @property
    def ddpm(self) -> ddpm.Model:
        """Return the diffusion model."""
        return self._load(runs.CHECKPOINTS)

    def _load(self, picker: CheckpointPicker[Model]) -> Model:
        model, path = picker.load(self.paths, ""), picker.path(self.paths, "")
        dataset = dataset_of(checkpoint.read_header(path).provenance)
        if dataset and dataset is not mnist.DATASET:
            raise UserError(f"{path.stem} learned {dataset.title}: `python -m train {picker.default}` learns digits")
        self.used[path.stem] = path
        return model

    def build_origin(self, settings: "DataclassInstance") -> dict[str, str]:
        """Return the metadata of a file: its settings, and the provenance of each checkpoint that took part."""
        provenance = {name: checkpoint.read_header(path).provenance for name, path in dict(self.used).items()}
        return {"settings": json.dumps(asdict(settings)), "checkpoints": json.dumps(provenance)}


def without_class(model: ddpm.Model, n: int, clip: bool = True) -> ddpm.model.Denoiser:
    """Return the denoiser of n digits of which no class is known."""
    return model.denoiser(torch.zeros(n, dtype=torch.long), 0.0, clip)


def score_of(model: ddpm.Model, n: int) -> Score:
    """Return the score of n digits of which no class is known."""
    return langevin.denoiser_to_score(without_class(model, n), model.schedule)


def to_tiles(x: Tensor) -> np.ndarray:
    """Return digits (B, 1, H, W), with or without the border of two pixels, as uint8 (B, 32, 32, 1)."""
    return pictures.to_uint8(x if x.shape[-1] == mnist.SIZE else mnist.pad(x))


def to_export(stem: str, about: dict[str, str], film: Film, in_rows: bool = True) -> ExportableRun:
    """Return a film for the export, whose strips lie in rows, one below the other, or side by side in every file."""
    frames = []
    for strips in zip(*(strip.frames for strip in film.strips), strict=True):  # of one frame, (N, H, W, C) each
        tiles = np.concatenate(strips)
        frames.append(pictures.make_grid(tiles, columns=len(strips[0]) if in_rows else len(tiles), gap=GAP))
    return ExportableRun(stem, about, [np.stack(frames)[:, None]], [{"frame": caption} for caption in film.captions])


def make_series(values: Mapping[str, list[float]]) -> list[Series]:
    """Return a line of a curve for each title."""
    return [Series(title, colour, line) for (title, line), colour in zip(values.items(), palette.LINES, strict=False)]


def describe_missing(reasons: Iterable[str]) -> str:
    """Return why families are missing, as sentences."""
    return " ".join(error_sentence(UserError(reason)) for reason in reasons)


class FamiliesView(LinkedRunView):
    """View of several families at once, which offers no choice of a model."""

    def on_load(self, request: gr.Request) -> list[ControlValue]:
        """Return the error of the address, and the values of the link and the controls."""
        linked_params, wrong = links.read_request(self.params_type, self.tab, request)
        params = linked_params or self.params_type()
        return [wrong, links.value(self.tab, params, linked_params is not None), *astuple(params)]
