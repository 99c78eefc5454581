"""One picture through every family: each takes it in by its own means, and gives back what it can."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from playground.datasets import mnist
from playground.datasets.idx import SPLIT_SIZES
from playground.diffusion.samplers import ddim, ddim_inversion
from playground.families import gan, vae
from playground.families.score_matching import likelihood, samplers
from playground.runtime.rng import Noise, make_rng
from playground.runtime.validation import UserError
from playground.tabs.compare.digits import Models, score_of, without_class
from playground.tabs.normalizing_flow import layer_trajectory
from playground.tabs.vae import codes
from playground.web import neighbours

ELBO_SAMPLES = 100
DESCENT_STEPS, DESCENT_PART = 80, 4  # of the GAN's projection, and of it those that count as one step of the run
DDIM_STEPS = 20  # in each direction
SIGMA, EVALUATIONS = 1.0, 20  # of the noise that the score takes away, and of the score meanwhile
FLOW_EVALUATIONS = 40  # of the score on the probability flow


class Progress(NamedTuple):
    """New pictures (K, 1, H, W) on a family's way to its result, and what can be said of the result so far."""

    images: Tensor
    sentence: str


class Passage(NamedTuple):
    """Passage of a picture, or of several, through a family."""

    title: str
    steps: int  # how often it tells its progress
    # Function of the models, the pictures (B, 1, 32, 32) and a seed.
    run: Callable[[Models, Tensor, int], Iterator[Progress]]


def error(image: Tensor, x: Tensor) -> float:
    """Return the root mean square error of an image, with or without the border; black to white is 2."""
    return (with_border(image) - x).square().mean().sqrt().item()


def with_border(images: Tensor) -> Tensor:
    """Return digits (B, 1, H, W) with the border of two pixels."""
    return images if images.shape[-1] == mnist.SIZE else mnist.pad(images)


@torch.no_grad()
def reconstruct(models: Models, x: Tensor, seed: int) -> Iterator[Progress]:
    """Decode the VAE's code of the picture, from no number of it to all, those that say most first."""
    model, cropped = models.vae, mnist.crop(x)
    mu, _ = model.encode(cropped)
    mask = torch.zeros(1 + mu.shape[1], mu.shape[1])
    for count, dimension in enumerate(codes.order(model), 1):
        mask[count:, dimension] = 1
    images = codes.decode(model, mask * mu)
    bits = vae.bits_by_elbo(model, cropped, ELBO_SAMPLES, make_rng(seed)).item()
    yield Progress(images[:1], "The decoder knows none of the code's numbers yet.")
    yield Progress(
        images[1:],
        f"{mu.shape[1]} numbers bring it back, a little smoothed: error {error(images[-1:], x):.2f}. "
        f"Likelihood: at most {bits:.2f} bits per dimension, by the ELBO.",
    )


def round_trip(models: Models, x: Tensor, seed: int) -> Iterator[Progress]:
    """Take the picture through the layers of the flow to noise, and back."""
    trip = layer_trajectory.round_trip(models.flow, mnist.crop(x))
    yield Progress(
        trip.images.float(),
        f"Through {trip.turn} layers to noise and back: no pixel is off by {layer_trajectory.above(trip.error)} or "
        f"more. Likelihood: {trip.bits[trip.turn]:.2f} bits per dimension.",
    )


def project(models: Models, x: Tensor, seed: int) -> Iterator[Progress]:
    """Descend to the GAN's nearest picture."""
    start = None
    for frame in gan.project(models.gan, x, DESCENT_STEPS, seed):
        rms = error(frame.x, x)
        start = rms if start is None else start
        if frame.step % DESCENT_PART == 0:
            yield Progress(
                frame.x,
                f"No encoder: a search of {frame.step} steps brings the error from {start:.2f} to {rms:.2f}. "
                "A GAN has no likelihood.",
            )


@torch.no_grad()
def invert(models: Models, x: Tensor, seed: int) -> Iterator[Progress]:
    """Take the picture by DDIM to noise, and back."""
    model = models.ddpm
    denoise, times = without_class(model, 1, clip=False), model.schedule.timesteps(DDIM_STEPS)
    noise = x
    for frame in ddim_inversion(denoise, x, model.schedule, times):
        noise = frame.x
        yield Progress(noise, "On the way to its noise.")
    std = noise.std().item()
    for frame in ddim(denoise, noise, model.schedule, times, Noise(seed, 1)):
        yield Progress(
            frame.x,
            f"{DDIM_STEPS} steps of DDIM to noise and {DDIM_STEPS} back: error {error(frame.x, x):.2f}; more steps "
            f"make it smaller. Its noise has a standard deviation of {std:.2f}, unit noise has 1.",
        )


@torch.no_grad()
def denoise(models: Models, x: Tensor, seed: int) -> Iterator[Progress]:
    """Take noise away from the picture by its score, and ask the probability flow for its likelihood."""
    model, noise = models.ddpm, Noise(seed, 1)
    score, noisy = score_of(model, 1), x + SIGMA * noise(x.shape[1:])
    text, none = "", x[:0]
    run = samplers.sample(score, noisy, "reverse diffusion", (likelihood.LOW, SIGMA), EVALUATIONS, 0.3, noise)
    for frame in run:
        text = (
            f"Noise of σ = {SIGMA:g} was added and taken away: error {error(noisy, x):.2f} before, "
            f"{error(frame.x, x):.2f} after. What comes out is a digit that fits the noisy picture."
        )
        yield Progress(frame.x, text)
    for estimate in likelihood.estimate_bits(score, x, FLOW_EVALUATIONS, noise):
        title = f"Likelihood{'' if estimate.is_complete else ' so far'}"
        yield Progress(none, f"{text} {title}: {estimate.bits.item():.2f} bits per dimension, by the probability flow.")


def find_nearest(models: Models, x: Tensor, seed: int) -> Iterator[Progress]:
    """Find the nearest training digit, if these were fetched before."""
    try:
        (((rms, index),),) = neighbours.find_nearest(x, neighbours.load_parts(mnist.DATASET, models.paths.data), 1)
    except UserError as failure:
        raise UserError(
            "the training digits are not here: the view Nearest of the tab VAE fetches them once"
        ) from failure
    image, label = mnist.load(models.paths.data, "train", subset=slice(index, index + 1))
    yield Progress(
        image,
        f"The nearest of {SPLIT_SIZES['train']:,} training digits, a {int(label)}: error {rms:.2f}. A model "
        "that comes closer does more than repeat a training digit.",
    )


PASSAGES = (
    Passage("VAE: reconstruction", 2, reconstruct),
    Passage("Flow: to noise and back", 1, round_trip),
    Passage("GAN: projection", DESCENT_STEPS // DESCENT_PART + 1, project),
    Passage("DDIM: inversion and back", 2 * DDIM_STEPS + 2, invert),
    Passage("Score: denoised", samplers.SAMPLERS["reverse diffusion"].steps(EVALUATIONS) + FLOW_EVALUATIONS // 2 + 2,
            denoise),
    Passage("Nearest training digit", 1, find_nearest),
)  # fmt: skip


def run(passages: Sequence[Passage], models: Models, x: Tensor, seed: int) -> Iterator[tuple[str, Progress]]:
    """Yield the progress of all passages of pictures x (B, 1, 32, 32), each with its title; of one whose model is
    missing an entry without pictures that says so."""
    for passage in passages:
        try:
            for progress in passage.run(models, x, seed):
                yield passage.title, progress
        except UserError as failure:
            yield passage.title, Progress(x[:0], f"{failure}")
