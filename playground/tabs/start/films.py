"""Short films of what a model of each family does."""

import base64
import io
import math
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from playground.export import media
from playground.families import gan, normalizing_flow, vae
from playground.families.score_matching import particles
from playground.runtime import pictures
from playground.runtime.paths import Paths
from playground.runtime.recording import subsample
from playground.tabs.ddpm import runs as ddpm_runs
from playground.tabs.gan import variants
from playground.tabs.latent_diffusion import runs as text_runs
from playground.tabs.normalizing_flow import likelihood
from playground.tabs.score_matching import langevin_runs
from playground.tabs.vae import codes

Film = Callable[[Paths], np.ndarray]  # function that returns the frames of a film, uint8 (F, H, W, C)

N, COLUMNS = 10, 5  # digits of a film
FRAMES = 40  # of a film of codes


def around(z: Tensor, across: Tensor, decode: Callable[[Tensor], Tensor]) -> np.ndarray:
    """Return the film of codes (B, Z) on their way round the circle through `across`: wherever they are on it, codes
    from N(0, I) are distributed like that."""
    angles = torch.arange(FRAMES) * (2 * math.pi / FRAMES)
    return stack(decode(angle.cos() * z + angle.sin() * across) for angle in angles)


def stack(run: Iterable[Tensor]) -> np.ndarray:
    """Return the film of a run's images (B, C, H, W) in [-1, 1]."""
    return np.stack([pictures.make_grid(pictures.to_uint8(x), COLUMNS) for x in run])


@torch.no_grad()
def vae_film(paths: Paths) -> np.ndarray:
    """Return digits that change with their codes."""
    model = codes.CHECKPOINTS.load(paths, "")
    z, across = (vae.sample_prior(model, vae.Settings(n=N, seed=seed)) for seed in range(2))
    return around(z, across, lambda z: model.mean(model.decode(z)))


@torch.no_grad()
def gan_film(paths: Paths) -> np.ndarray:
    """Return digits that a generator makes of codes on their way."""
    model, settings = variants.CHECKPOINTS.load(paths, ""), gan.Settings(n=N)
    z, across = (gan.sample_prior(model.config.latent, gan.Settings(n=N, seed=seed)) for seed in range(2))
    return around(z, across, lambda z: model.generator(z, gan.labels(model, settings)))


def score_film(paths: Paths) -> np.ndarray:
    """Return particles that follow the score out of noise, of two densities whose score was learned."""
    densities = list(langevin_runs.learned_densities(paths)) or ["grid"]  # which raises, if there is none
    return np.concatenate([_follow_score(paths, data) for data in densities[:2]], axis=2)


def _follow_score(paths: Paths, data: str) -> np.ndarray:
    params = langevin_runs.ViewParams(data=data, score=langevin_runs.LEARNED, sampler="annealed", seed=1)
    run = list(particles.sample(langevin_runs.score_of(paths, params), params.settings))
    density = params.settings.density
    return np.stack([langevin_runs.draw_particles(density, frame) for frame in subsample(run, FRAMES)])


def ddpm_film(paths: Paths) -> np.ndarray:
    """Return digits that come out of noise, the run that the tab shows first."""
    run = ddpm_runs.first(paths, ddpm_runs.CHECKPOINTS.first_name(paths))
    return np.stack([pictures.make_grid(frame, COLUMNS) for frame in run.x])


def text_film(paths: Paths) -> np.ndarray:
    """Return the pictures that a prompt becomes, the run that the tab shows first."""
    name = text_runs.CHECKPOINTS.first_name(paths)
    model, run = text_runs.load_model(paths, name), text_runs.first(paths, name)
    strip, *_ = text_runs.strips(model, run, text_runs.LATENT)
    return np.stack([pictures.make_grid(frame, len(frame)) for frame in strip.frames])


@torch.no_grad()
def flow_film(paths: Paths) -> np.ndarray:
    """Return noise that becomes digits, layer by layer."""
    model = likelihood.CHECKPOINTS.load(paths, "")
    run = normalizing_flow.sample(model, normalizing_flow.Settings(n=N, temperature=0.7))
    return stack(normalizing_flow.to_images(model, frame) for frame in run)


def to_html(film: np.ndarray, alt: str) -> str:
    """Return a film, uint8 (F, H, W, C), as an animation that plays once, and rests for those who want no motion."""
    images = [pictures.to_pil(frame) for frame in film]
    durations = media.frame_durations(len(images))
    moving, still = io.BytesIO(), io.BytesIO()
    images[0].save(moving, "WEBP", save_all=True, append_images=images[1:], duration=durations, loop=1, quality=40,
                   method=4)  # fmt: skip
    images[-1].save(still, "WEBP", quality=40)
    moving_url, still_url = (
        "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode() for file in (moving, still)
    )
    return (
        f'<picture><source media="(prefers-reduced-motion: reduce)" srcset="{still_url}">'
        f'<img src="{moving_url}" alt="{alt}"></picture>'
    )
