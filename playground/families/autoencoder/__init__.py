"""The autoencoder between pictures and the latents of text to image (Rombach 2022, section 3.1)."""

from playground.families.autoencoder.model import Config, Model, loss
from playground.runtime.family import Family

FAMILY = Family("autoencoder", "Autoencoder of text to image", Config, Model)
