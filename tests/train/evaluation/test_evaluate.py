"""The table of results, on tiny models."""

import json
from dataclasses import replace
from math import log

import pytest
import torch

from playground.datasets import registry
from playground.diffusion.samplers import DenoiserOutput
from playground.families import autoencoder, clip, ddpm, gan, judge, vae
from playground.families.gan.lab import Preset, Settings
from playground.families.gan.losses import Objective
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from train import ddpm as recipe
from train import gan as gan_recipe
from train.evaluation import evaluate, lab_presets, sample_quality

OF_DIGITS = {"flags": {"dataset": "digits"}}


@pytest.fixture
def options(tmp_path, monkeypatch) -> evaluate.Options:
    """A tiny judge, a tiny model and a tiny data set."""
    size = {"train": 130, "test": 40}

    def load(root, split="train", download=False, subset=slice(None)):
        images = torch.rand(size[split], 1, 32, 32, generator=make_rng(size[split])) * 2 - 1
        return images[subset], (torch.arange(size[split]) % 10)[subset]

    for name in ("digits", "fashion_mnist"):
        monkeypatch.setitem(registry.DATASETS, name, replace(registry.DATASETS[name], load=load))
    torch.manual_seed(0)
    checkpoint.save(tmp_path / "judge-digits.safetensors", judge.Model(judge.Config(width=8)), {})
    model = ddpm.Model(ddpm.Config(width=8, multipliers=(1,), blocks=1, emb_dim=16))
    checkpoint.save(tmp_path / "ddpm-digits.safetensors", model, OF_DIGITS)
    return evaluate.Options(only=("dpm-1*",), n=20, seeds=2, weights=tmp_path, judges=tmp_path,
                            out=tmp_path / "results" / "evaluate.json")  # fmt: skip


def test_results_are_kept_until_the_checkpoint_changes(options, monkeypatch) -> None:
    table = evaluate.evaluate(options)
    assert "| real digits | floor | 20 | 2 |" in table
    assert "half resolution" not in table
    assert "| ddpm-digits | dpm-10 | 20 | 2 |" in table
    results = json.loads(options.out.read_text())
    sets = [entry for entry in results["measurements"] if entry["checkpoint"] == "ddpm-digits"]
    assert [entry["seed"] for entry in sets] == [0, 1]
    assert all(0 <= entry["figures"]["accuracy"] <= 1 and entry["figures"]["samples_per_second"] > 0 for entry in sets)

    pictures = []
    draw = sample_quality.draw
    monkeypatch.setattr(sample_quality, "draw", lambda *args: pictures.append(args) or draw(*args))
    assert evaluate.evaluate(options) == table
    assert not pictures

    path = options.weights / "ddpm-digits.safetensors"
    checkpoint.save(path, checkpoint.load(path), OF_DIGITS | {"seed": 1})
    evaluate.evaluate(options)
    assert [settings.seed for _, settings, _ in pictures] == [0, 1]
    assert len(json.loads(options.out.read_text())["measurements"]) == len(results["measurements"])


def test_of_real_pictures_only_the_floor_of_as_many_seeds_goes_with_a_row(options) -> None:
    evaluate.evaluate(replace(options, only=("dpm-10",), seeds=1))
    records = json.loads(options.out.read_text())["measurements"]
    assert sorted((record["row"], record["seed"]) for record in records) == [("dpm-10", 0), ("floor", 0)]


def test_samples_are_judged_by_the_judge_of_their_own_data(options, capsys) -> None:
    digits, clothes = (options.weights / f"ddpm-{name}.safetensors" for name in ("digits", "clothes"))
    checkpoint.save(clothes, checkpoint.load(digits), {"flags": {"dataset": "fashion_mnist"}})
    with pytest.raises(UserError, match="nothing to measure of ddpm-clothes: samples are judged of models whose data"):
        evaluate.evaluate(replace(options, names=("ddpm-clothes",), only=()))
    assert "samples of ddpm-clothes are not judged, since there is no " in capsys.readouterr().err
    torch.manual_seed(1)
    checkpoint.save(options.judges / "judge-fashion_mnist.safetensors", judge.Model(judge.Config(width=8)), {})
    tables = evaluate.evaluate(replace(options, seeds=1)).split("\n\n")
    rows = dict(zip(tables[::2], tables[1::2], strict=True))
    assert rows.keys() == {"digits", "fashion_mnist"}
    assert "| ddpm-clothes | dpm-10 |" in rows["fashion_mnist"]
    assert "| real fashion_mnist | floor |" in rows["fashion_mnist"]
    assert "| ddpm-digits | dpm-10 |" in rows["digits"]
    assert "ddpm-clothes" not in rows["digits"]


def test_a_name_that_nothing_is_measured_of_is_refused(options) -> None:
    with pytest.raises(UserError, match="nothing to measure of judge-digits: samples are judged"):
        evaluate.evaluate(replace(options, names=("judge-digits",), only=()))
    with pytest.raises(UserError, match="nothing to measure of ddpm-digits in the rows none"):
        evaluate.evaluate(replace(options, names=("ddpm-digits",), only=("none",)))


