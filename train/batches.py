"""The order in which a run sees its data: a permutation for each epoch, cut into batches."""

from functools import lru_cache

import torch
from torch import Tensor

from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError


@lru_cache(maxsize=1)
def epoch_order(n: int, seed: int, epoch: int) -> Tensor:
    """Return the permutation (n,) of an epoch; the last one is cached, since every step of an epoch asks for it."""
    return torch.randperm(n, generator=make_rng(seed, epoch))


def batch_indices(n: int, batch_size: int, batch: int, seed: int, process: int = 0, processes: int = 1) -> Tensor:
    """Return the indices, among n items, of a batch of a process; a step takes one batch, or `accumulate`. Raise
    UserError if a batch is larger than the data set."""
    per_epoch = n // batch_size
    if per_epoch == 0:
        raise UserError(f"a batch of {batch_size} is more than the {n} items there are")
    epoch, index = divmod(batch, per_epoch)
    return epoch_order(n, seed, epoch)[index * batch_size : (index + 1) * batch_size][process::processes]
