"""Denoising diffusion in pixel space (Ho 2020; Song 2021): model, loss and sampling."""

from playground.families.ddpm.model import Config, Model, add_random_noise, loss
from playground.families.ddpm.sampling import Settings, labels, sample
from playground.runtime.family import Family

FAMILY = Family("ddpm", "Diffusion in pixel space", Config, Model, Settings, sample, labels=labels, has_steps=True)
