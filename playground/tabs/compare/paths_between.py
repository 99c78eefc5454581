"""The path from one digit to another in the latent space of every family, and in pixels."""

from collections.abc import Iterator

import torch
from torch import Tensor

from playground.datasets import mnist
from playground.diffusion.samplers import ddim, ddim_inversion
from playground.families import gan, normalizing_flow
from playground.nn import interpolation
from playground.runtime.rng import Noise
from playground.runtime.run import last_frame
from playground.tabs.compare import passages
from playground.tabs.compare.digits import Models, without_class
from playground.tabs.compare.passages import DESCENT_PART, DESCENT_STEPS, Passage, Progress, with_border
from playground.tabs.vae import codes

FRAMES = 21
DDIM_STEPS = 14  # in each direction


def arc(ends: Tensor) -> Tensor:
    """Return the codes on the arc between two ends (2, ...), both included: (FRAMES, ...)."""
    start, end = ends.flatten(1)
    return interpolation.slerp(start, end, FRAMES).view(-1, *ends.shape[1:])


def fade(models: Models, ends: Tensor, seed: int) -> Iterator[Progress]:
    """Fade one picture into the other."""
    start, end = ends.flatten(1)
    yield Progress(
        interpolation.lerp(start, end, FRAMES).view(-1, *ends.shape[1:]), "No model: one fades into the other."
    )


@torch.no_grad()
def decode(models: Models, ends: Tensor, seed: int) -> Iterator[Progress]:
    """Decode the arc between the codes of the VAE's encoder."""
    model = models.vae
    mu, _ = model.encode(mnist.crop(ends))
    yield Progress(codes.decode(model, arc(mu)), f"Between their codes of {mu.shape[1]} numbers, decoded.")


@torch.no_grad()
def undo_layers(models: Models, ends: Tensor, seed: int) -> Iterator[Progress]:
    """Take the arc between the noise that the flow makes of both ends back through its layers."""
    model = models.flow
    z, _ = model.encode(normalizing_flow.dequantize(model, mnist.crop(ends)).y)
    images = normalizing_flow.logits_to_images(last_frame(model.decode_steps(arc(z))).x)
    yield Progress(images, "Between their noises, back through the layers.")


def generate(models: Models, ends: Tensor, seed: int) -> Iterator[Progress]:
    """Generate from the arc between the codes whose pictures are nearest to the ends."""
    model = models.gan
    for frame in gan.project(model, ends, DESCENT_STEPS, seed):
        if frame.step % DESCENT_PART == 0:
            first, last = frame.extras["loss"].sqrt().tolist()
            with torch.no_grad():
                images = model.generator(arc(frame.extras["z"]))
            yield Progress(images, f"Between the codes of the nearest pictures, {first:.2f} and {last:.2f} off.")


@torch.no_grad()
def follow_ddim(models: Models, ends: Tensor, seed: int) -> Iterator[Progress]:
    """Take both ends by DDIM to noise, and the arc between these back."""
    model, noise = models.ddpm, ends
    times, text = (
        model.schedule.timesteps(DDIM_STEPS),
        f"Between their noises, {DDIM_STEPS} steps of DDIM there and back.",
    )
    for frame in ddim_inversion(without_class(model, 2, clip=False), ends, model.schedule, times):
        noise = frame.x
        yield Progress(arc(noise), text)
    for frame in ddim(without_class(model, FRAMES, clip=False), arc(noise), model.schedule, times, Noise(seed, 1)):
        yield Progress(frame.x, text)


# Their functions take both ends (2, 1, 32, 32), and tell all pictures of the path so far.
PATHS = (
    Passage("Pixels", 1, fade),
    Passage("VAE", 1, decode),
    Passage("Flow", 1, undo_layers),
    Passage("GAN", DESCENT_STEPS // DESCENT_PART + 1, generate),
    Passage("DDIM", 2 * DDIM_STEPS + 2, follow_ddim),
)


def run(models: Models, ends: Tensor, seed: int) -> Iterator[tuple[str, Progress]]:
    """Yield the progress of all paths between two digits (2, 1, 32, 32), with a border all, each with the title of its
    path; of one whose model is missing an entry without pictures that says so."""
    for title, (images, sentence) in passages.run(PATHS, models, ends, seed):
        yield title, Progress(with_border(images).clamp(-1, 1), sentence)
