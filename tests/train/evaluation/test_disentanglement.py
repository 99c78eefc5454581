"""The measures of disentanglement, on codes whose score is known."""

import math

import numpy as np
import pytest

from train.evaluation import disentanglement

COUNTS = (3, 6, 6, 7, 16, 16)


def factors(n: int, counts: tuple[int, ...] = COUNTS, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(count, size=n) for count in counts], axis=1)


def standardized(codes: np.ndarray) -> np.ndarray:
    return (codes - codes.mean(0)) / codes.std(0)


def rotated(codes: np.ndarray) -> np.ndarray:
    """Every dimension mixes all factors alike: a Hadamard rotation, of eight dimensions."""
    h = np.array([[1]])
    for _ in range(3):
        h = np.block([[h, h], [h, -h]])
    wide = np.concatenate([codes, np.random.default_rng(1).normal(size=(len(codes), 8 - codes.shape[1]))], axis=1)
    return wide @ h / math.sqrt(8)


def test_a_perfect_code_scores_1() -> None:
    true = factors(12_000)
    rng = np.random.default_rng(2)
    perfect = standardized(true) + 0.01 * rng.normal(size=true.shape)
    dead = 0.01 * rng.normal(size=(len(true), 4))
    codes = np.concatenate([perfect[:, ::-1], dead], axis=1)  # in another order, with dead dimensions
    assert disentanglement.factor_vae(codes, true, votes=1000) == 1
    assert disentanglement.mig(codes, true) > 0.97
    assert disentanglement.dci(codes, true, train=1000, trees=10) > 0.95


def test_a_rotated_code_scores_near_nothing() -> None:
    true = factors(12_000, (6, 6, 6, 6, 6, 6))
    codes = rotated(standardized(true))
    assert disentanglement.mig(codes, true) < 0.02
    assert disentanglement.dci(codes, true, train=1000, trees=10) < 0.25
    assert disentanglement.factor_vae(codes, true, votes=2000) < 0.35  # six factors: chance is 0.17


def test_a_rotation_of_two_dimensions_costs_just_those() -> None:
    true = factors(12_000, (6, 6, 6, 6))
    codes = standardized(true).copy()
    codes[:, :2] = codes[:, :2] @ np.array([[1, 1], [-1, 1]]) / math.sqrt(2)
    assert disentanglement.mig(codes, true) == pytest.approx(0.5, abs=0.06)


def test_a_factor_that_no_dimension_knows_costs_its_share() -> None:
    true = factors(12_000, (5, 5, 5, 5))
    codes = standardized(true)[:, :3]
    assert disentanglement.mig(codes, true) == pytest.approx(0.75, abs=0.02)
    assert disentanglement.factor_vae(codes, true, votes=4000) == pytest.approx(0.75, abs=0.03)


def test_a_single_dimension_has_a_gap_and_a_code_without_any_no_votes() -> None:
    true = factors(2000, (4,))
    assert disentanglement.mig(standardized(true), true) == pytest.approx(1, abs=0.01)
    assert disentanglement.factor_vae(np.zeros((2000, 3)), true, votes=10) == 0


@pytest.mark.parametrize(
    ("importance", "score"),
    [
        (np.eye(4), 1),
        (np.ones((3, 4)), 0),
        (np.array([[1.0, 0.0], [0.5, 0.5]]), 0.5),
        (np.array([[3.0, 0.0], [0.5, 0.5]]), 0.75),  # weighed by importance
        (np.array([[1.0, 0.0], [0.0, 0.0]]), 1),  # a dead dimension costs nothing
    ],
)
def test_disentanglement_is_an_entropy(importance: np.ndarray, score: float) -> None:
    assert disentanglement.disentanglement(importance) == pytest.approx(score, abs=1e-6)


def test_mutual_information_is_that_of_known_tables() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(4, size=50_000)
    assert disentanglement.mutual_information(a, a) == pytest.approx(math.log(4), abs=1e-3)
    assert disentanglement.mutual_information(a, a // 2) == pytest.approx(math.log(2), abs=1e-3)
    assert disentanglement.mutual_information(a, rng.integers(4, size=50_000)) == pytest.approx(0, abs=1e-3)
