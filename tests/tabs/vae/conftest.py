"""Fixtures of the VAE tab: a folder of tiny checkpoints, an image with its code, and the tab."""

from pathlib import Path

import gradio as gr
import pytest
import torch
from tiny_vae import CONFIG, TRAINED

from playground.families import vae
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.tabs.vae import VAETab, betas, codes
from playground.tabs.vae.codes import EncodedImage, ViewParams


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A folder with the tab's checkpoints, tiny."""
    for seed, (beta, name) in enumerate(betas.BETAS.items()):
        torch.manual_seed(seed)
        model = vae.Model(CONFIG).requires_grad_(False)
        model.kl.copy_(torch.tensor([0.5, 2.0, 0.01]))
        model.test_mu.copy_(torch.randn(50, 3, generator=make_rng(seed)) @ torch.diag(torch.tensor([1.0, 3.0, 0.2])))
        model.test_classes.copy_(torch.arange(50) % 10)
        model.test_elbo.copy_(-torch.linspace(50, 150, 50))
        flags = TRAINED | {"objective": {"kind": "elbo", "beta": beta}}
        checkpoint.save(tmp_path / f"{name}.safetensors", model, {"flags": flags})
    return Paths(tmp_path, tmp_path)


@pytest.fixture
def encoded(paths: Paths) -> EncodedImage:
    model = codes.CHECKPOINTS.load(paths, "vae-digits")
    x = torch.rand(1, 1, 28, 28, generator=make_rng(0)) * 2 - 1
    mu, log_var = model.encode(x)
    return EncodedImage(ViewParams(), x, mu[0].detach(), log_var[0].detach(), mu[0].detach())


@pytest.fixture
def tab(paths: Paths) -> VAETab:
    with gr.Blocks():
        return VAETab(paths)
