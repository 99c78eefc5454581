"""What the endpoints that read a picture tell of it."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from playground.api import reading
from playground.datasets import mnist
from playground.families import vae
from playground.runtime import checkpoint, pictures
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng


def test_the_terms_of_a_reconstruction_are_those_of_the_elbo(tmp_path: Path) -> None:
    """Not log p(x|z) at the mean of q(z|x), which is higher than its mean over q(z|x)."""
    paths, picture = Paths(checkpoint.WEIGHTS, tmp_path), tmp_path / "seven.png"
    digit = mnist.load(tmp_path, "test", subset=slice(1))[0]
    Image.fromarray(255 - pictures.to_uint8(digit)[0, ..., 0]).resize((280, 280)).save(picture)
    ((_, answer),) = reading.reconstruct(lambda name: tmp_path / name, paths, picture, False, "vae-digits")
    model, x = reading.load(paths, "vae-digits", picture, False)
    assert isinstance(model, vae.Model)
    with torch.no_grad():
        bound = torch.cat([part.elbo for part in vae.sample_terms(model, x, 2_000, make_rng(9))]).mean().item()
        mu, _ = model.encode(x)
        at_mean = model.log_likelihood(x, model.decode(mu)[None]).item()
    assert answer["reconstruction"] - answer["kl"] == pytest.approx(bound, abs=1)
    assert answer["reconstruction"] < at_mean - 3
