"""Cost of a step of the same U-Net on latents and on pixels, and of the decoder. Rombach 2022, section 4.1."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch

from playground.datasets.scenes import SIZE
from playground.families.latent_diffusion.model import Model
from playground.nn.cost import Cost, measure_cost
from playground.runtime import labs

PROMPT = "a small pizza on a blue background"


@torch.no_grad()
def measure_costs(model: Model) -> Iterator[Cost]:
    """Measure a step on latents, a step on pixels, and the decoder; the U-Nets have random weights."""
    context, config = model.encode_text([PROMPT]), model.config
    latent_shape = config.channels, config.size, config.size
    for channels, size in ((config.channels, config.size), (3, SIZE)):
        with labs.seeded_init(0):
            network = Model(replace(config, size=size, channels=channels)).eval()
        evaluate = partial(network, t=torch.tensor([500]), context=context)
        yield measure_cost(evaluate, network, (channels, size, size))
    decoder = copy.deepcopy(model.components().autoencoder)
    yield measure_cost(decoder.decode, decoder, latent_shape)
