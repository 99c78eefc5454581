"""Endpoints that read: a prompt, and a picture of a digit by an autoencoder, a classifier, and a flow."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from playground.api.endpoint import Answer, Endpoint, Facts, NewPath, Parameter, checkpoint_parameter
from playground.datasets.registry import class_names_of, dataset_of
from playground.export import media
from playground.families import latent_diffusion, normalizing_flow, vae
from playground.runtime import checkpoint as checkpoints
from playground.runtime import inference, pictures
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError

PICTURE = Parameter("picture", Path, meaning="File with a picture of one thing on a plain background, as a digit is.")
ELBO_SAMPLES = 100  # codes, over which log p(x|z) is averaged
SWAP = Parameter("swap", bool, False, "Swap what was taken for ink and what for paper.")


def endpoints(paths: Paths, new_path: NewPath) -> list[Endpoint]:
    """Return the endpoints that read."""

    def of_picture(family: str) -> list[Parameter]:
        return [PICTURE, SWAP, checkpoint_parameter(paths, family)]

    return [
        Endpoint(
            "read_prompt",
            "Tell how text to image reads a prompt: in the words that the model knows, and what is left out.",
            [Parameter("prompt", str, meaning="The prompt."), checkpoint_parameter(paths, "latent_diffusion")],
            partial(read_prompt, paths),
            uses_model=False,
        ),
        Endpoint(
            "reconstruct",
            "Encode a picture by a variational autoencoder and decode it: a PNG of the picture as it was read beside "
            "its reconstruction, and the code with the terms of the ELBO in nats.",
            of_picture("vae"),
            partial(reconstruct, new_path, paths),
            has_file=True,
        ),
        Endpoint(
            "classify",
            "Read the digit in a picture: the most probable class, and the probability of each.",
            of_picture("judge"),
            partial(classify, paths),
        ),
        Endpoint(
            "likelihood",
            "Measure how likely a normalizing flow finds a picture, in bits per dimension: the fewer, the likelier.",
            of_picture("normalizing_flow"),
            partial(likelihood, paths),
        ),
    ]


def read_prompt(paths: Paths, prompt: str, checkpoint: str) -> Iterator[Answer]:
    """Yield how a prompt is read."""
    provenance = checkpoints.read_header(paths.checkpoint(checkpoint)).provenance
    reading = latent_diffusion.read_prompt(prompt, provenance)
    facts: Facts = {"prompt": reading.prompt, "sentence": reading.sentence, "understood": reading.understood}
    yield None, {**facts, "alternatives": [fix.prompt for fix in reading.fixes]}


def reconstruct(new_path: NewPath, paths: Paths, picture: Path, swap: bool, checkpoint: str) -> Iterator[Answer]:
    """Yield the picture beside what the mean of q(z|x) is decoded to, and q(z|x) with the terms of the ELBO in nats."""
    model, x = load(paths, checkpoint, picture, swap)
    assert isinstance(model, vae.Model)
    output = inference.compute(model, x, torch.zeros(1, 1, model.config.latent))  # z is the mean of q(z|x)
    reconstruction, kl = inference.compute(vae.elbo_terms, model, x, ELBO_SAMPLES, make_rng(0))
    out = new_path(f"{checkpoint}-reconstruction.png")
    cells = pictures.to_uint8(torch.cat([x, model.mean(output.out[0])]))
    provenance = checkpoints.read_header(paths.checkpoint(checkpoint)).provenance
    metadata = {"checkpoint": checkpoint, "settings": json.dumps({"swap": swap}), "provenance": json.dumps(provenance)}
    media.write_png(out, pictures.make_grid(cells, columns=2), metadata)
    code = {"mu": output.mu[0].tolist(), "log_var": output.log_var[0].tolist()}
    yield out, {**code, "reconstruction": reconstruction.item(), "kl": kl.item()}


def classify(paths: Paths, picture: Path, swap: bool, checkpoint: str) -> Iterator[Answer]:
    """Yield the most probable class, and the probability of each."""
    model, x = load(paths, checkpoint, picture, swap)
    p = inference.compute(model, x)[0].softmax(0).tolist()
    names = class_names_of(checkpoints.read_header(paths.checkpoint(checkpoint)).provenance, len(p))
    yield None, {"class": names[np.argmax(p)], "probabilities": dict(zip(names, p, strict=True))}


def likelihood(paths: Paths, picture: Path, swap: bool, checkpoint: str) -> Iterator[Answer]:
    """Yield the bits per dimension, by the draw of the noise of dequantization that the page makes."""
    model, x = load(paths, checkpoint, picture, swap)
    assert isinstance(model, normalizing_flow.Model)
    bits = inference.compute(normalizing_flow.bits_per_dimension, model, x)
    yield None, {"bits_per_dimension": bits.item(), "dimensions": x.numel()}


def load(paths: Paths, checkpoint: str, picture: Path, swap: bool) -> tuple[nn.Module, Tensor]:
    """Return a model, and a picture (1, C, H, W) in [-1, 1] made like those that it learned from.

    Raises:
        UserError: The model cannot be loaded or reads no such picture, or the picture cannot be read.
    """
    path = paths.checkpoint(checkpoint)
    dataset = dataset_of(checkpoints.read_header(path).provenance)
    if dataset is None or dataset.normalize is None:
        raise UserError(f"{checkpoint} reads no pictures of yours: choose a checkpoint that learned from digits")
    model, x = checkpoints.load_shared(path), dataset.normalize(pictures.open_grey(picture), swap)
    without_padding = isinstance(model, (vae.Model, normalizing_flow.Model))
    return model, dataset.remove_padding(x) if without_padding else x
