"""How far each dimension of a code stands for one factor of the data, by three measures between 0 and 1.

All take codes (N, Z), the means of q(z|x), and the factors (N, K) that the pictures were drawn from, as indices.
Implementations of these measures have been disputed: tests/test_disentanglement.py holds them against codes whose
score is known.
"""

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier

Array = np.ndarray


def factor_vae(codes: Array, factors: Array, votes: int = 10_000, batch: int = 64, seed: int = 0) -> float:
    """Kim and Mnih 2018, "Disentangling by Factorising", section 4.

    Of pictures that share one factor, the dimension that varies least (for its own variance) votes for that factor.
    The score is the accuracy of the best such rule, learned from half of the votes, on the other half. Batches are
    drawn from the pictures given.
    """
    rng = np.random.default_rng(seed)
    used = codes.std(0) > 0.05  # as in Locatello 2019: a dimension that hardly varies would win every vote
    if not used.any():
        return 0.0
    scaled = codes[:, used] / codes[:, used].std(0)
    members = [[np.flatnonzero(column == value) for value in np.unique(column)] for column in factors.T]
    table = np.zeros((2, scaled.shape[1], factors.shape[1]), int)  # learned from, tested on
    for vote in range(votes):
        factor = rng.integers(factors.shape[1])
        alike = members[factor][rng.integers(len(members[factor]))]
        table[vote % 2, scaled[rng.choice(alike, batch)].var(0).argmin(), factor] += 1
    rule = table[0].argmax(1)
    return float(table[1][np.arange(len(rule)), rule].sum() / table[1].sum())


def dci(codes: Array, factors: Array, train: int = 10_000, trees: int = 100, seed: int = 0) -> float:
    """The disentanglement of Eastwood and Williams 2018, "A Framework for the Quantitative Evaluation", section 3.

    Importances are those of boosted trees that tell each factor from the codes, as in Locatello 2019.
    """
    boosted = [GradientBoostingClassifier(n_estimators=trees, random_state=seed) for _ in factors.T]
    fitted = [each.fit(codes[:train], column[:train]) for each, column in zip(boosted, factors.T, strict=True)]
    return disentanglement(np.stack([each.feature_importances_ for each in fitted], axis=1))


def disentanglement(importance: Array) -> float:
    """One minus the entropy of what each dimension is important for, weighed by its importance: of (Z, K)."""
    total = importance.sum(1, keepdims=True)
    share = importance / np.maximum(total, 1e-12)
    entropy = -(share * np.log(np.maximum(share, 1e-12))).sum(1) / np.log(importance.shape[1])
    return float(((1 - entropy) * total[:, 0]).sum() / total.sum())


def mig(codes: Array, factors: Array, bins: int = 20) -> float:
    """The mutual information gap of Chen 2018, "Isolating Sources of Disentanglement", eq. 6.

    Codes are cut into bins of equal width, as in Locatello 2019.
    """
    cut = np.stack([np.digitize(z, np.histogram_bin_edges(z, bins)[:-1]) for z in codes.T], axis=1)
    gaps = []
    for factor in factors.T:
        information = sorted([0.0, *(mutual_information(z, factor) for z in cut.T)])
        gaps.append((information[-1] - information[-2]) / entropy(np.unique(factor, return_counts=True)[1]))
    return float(np.mean(gaps))


def mutual_information(a: Array, b: Array) -> float:
    """Of two columns of indices (N,), in nats."""
    pairs = np.unique(np.stack([a, b]), axis=1, return_counts=True)[1]
    alone = [entropy(np.unique(column, return_counts=True)[1]) for column in (a, b)]
    return sum(alone) - entropy(pairs)


def entropy(counts: Array) -> float:
    """Of the distribution with these counts, in nats."""
    p = counts / counts.sum()
    return float(-(p * np.log(p)).sum())
