"""Three measures of disentanglement in [0, 1]: the degree to which a dimension of a code stands for one factor.

All take codes (N, Z), the means of q(z|x), and the factors (N, K) that the pictures were rendered from, as indices.
Published implementations of these measures disagree, so `tests/train/evaluation` compares them on codes of known score.
"""

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier

Array = np.ndarray


def factor_vae(codes: Array, factors: Array, votes: int = 10_000, batch: int = 64, seed: int = 0) -> float:
    """Return the FactorVAE score of Kim and Mnih 2018, "Disentangling by Factorising", section 4.

    Among pictures that share one factor, the dimension that varies least, relative to its variance, votes for that
    factor. The score is the accuracy on half of the votes of the best such rule, learned from the other half.
    """
    rng = np.random.default_rng(seed)
    active = codes.std(0) > 0.05  # as in Locatello 2019: a dimension that hardly varies would win every vote
    if not active.any():
        return 0.0
    scaled = codes[:, active] / codes[:, active].std(0)
    indices = [[np.flatnonzero(column == value) for value in np.unique(column)] for column in factors.T]
    table = np.zeros((2, scaled.shape[1], factors.shape[1]), int)  # votes to learn from, and to test on
    for vote in range(votes):
        factor = rng.integers(factors.shape[1])
        index = indices[factor][rng.integers(len(indices[factor]))]
        table[vote % 2, scaled[rng.choice(index, batch)].var(0).argmin(), factor] += 1
    rule = table[0].argmax(1)
    return float(table[1][np.arange(len(rule)), rule].sum() / table[1].sum())


def dci(codes: Array, factors: Array, train: int = 10_000, trees: int = 100, seed: int = 0) -> float:
    """Return the disentanglement of Eastwood and Williams 2018, "A Framework for the Quantitative Evaluation", sec. 3.

    Importances are those of boosted trees that predict each factor from the codes, as in Locatello 2019.
    """
    boosted = [GradientBoostingClassifier(n_estimators=trees, random_state=seed) for _ in factors.T]
    fitted = [booster.fit(codes[:train], column[:train]) for booster, column in zip(boosted, factors.T, strict=True)]
    return disentanglement(np.stack([booster.feature_importances_ for booster in fitted], axis=1))


def disentanglement(importance: Array) -> float:
    """Return one minus the entropy of each dimension's importance over factors, weighted, from importances (Z, K)."""
    total = importance.sum(1, keepdims=True)
    share = importance / np.maximum(total, 1e-12)
    entropy = -(share * np.log(np.maximum(share, 1e-12))).sum(1) / np.log(importance.shape[1])
    return float(((1 - entropy) * total[:, 0]).sum() / total.sum())


def mig(codes: Array, factors: Array, bins: int = 20) -> float:
    """Return the mutual information gap of Chen 2018, "Isolating Sources of Disentanglement", eq. 6.

    Codes are cut into bins of equal width, as in Locatello 2019.
    """
    binned = np.stack([np.digitize(z, np.histogram_bin_edges(z, bins)[:-1]) for z in codes.T], axis=1)
    gaps = []
    for factor in factors.T:
        information = sorted([0.0, *(mutual_information(z, factor) for z in binned.T)])
        gaps.append((information[-1] - information[-2]) / entropy(np.unique(factor, return_counts=True)[1]))
    return float(np.mean(gaps))


def mutual_information(a: Array, b: Array) -> float:
    """Return the mutual information of two columns of indices (N,), in nats."""
    pairs = np.unique(np.stack([a, b]), axis=1, return_counts=True)[1]
    marginals = [entropy(np.unique(column, return_counts=True)[1]) for column in (a, b)]
    return sum(marginals) - entropy(pairs)


def entropy(counts: Array) -> float:
    """Return the entropy of the distribution with these counts, in nats."""
    p = counts / counts.sum()
    return float(-(p * np.log(p)).sum())
