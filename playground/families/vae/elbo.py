"""Terms of the evidence lower bound, the importance-weighted bound, and the decomposition of the KL divergence.

x is an image, z its code with q(z|x) = N(mu, diag(sigma^2)), and p(z) = N(0, I). All values are in nats per image.
Shapes: B batch, Z latent dimensions, K samples of z per image.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Normal


class VAEOutput(NamedTuple):
    """Output of a forward pass."""

    # Parameters of q(z|x) (B, Z).
    mu: Tensor
    log_var: Tensor
    z: Tensor  # codes sampled from it (K, B, Z)
    out: Tensor  # decoder outputs for these codes (K, B, C, H, W)


class Terms(NamedTuple):
    """Terms of the bounds."""

    reconstruction: Tensor  # log p(x|z) (K, B)
    kl: Tensor  # KL(q(z|x) || p(z)) of each dimension in closed form (B, Z). Kingma and Welling 2014, appendix B
    log_ratio: Tensor  # log p(z) - log q(z|x) at the sampled codes (K, B)

    @property
    def elbo(self) -> Tensor:
        """Return the evidence lower bound (B,). Kingma and Welling 2014, eq. 7."""
        return self.reconstruction.mean(0) - self.kl.sum(1)

    @property
    def iwae(self) -> Tensor:
        """Return the importance-weighted bound of K samples (B,). Burda 2016, eq. 8."""
        return (self.reconstruction + self.log_ratio).logsumexp(0) - math.log(len(self.reconstruction))


def compute_terms(output: VAEOutput, reconstruction: Tensor) -> Terms:
    """Return the terms of a forward pass, given log p(x|z) of its codes (K, B)."""
    mu, log_var, z, _ = output
    log_ratio = standard_log_density(z) - normal_log_density(z, mu, log_var)
    return Terms(reconstruction, standard_kl(mu, log_var), log_ratio.sum(2))


def standard_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(mu, exp(log_var)) || N(0, 1)) elementwise. Kingma and Welling 2014, appendix B."""
    return (mu.square() + log_var.exp() - log_var - 1) / 2


def normal_log_density(x: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """Return log N(x; mean, exp(log_var)) elementwise."""
    return Normal(mean, (log_var / 2).exp(), validate_args=False).log_prob(x)


def standard_log_density(z: Tensor) -> Tensor:
    """Return log N(z; 0, 1) elementwise."""
    return Normal(0.0, 1.0, validate_args=False).log_prob(z)


def bits_per_dimension(log_p: Tensor, dimensions: int) -> Tensor:
    """Return log p of images or a bound of it (B,), in nats, as bits per dimension: more bits are less likely."""
    return -log_p / (dimensions * math.log(2))


class KLDecomposition(NamedTuple):
    """Decomposition of the KL term into three scalars. Chen 2018, "Isolating Sources of Disentanglement", eq. 2."""

    index_code: Tensor  # mutual information of image and code
    total_correlation: Tensor  # dependence between the dimensions of the code
    dimension_wise: Tensor  # KL of each dimension to the prior, summed


def decompose_kl(output: VAEOutput, n: int) -> KLDecomposition:
    """Estimate the three parts of the KL from the first of the K codes; they sum to its Monte Carlo estimate exactly.

    Args:
        n: Images in the data set, at least 2. q(z) and q(z_j) are weighted means over the batch: Chen 2018, eq. S6
            (stratified sampling), made symmetric. For small batches they are far from exact: an objective, not a
            measurement.
    """
    z, b = output.z[0], len(output.mu)
    log_q = normal_log_density(z[:, None], output.mu[None], output.log_var[None])  # log q(z_i | x_j): (B, B, Z)
    weights = stratified_log_weights(b, n).to(z)[..., None]  # (B, B, 1)
    log_qz = (weights[..., 0] + log_q.sum(2)).logsumexp(1)  # (B,)
    log_qz_j = (weights + log_q).logsumexp(1).sum(1)
    log_qzx = log_q.diagonal().sum(0)
    log_pz = standard_log_density(z).sum(1)
    return KLDecomposition((log_qzx - log_qz).mean(), (log_qz - log_qz_j).mean(), (log_qz_j - log_pz).mean())


def stratified_log_weights(b: int, n: int) -> Tensor:
    """Return log-weights (B, B) by which a batch of b images represents a data set of n, a row for each code.

    The image of the code itself has weight 1/n; the others of the batch share the remaining weight equally.
    """
    if b == 1:
        return torch.zeros(1, 1)
    log_weights = torch.full((b, b), math.log((n - 1) / (n * (b - 1))))
    return log_weights.fill_diagonal_(-math.log(n))
