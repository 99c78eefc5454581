"""Embeddings of the time of a diffusion model."""

import math

import torch
from torch import Tensor, nn


def sinusoidal_embedding(t: Tensor, dim: int, max_period: float = 10_000.0) -> Tensor:
    """Embed t (B,) as cosines and sines of geometrically spaced frequencies (Vaswani 2017): (B, dim)."""
    half = dim // 2
    frequencies = torch.exp(-math.log(max_period) * torch.arange(half, device=t.device) / half)
    angles = t.float()[:, None] * frequencies  # (B, dim / 2)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def make_time_network(width: int, emb_dim: int) -> nn.Sequential:
    """Return the network from the sinusoidal embedding of a time (B, width) to what the blocks of a U-Net take
    (B, emb_dim)."""
    return nn.Sequential(nn.Linear(width, emb_dim), nn.SiLU(), nn.Linear(emb_dim, emb_dim))
