"""Models of the VAE tab for its tests."""

from playground.families import vae
from playground.tabs.vae.choice import Choice
from playground.tabs.vae.codes import ViewParams

TRAINED = {"dataset": "digits", "objective": {"kind": "elbo", "beta": 1.0}}
CONFIG = vae.Config(size=28, latent=3, width=8, multipliers=(1,), patch=4, n_test=50)


def choice(seed: int, to_number: int = 1) -> Choice:
    return Choice.from_params(ViewParams("vae-digits", seed=seed, to_number=to_number))