@pytest.mark.parametrize("provenance", [{}, {"flags": None}])
@pytest.mark.parametrize(
    "build",
    [lambda: vae.Model(vae.Config(width=8, latent=2, multipliers=(1,))), lambda: gan.Model(gan.Config()),
     lambda: autoencoder.Model(autoencoder.Config(width=8)), lambda: clip.Model(clip.Config())],
    ids=["vae", "gan", "autoencoder", "clip"],
)  # fmt: skip
def test_a_checkpoint_that_tells_nothing_of_its_training_is_no_obstacle(options, build, provenance) -> None:
    model = build()
    checkpoint.save(options.weights / "mine.safetensors", model, provenance)
    found = {measurement.identity["table"] for measurement in evaluate.measurements(replace(options, names=("mine",)))}
    assert found <= {"autoencoder", "clip"}


def test_a_checkpoint_of_an_unknown_family_is_refused(options, monkeypatch) -> None:
    header = checkpoint.Header("nonsense", {}, {})
    monkeypatch.setattr(checkpoint, "read_header", lambda path: header)
    with pytest.raises(UserError, match="there is no model family 'nonsense'"):
        list(evaluate.measurements(replace(options, names=("ddpm-digits",))))


def test_stacked_digits_are_read_by_the_judge_that_is_named(options, monkeypatch) -> None:
    path, judges = options.weights / "mine.safetensors", options.judges
    checkpoint.save(path, gan.Model(gan.Config(channels=3)), {"flags": {"stacked": True}, "steps": 3})
    (measurement,) = evaluate.measurements(replace(options, names=("mine",)))
    assert measurement.identity["judge"] == checkpoint.sha256(judges / "judge-digits.safetensors")
    used = []
    monkeypatch.setattr(gan_recipe, "Judge", lambda path, *_: used.append(path))
    monkeypatch.setattr(gan_recipe.mnist, "load", lambda *args, **kwargs: (None, None))
    monkeypatch.setattr(gan_recipe, "measure_modes", lambda path, judge: {"modes": 1.0})
    assert measurement.measure() == {"modes": 1.0}
    assert used == [judges / "judge-digits.safetensors"]
    (judges / "judge-digits.safetensors").unlink()
    with pytest.raises(UserError, match="the checkpoint judge-digits is missing"):
        list(evaluate.measurements(replace(options, names=("mine",))))


def test_the_classes_are_drawn_as_often_as_the_data_have_them(options) -> None:
    classes = torch.tensor([2, 0, 2, 7, 2])
    pictures = sample_quality.draw(options.weights / "ddpm-digits.safetensors", ddpm.Settings(n=5, steps=2), classes)
    assert pictures.labels is not None
    assert pictures.labels.tolist() == [0, 2, 2, 2, 7]
    model = checkpoint.load(options.weights / "ddpm-digits.safetensors")
    alone = last_frame(ddpm.sample(model, ddpm.Settings(n=1, steps=2, label=7), first=4)).x
    torch.testing.assert_close(pictures.images[4:], alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize("row", recipe.extra_rows())
def test_digits_by_the_score_are_the_same_in_every_batch(options, row, monkeypatch) -> None:
    monkeypatch.setattr(recipe, "N_EVALUATIONS", 10)
    _, make = recipe.extra_rows()[row]
    path, classes = options.weights / "ddpm-digits.safetensors", torch.tensor([2, 0, 2, 7, 2])
    x = make(path, classes, 3)
    assert x.shape == (5, 1, 32, 32)
    monkeypatch.setattr(recipe, "BATCH", 2)
    torch.testing.assert_close(make(path, classes, 3), x, atol=0.1, rtol=0)  # a corrector's steps depend on the batch
    assert not torch.allclose(make(path, classes, 4), x, atol=0.5)


@pytest.mark.parametrize("row", recipe.extra_rows())
def test_digits_by_the_score_have_no_noise_left(options, row, monkeypatch) -> None:
    """The data are a single grey picture, so that all that differs from it is noise."""
    monkeypatch.setattr(recipe, "N_EVALUATIONS", 10)
    monkeypatch.setattr(ddpm.Model, "denoiser", lambda *_, **__: lambda x, t: DenoiserOutput(torch.zeros_like(x)))
    _, make = recipe.extra_rows()[row]
    assert make(options.weights / "ddpm-digits.safetensors", torch.tensor([2]), 3).abs().max() < 1e-4


def test_it_runs_without_a_generative_checkpoint_and_refuses_sets_that_are_too_large_or_too_small(options) -> None:
    (options.weights / "ddpm-digits.safetensors").unlink()
    assert "noise 0.05" in evaluate.evaluate(replace(options, only=()))
    for n, message in ((22, "at most 21"), (5, "at least 6")):
        with pytest.raises(UserError, match=message):
            evaluate.evaluate(replace(options, only=(), n=n))
    assert "real digits" in evaluate.evaluate(replace(options, n=6))


def test_the_presets_of_the_lab_are_measured_by_name(options, monkeypatch) -> None:
    short = Settings(Objective("hinge"), steps=3, width=8, batch=16)
    monkeypatch.setattr(lab_presets, "PRESETS", {"short": Preset("Short", short, "")})
    table = evaluate.evaluate(replace(options, names=("lab",), only=(), n=50, seeds=2))
    assert "| short | ring | 50 | 2 |" in table
    assert "| short | grid | 50 | 2 |" in table
    figures = [entry["figures"] for entry in json.loads(options.out.read_text())["measurements"]]
    assert all(0 <= row_figures["modes"] <= 25 and 0 <= row_figures["reverse_kl"] <= log(25) for row_figures in figures)
    assert figures[0] == lab_presets.measure("ring", short, 50)
