"""The measures against known answers, and the table of results on tiny models."""

import json
from math import sqrt

import pytest
import torch
from torch import Tensor, nn

from playground import checkpoint
from playground.data import digits
from playground.models import ddpm, judge
from playground.sampling import generator
from train import evaluate


def gaussian(mean: Tensor, covariance: Tensor, n: int = 500, seed: int = 0) -> Tensor:
    """n points whose sample mean and covariance are exactly these."""
    z = torch.randn(n, len(mean), generator=generator(seed), dtype=torch.float64)
    z = z - z.mean(0)
    white = z @ torch.linalg.inv(torch.linalg.cholesky(z.T.cov())).T
    return mean + white @ torch.linalg.cholesky(covariance).T


def clusters(centres: list[float], n: int, seed: int) -> Tensor:
    """n points around each centre (c, c) of the plane."""
    noise = 0.1 * torch.randn(len(centres), n, 2, generator=generator(seed))
    return (torch.tensor(centres)[:, None, None] + noise).flatten(0, 1)


MEAN_A, COV_A = torch.tensor([1.0, -2.0]).double(), torch.tensor([[2.0, 0.5], [0.5, 1.0]]).double()
MEAN_B, COV_B = torch.tensor([0.5, 1.0]).double(), torch.tensor([[1.0, -0.8], [-0.8, 3.0]]).double()


def test_frechet_distance_is_that_of_gaussians_with_the_same_moments() -> None:
    # The trace of the root of a 2x2 matrix M is sqrt(tr M + 2 sqrt(det M)).
    product = COV_A @ COV_B
    root = sqrt(product.trace() + 2 * sqrt(torch.linalg.det(product)))
    expected = (MEAN_A - MEAN_B).square().sum() + COV_A.trace() + COV_B.trace() - 2 * root
    a, b = gaussian(MEAN_A, COV_A), gaussian(MEAN_B, COV_B, n=300, seed=1)
    assert evaluate.frechet(a, b) == pytest.approx(expected.item(), rel=1e-9)
    assert evaluate.frechet(b, a) == pytest.approx(expected.item(), rel=1e-9)


def test_frechet_distance_is_torchmetrics() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Features(nn.Module):
        num_features = 8

        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1)

    metric = FrechetInceptionDistance(Features(), input_img_size=(2, 2, 2))
    metric.set_dtype(torch.float64)
    real, fake = torch.rand(50, 2, 2, 2, generator=generator(0)), torch.rand(60, 2, 2, 2, generator=generator(1)) ** 2
    metric.update(real, real=True)
    metric.update(fake, real=False)
    assert evaluate.frechet(real.flatten(1), fake.flatten(1)) == pytest.approx(metric.compute().item(), rel=1e-4)


def test_frechet_distance_of_a_set_to_itself_is_0_even_where_a_feature_is_dead() -> None:
    x = torch.randn(100, 16, generator=generator(0))
    x[:, 3] = 0
    assert evaluate.frechet(x, x) == pytest.approx(0, abs=1e-5)


def test_a_set_covers_itself() -> None:
    x = clusters([0.0, 5.0], 40, seed=0)
    # A ball as wide as to the fifth neighbour holds six points of its own set.
    assert evaluate.neighbourhoods(x, x) == {
        "precision": 1,
        "recall": 1,
        "density": pytest.approx(6 / 5),
        "coverage": 1,
    }


def test_distant_sets_do_not_touch() -> None:
    real, fake = clusters([0.0], 40, seed=0), clusters([50.0], 30, seed=1)
    assert evaluate.neighbourhoods(real, fake) == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}


def test_half_the_modes_are_half_the_recall_and_coverage() -> None:
    real, fake = clusters([0.0, 5.0, 10.0, 15.0], 200, seed=0), clusters([0.0, 10.0], 400, seed=1)
    found = evaluate.neighbourhoods(real, fake)
    assert found["precision"] > 0.95
    assert found["recall"] == pytest.approx(0.5, abs=0.05)
    assert found["coverage"] == pytest.approx(0.5, abs=0.05)


def test_density_of_the_same_distribution_is_about_1_and_chunks_change_nothing() -> None:
    real, fake = torch.randn(2000, 2, generator=generator(0)), torch.randn(1500, 2, generator=generator(1))
    found = evaluate.neighbourhoods(real, fake)
    assert found["density"] == pytest.approx(1, abs=0.1)
    assert evaluate.neighbourhoods(real, fake, chunk=70) == pytest.approx(found, abs=2e-3)


