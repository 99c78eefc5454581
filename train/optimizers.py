"""The optimisers that a recipe can choose."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from pytorch_optimizer import Muon
from torch import nn

HIDDEN = 16  # rows and columns: with fewer, a matrix is taken to be of a first or a last layer


def adamw(model: nn.Module, options: Any) -> torch.optim.Optimizer:
    """Loshchilov 2019, "Decoupled Weight Decay Regularization"."""
    given = {"lr": options.lr, "betas": options.betas, "weight_decay": options.weight_decay}
    return torch.optim.AdamW(model.parameters(), **given)


def muon(model: nn.Module, options: Any) -> torch.optim.Optimizer:
    """Steps of hidden matrices, convolutions among them, are orthogonal, as large as AdamW's would be (Jordan 2024;
    Liu 2025, "Muon is Scalable for LLM Training"); AdamW takes the rest."""
    hidden, rest = list[nn.Parameter](), list[nn.Parameter]()
    for parameter in model.parameters():
        is_hidden = parameter.dim() >= 2 and min(len(parameter), parameter[0].numel()) >= HIDDEN
        (hidden if is_hidden else rest).append(parameter)
    given: dict[str, Any] = {"lr": options.lr, "weight_decay": options.weight_decay}
    return Muon(
        [
            {"params": hidden, "use_muon": True, "use_adjusted_lr": True, **given},
            {"params": rest, "use_muon": False, "betas": options.betas, **given},
        ]
    )


Optimizer = Literal["adamw", "muon"]
OPTIMIZERS: dict[Optimizer, Callable[[nn.Module, Any], torch.optim.Optimizer]] = {"adamw": adamw, "muon": muon}
