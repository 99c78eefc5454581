"""The terms of the evidence lower bound, the importance-weighted bound, and the parts of the KL divergence.

x is an image, z its code with q(z|x) = N(mu, diag(sigma^2)), and p(z) = N(0, I). Everything is in nats an image.
Shapes: B batch, Z latent dimensions, K samples of z for an image.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


class Pass(NamedTuple):
    """One pass of images through the model.

    Attributes:
        mu, log_var: of q(z|x), (B, Z).
        z: codes drawn from it (K, B, Z).
        out: what the decoder makes of them (K, B, C, H, W).
    """

    mu: Tensor
    log_var: Tensor
    z: Tensor
    out: Tensor


class Terms(NamedTuple):
    """What every bound is made of.

    Attributes:
        reconstruction: log p(x|z) (K, B).
        kl: KL(q(z|x) || p(z)), analytic, of each dimension (B, Z). Kingma and Welling 2014, appendix B.
        log_ratio: log p(z) - log q(z|x) at the codes drawn (K, B).
    """

    reconstruction: Tensor
    kl: Tensor
    log_ratio: Tensor

    @property
    def elbo(self) -> Tensor:
        """The evidence lower bound (B,). Kingma and Welling 2014, eq. 7."""
        return self.reconstruction.mean(0) - self.kl.sum(1)

    @property
    def iwae(self) -> Tensor:
        """The importance-weighted bound of K samples (B,). Burda 2016, eq. 8."""
        return (self.reconstruction + self.log_ratio).logsumexp(0) - math.log(len(self.reconstruction))


def terms(made: Pass, reconstruction: Tensor) -> Terms:
    """The terms of a pass, with log p(x|z) of its codes (K, B)."""
    mu, log_var, z, _ = made
    kl = standard_kl(mu, log_var)
    log_ratio = standard_log_density(z) - normal_log_density(z, mu, log_var)
    return Terms(reconstruction, kl, log_ratio.sum(2))


def standard_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mu, exp(log_var)) || N(0, 1)), item by item. Kingma and Welling 2014, appendix B."""
    return (mu.square() + log_var.exp() - log_var - 1) / 2


def normal_log_density(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """log N(x; mean, exp(log_var)), item by item."""
    return -(math.log(2 * math.pi) + log_var + (x - mean).square() * (-log_var).exp()) / 2


def standard_log_density(z: Tensor) -> Tensor:
    """log N(z; 0, 1), item by item."""
    return -(math.log(2 * math.pi) + z.square()) / 2


class Split(NamedTuple):
    """The KL of the ELBO in three parts, scalars. Chen 2018, "Isolating Sources of Disentanglement", eq. 2.

    Attributes:
        index_code: mutual information of image and code.
        total_correlation: how far the dimensions are from independent of each other.
        dimension_wise: KL of each dimension to the prior, summed.
    """

    index_code: Tensor
    total_correlation: Tensor
    dimension_wise: Tensor


def split(made: Pass, n: int) -> Split:
    """The parts, from the first of the K codes; they sum to the Monte Carlo estimate of the KL exactly.

    Args:
        n: images in the data set. q(z) and q(z_j) are weighed over the batch: Chen 2018, eq. S6 (stratified sampling),
            made symmetric. For small batches they are far from exact: an objective, not a measurement.
    """
    z, b = made.z[0], len(made.mu)
    each = normal_log_density(z[:, None], made.mu[None], made.log_var[None])  # (B, B, Z): log q(z_i | x_j)
    weights = stratified(b, n).to(z)[..., None]  # (B, B, 1)
    log_qz = (weights[..., 0] + each.sum(2)).logsumexp(1)  # (B,)
    log_qz_j = (weights + each).logsumexp(1).sum(1)
    log_qzx = each.diagonal().sum(0)
    log_pz = standard_log_density(z).sum(1)
    return Split((log_qzx - log_qz).mean(), (log_qz - log_qz_j).mean(), (log_qz_j - log_pz).mean())


def stratified(b: int, n: int) -> Tensor:
    """Logarithms of the weights with which a batch of b stands for n images, a row for each code: (B, B).

    The image that the code came from counts 1/n; the others share what is left.
    """
    if b == 1:
        return torch.zeros(1, 1)
    log_weights = torch.full((b, b), math.log((n - 1) / (n * (b - 1))))
    return log_weights.fill_diagonal_(-math.log(n))
