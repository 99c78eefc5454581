"""Seeded noise: image i depends on (seed, i) alone, whatever else is sampled at the same time."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Noise:
    """Standard normal noise from one random generator for each item of a batch.

    Item i depends on (seed, first + i) alone, so an image is the same alone and in a batch, and on every device,
    since the numbers are sampled on the CPU.

    Args:
        seed: Seed of the run.
        n: Batch size B.
        first: Index of the first item.
    """

    def __init__(self, seed: int, n: int, first: int = 0):
        self.rngs = [make_rng(seed, first + i) for i in range(n)]

    def __call__(self, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """Sample noise (B, *shape) for items of a shape."""
        return torch.stack([torch.randn(*shape, generator=rng) for rng in self.rngs]).to(device)


def make_rng(*key: int) -> torch.Generator:
    """Return a random generator on the CPU, seeded with a key of non-negative integers such as (seed, index).

    torch uses only 32 bits of a seed, so the key is hashed to 32 bits: among 100,000 keys two may share a stream.
    """
    state = np.random.SeedSequence([*key, len(key)]).generate_state(1)  # the length tells (s,) from (s, 0)
    return torch.Generator().manual_seed(int(state[0]))
