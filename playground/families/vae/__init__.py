"""The variational autoencoder (Kingma and Welling 2014): model, bounds, objectives and sampling."""

from playground.families.vae.bounds import (
    bits_by_elbo,
    compute_terms,
    elbo_terms,
    importance_weighted_bound,
    sample_terms,
)
from playground.families.vae.model import INACTIVE_NATS, Config, Model
from playground.families.vae.objectives import Objective, loss
from playground.families.vae.sampling import Settings, sample, sample_prior
from playground.runtime.family import Family

FAMILY = Family("vae", "Variational autoencoder", Config, Model, Settings, sample)
