"""Normalizing flows (Dinh 2017; Kingma 2018; Durkan 2019): layers, model and sampling."""

from playground.families.normalizing_flow.likelihood import bits_per_dimension, dequantize
from playground.families.normalizing_flow.model import LEVELS, Config, Dequantized, Model, logits_to_images
from playground.families.normalizing_flow.sampling import Settings, sample, to_double, to_images
from playground.runtime.family import Family

FAMILY = Family("normalizing_flow", "Normalizing flow", Config, Model, Settings, sample, to_images=to_images)
