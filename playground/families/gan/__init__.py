"""Generative adversarial networks (Goodfellow 2014): model, losses, training steps and sampling."""

from playground.families.gan.model import N_LOGITS, Config, Discriminator, GrowthStage, Model, discriminator_logits
from playground.families.gan.projection import project
from playground.families.gan.sampling import Settings, labels, sample, sample_prior
from playground.families.gan.training import discriminator_loss, generator_loss, growth_stage, resize_to_stage
from playground.runtime.family import Family

FAMILY = Family("gan", "Generative adversarial network", Config, Model, Settings, sample, labels=labels)
