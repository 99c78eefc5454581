"""The exponential moving average of a network's weights, with a decay that warms up."""

from functools import partial

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def ema(network: nn.Module, decay: float) -> AveragedModel:
    """Return an exponential moving average of a network's weights, which begins as their copy at its first update."""
    return AveragedModel(network, multi_avg_fn=partial(update_average, decay))


def ema_decay(n: int, decay: float) -> float:
    """Return the decay of the moving average after n updates, which warms up as in diffusers' `EMAModel`.

    It rises from 2/11, at n = 1, to `decay`. Until then, the average spans about the last tenth of the steps: with a
    fixed decay, the weights of the first step would be most of the average of a short run.
    """
    return min(decay, (1 + n) / (10 + n))


def update_average(decay: float, averages: list[Tensor], weights: list[Tensor], n: Tensor) -> None:
    """Update the moving average of the weights after n updates, as `AveragedModel` asks for."""
    get_ema_multi_avg_fn(ema_decay(int(n), decay))(averages, weights, n)
