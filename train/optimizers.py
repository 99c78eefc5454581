"""The optimizers that a recipe can choose."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch
from pytorch_optimizer import Muon
from torch import nn

if TYPE_CHECKING:
    from train.options import Options

HIDDEN = 16  # rows and columns: with fewer, a matrix is taken to be of a first or a last layer


def adamw(model: nn.Module, options: "Options") -> torch.optim.Optimizer:
    """Return AdamW. Loshchilov 2019, "Decoupled Weight Decay Regularization"."""
    return torch.optim.AdamW(model.parameters(), options.lr, options.betas, weight_decay=options.weight_decay)


def muon(model: nn.Module, options: "Options") -> torch.optim.Optimizer:
    """Return Muon: steps of hidden matrices, convolutions among them, are orthogonal and as large as AdamW's (Jordan
    2024; Liu 2025, "Muon is Scalable for LLM Training"); AdamW takes the rest."""
    hidden, remaining = list[nn.Parameter](), list[nn.Parameter]()
    for parameter in model.parameters():
        is_hidden = parameter.dim() >= 2 and min(len(parameter), parameter[0].numel()) >= HIDDEN
        (hidden if is_hidden else remaining).append(parameter)
    kwargs = {"lr": options.lr, "weight_decay": options.weight_decay}
    return Muon(
        [
            {"params": hidden, "use_muon": True, "use_adjusted_lr": True, **kwargs},
            {"params": remaining, "use_muon": False, "betas": options.betas, **kwargs},
        ]
    )


Optimizer = Literal["adamw", "muon"]
OPTIMIZERS: dict[Optimizer, Callable[[nn.Module, "Options"], torch.optim.Optimizer]] = {"adamw": adamw, "muon": muon}