def test_points_further_out_than_the_data_have_no_precision_but_full_recall() -> None:
    real = clusters([0.0], 50, seed=0)
    fake = torch.cat([real, clusters([50.0], 50, seed=1)])
    found = evaluate.neighbourhoods(real, fake)
    assert found["precision"] == pytest.approx(0.5)
    assert found["recall"] == found["coverage"] == 1


def record(name: str, row: str, seed: int, frechet: float, coverage: float) -> dict:
    figures = {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": coverage, "frechet": frechet}
    return {"checkpoint": name, "row": row, "n": 10, "seed": seed, **figures}


def test_the_table_counts_in_floors_of_as_many_pictures() -> None:
    records = [record("real digits", "floor", 0, 1.5, 0.9), record("real digits", "floor", 1, 2.5, 0.7)]
    records += [record("model", "fast", 0, 4.0, 0.4), record("model", "fast", 1, 8.0, 0.4)]
    floor, fast = evaluate.summary(records)
    assert floor["frechet"]["mean"] == 1
    assert fast["frechet"] == {"mean": 3, "std": pytest.approx(sqrt(2))}
    assert fast["coverage_of_floor"]["mean"] == pytest.approx(0.5)
    assert fast["seeds"] == 2
    assert "| model | fast | 10 | 2 | 3.00 ± 1.41 |" in evaluate.markdown([floor, fast])


@pytest.fixture
def options(tmp_path, monkeypatch) -> evaluate.Options:
    """A tiny judge, a tiny model and a tiny data set."""
    size = {"train": 130, "test": 40}
    monkeypatch.setattr(
        digits,
        "load",
        lambda root, split="train", download=False: (
            torch.rand(size[split], 1, 32, 32, generator=generator(size[split])) * 2 - 1,
            torch.arange(size[split]) % 10,
        ),
    )
    torch.manual_seed(0)
    judge_path = tmp_path / "judge-digits.safetensors"
    checkpoint.save(judge_path, judge.Model(judge.Config(width=8)), {})
    model = ddpm.Model(ddpm.Config(width=8, multipliers=(1,), blocks=1, emb_dim=16))
    checkpoint.save(tmp_path / "ddpm-digits.safetensors", model, {})
    return evaluate.Options(only=("dpm-1*",), n=20, seeds=2, batch_size=15, weights=tmp_path, judge=judge_path,
                            out=tmp_path / "results" / "evaluate.json")  # fmt: skip


def test_results_are_kept_until_the_checkpoint_changes(options, monkeypatch) -> None:
    table = evaluate.evaluate(options)
    assert "| real digits | half resolution | 20 | 3 |" in table
    assert "| ddpm-digits | dpm-10 | 20 | 2 |" in table
    results = json.loads(options.out.read_text())
    sets = [entry for entry in results["sets"] if entry["checkpoint"] == "ddpm-digits"]
    assert [entry["seed"] for entry in sets] == [0, 1]
    assert all(0 <= entry["accuracy"] <= 1 and entry["samples_per_second"] > 0 for entry in sets)

    drawn = []
    draw = evaluate.draw
    monkeypatch.setattr(evaluate, "draw", lambda *args: drawn.append(args) or draw(*args))
    assert evaluate.evaluate(options) == table
    assert not drawn

    path = options.weights / "ddpm-digits.safetensors"
    checkpoint.save(path, checkpoint.load(path), {"seed": 1})
    evaluate.evaluate(options)
    assert len(drawn) == 2
    assert len(json.loads(options.out.read_text())["sets"]) == len(results["sets"])


def test_batches_change_nothing(options) -> None:
    path, settings = options.weights / "ddpm-digits.safetensors", ddpm.Settings(n=7, steps=2)
    whole, parts = evaluate.draw(path, settings, 7), evaluate.draw(path, settings, 4)
    torch.testing.assert_close(whole.images, parts.images, atol=0.05, rtol=0)  # some CPUs sample in bfloat16
    assert whole.labels.tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_it_runs_without_a_generative_checkpoint_and_refuses_sets_that_are_too_large(options) -> None:
    (options.weights / "ddpm-digits.safetensors").unlink()
    assert "noise 0.05" in evaluate.evaluate(options)
    with pytest.raises(SystemExit, match="at most 21"):
        evaluate.evaluate(evaluate.Options(n=22, judge=options.judge, weights=options.weights, out=options.out))
