"""The table of results, on tiny models."""

import json
from dataclasses import replace
from math import log

import pytest
import torch

from playground import checkpoint
from playground.adversarial import Objective
from playground.data import digits
from playground.labs.gan import Preset, Settings
from playground.models import ddpm, judge
from playground.sampling import generator, last
from playground.validation import UserError
from train import ddpm as recipe
from train import evaluate, judging, lab


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
    return evaluate.Options(only=("dpm-1*",), n=20, seeds=2, weights=tmp_path, judge=judge_path,
                            out=tmp_path / "results" / "evaluate.json")  # fmt: skip


def test_results_are_kept_until_the_checkpoint_changes(options, monkeypatch) -> None:
    table = evaluate.evaluate(options)
    assert "| real digits | half resolution | 20 | 3 |" in table
    assert "| ddpm-digits | dpm-10 | 20 | 2 |" in table
    results = json.loads(options.out.read_text())
    sets = [entry for entry in results["measurements"] if entry["checkpoint"] == "ddpm-digits"]
    assert [entry["seed"] for entry in sets] == [0, 1]
    assert all(0 <= entry["figures"]["accuracy"] <= 1 and entry["figures"]["samples_per_second"] > 0 for entry in sets)

    drawn = []
    draw = judging.draw
    monkeypatch.setattr(judging, "draw", lambda *args: drawn.append(args) or draw(*args))
    assert evaluate.evaluate(options) == table
    assert not drawn

    path = options.weights / "ddpm-digits.safetensors"
    checkpoint.save(path, checkpoint.load(path), {"seed": 1})
    evaluate.evaluate(options)
    assert len(drawn) == 2
    assert len(json.loads(options.out.read_text())["measurements"]) == len(results["measurements"])


def test_a_name_that_nothing_is_measured_of_is_refused(options) -> None:
    with pytest.raises(UserError, match="nothing to measure of judge-digits: samples are judged"):
        evaluate.evaluate(replace(options, names=("judge-digits",), only=(), weights=options.judge.parent))
    with pytest.raises(UserError, match="nothing to measure of ddpm-digits in the rows none"):
        evaluate.evaluate(replace(options, names=("ddpm-digits",), only=("none",)))


def test_the_classes_are_drawn_as_often_as_the_data_have_them(options) -> None:
    classes = torch.tensor([2, 0, 2, 7, 2])
    drawn = judging.draw(options.weights / "ddpm-digits.safetensors", ddpm.Settings(n=5, steps=2), classes)
    assert drawn.labels is not None
    assert drawn.labels.tolist() == [0, 2, 2, 2, 7]
    model = checkpoint.load(options.weights / "ddpm-digits.safetensors")
    alone = last(ddpm.sample(model, ddpm.Settings(n=1, steps=2, label=7), first=4)).x
    torch.testing.assert_close(drawn.images[4:], alone, atol=0.05, rtol=0)  # some CPUs sample in bfloat16


@pytest.mark.parametrize("row", recipe.further())
def test_digits_by_the_score_are_the_same_in_every_batch(options, row, monkeypatch) -> None:
    monkeypatch.setattr(recipe, "EVALUATIONS", 10)
    _, make = recipe.further()[row]
    path, classes = options.weights / "ddpm-digits.safetensors", torch.tensor([2, 0, 2, 7, 2])
    x = make(path, classes, 3)
    assert x.shape == (5, 1, 32, 32)
    monkeypatch.setattr(recipe, "BATCH", 2)
    torch.testing.assert_close(make(path, classes, 3), x, atol=0.1, rtol=0)  # some CPUs sample in bfloat16
    assert not torch.allclose(make(path, classes, 4), x, atol=0.5)


def test_it_runs_without_a_generative_checkpoint_and_refuses_sets_that_are_too_large(options) -> None:
    (options.weights / "ddpm-digits.safetensors").unlink()
    assert "noise 0.05" in evaluate.evaluate(options)
    with pytest.raises(UserError, match="at most 21"):
        evaluate.evaluate(evaluate.Options(n=22, judge=options.judge, weights=options.weights, out=options.out))


def test_the_presets_of_the_lab_are_measured_by_name(options, monkeypatch) -> None:
    short = Settings(Objective("hinge"), steps=3, width=8, batch=16)
    monkeypatch.setattr(lab, "PRESETS", {"short": Preset("Short", short, "")})
    table = evaluate.evaluate(replace(options, names=("lab",), only=(), n=50, seeds=2))
    assert "| short | ring | 50 | 2 |" in table
    assert "| short | grid | 50 | 2 |" in table
    figures = [entry["figures"] for entry in json.loads(options.out.read_text())["measurements"]]
    assert all(0 <= each["modes"] <= 25 and 0 <= each["reverse_kl"] <= log(25) for each in figures)
    assert figures[0] == lab.measure("ring", short, 50)
