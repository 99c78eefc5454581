"""Views that need more than any checkpoint of their family."""

import shutil
from typing import Any

import pytest
import torch
from checkpoint_folder import SHIPPED, put, tiny_ddpm, view

from playground.datasets import mnist
from playground.families import gan, normalizing_flow, score_matching, vae
from playground.families.gan import Config as Gan
from playground.families.normalizing_flow import Config as Flow
from playground.families.score_matching import Config as Score
from playground.families.vae import Config as Vae
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.ddpm import forward
from playground.tabs.ddpm import runs as diffusion
from playground.tabs.gan import ask_discriminator, loss_comparison, variants
from playground.tabs.normalizing_flow import digits as flow_digits
from playground.tabs.score_matching import digits as score_digits
from playground.tabs.score_matching import inverse_problems, langevin_2d, langevin_runs
from playground.tabs.vae import betas, codes
from playground.web.image_picker import NO_SOURCES


def test_a_model_without_classes_or_of_other_pictures_draws_by_its_score_and_mends_nothing(paths: Paths) -> None:
    tiny_ddpm(paths, "mine", classes=0, size=8, channels=3)
    model = diffusion.CHECKPOINTS.load(paths, "")
    *_, end = score_digits.run(model, score_digits.ViewParams(n=2, evaluations=10))
    assert end.x.shape == (2, 3, 8, 8)
    with pytest.raises(UserError, match="no class 3"):
        next(score_digits.run(model, score_digits.ViewParams(n=2, digit="3")))
    with pytest.raises(UserError, match="grey pictures of 32 x 32 pixels"):
        inverse_problems.check(model)
    assert forward.models_digit(paths, "mine").shape == (1, 3, 8, 8)


def test_a_learned_score_is_found_by_its_data_whatever_its_name(paths: Paths) -> None:
    for name, data in (("ring one", "ring"), ("ring two", "ring"), ("mine", "grid")):
        model = score_matching.Model(Score(data=data, width=8, layers=1))
        checkpoint.save(paths.weights / f"{name}.safetensors", model, {})
    assert langevin_runs.learned_densities(paths) == {"grid": ["mine"], "ring": ["ring one", "ring two"]}
    params = langevin_runs.ViewParams(data="ring", score=langevin_runs.LEARNED, model="ring two")
    assert langevin_runs.resolve(paths, params).model == "ring two"
    assert langevin_2d.describe_run(paths, params)["checkpoint"] == "ring two"
    other = langevin_runs.ViewParams(data="grid", score=langevin_runs.LEARNED, model="ring two")
    assert langevin_runs.resolve(paths, other).model == "mine", "the choice is of other data"
    update = langevin_2d.update_model(paths, "ring two", "ring", langevin_runs.LEARNED)
    assert (update["choices"], update["value"], update["visible"]) == (["ring one", "ring two"], "ring two", True)
    assert langevin_2d.update_model(paths, "ring two", "ring", langevin_runs.EXACT)["visible"] is False
    assert langevin_2d.update_model(paths, "ring two", "grid", langevin_runs.LEARNED)["visible"] is False
    with pytest.raises(UserError, match=r"exact score, or ring, or grid, or train one with `python -m train score"):
        langevin_runs.score_of(paths, langevin_runs.ViewParams(data="moons", score=langevin_runs.LEARNED))


def test_a_flow_of_other_pictures_draws_samples_and_reads_no_digits(paths: Paths) -> None:
    model = normalizing_flow.Model(Flow(size=8, steps=(1,), widths=(8,), bins=3, noise_steps=0, noise_width=8))
    checkpoint.save(paths.weights / "mine.safetensors", model, {})
    show = view(flow_digits.DigitsView.build, paths, "normalizing_flow_digits")
    (values,) = show(*NO_SOURCES, "mine", *list(vars(flow_digits.ViewParams(show="samples", n=2)).values())[1:])
    assert values[0]["frames"] == 4
    assert values[3]["value"].split()[4] == "mine"
    ((stage_value, *_),) = show(*NO_SOURCES, "mine", *list(vars(flow_digits.ViewParams(show="picture")).values())[1:])
    assert "28 x 28 pixels" in stage_value["message"]


def save_vae(paths: Paths, name: str, beta: float, latent: int = 3, **flags: Any) -> None:
    torch.manual_seed(0)
    model = vae.Model(Vae(latent=latent, width=8, multipliers=(1,), patch=4, n_test=8))
    flags = {"dataset": "digits", "objective": {"kind": "elbo", "beta": beta}} | flags
    checkpoint.save(paths.weights / f"{name}.safetensors", model, {"flags": flags})


def test_the_betas_are_those_of_the_headers_and_a_missing_one_names_its_recipe(paths: Paths) -> None:
    for name, beta in (("one", 1.0), ("another", 4), ("of two", 2.0)):
        save_vae(paths, name, beta)
    save_vae(paths, "wider", 10.0, latent=5)
    save_vae(paths, "shapes", 10.0, dataset="shapes")
    save_vae(paths, "vae-digits", 1.0)
    assert [(about.beta, about.name) for about in betas.comparable_models(paths, mnist.DATASET)] == [
        (1.0, "vae-digits"), (1.0, "one"), (2.0, "of two"), (4.0, "another"),
    ]  # fmt: skip
    table, _ = betas.show(paths, codes.encode_choice(paths, codes.ViewParams(), NO_SOURCES))
    assert table.count("nats<br>distortion") == 4
    assert ">β = 1<" in table
    assert ">β = 1 (one)<" in table
    assert "no model of β = 0.5: “python -m train vae-digits-beta0.5” makes it" in table
    assert "no model of β = 10: “python -m train vae-digits-beta10” makes it" in table
    assert "β = 4: `" not in table


def test_a_model_is_called_by_what_it_learned_and_by_its_name_if_it_is_not_shipped(paths: Paths) -> None:
    shipped = {name: title for title, name in codes.CHECKPOINTS.choices(Paths(SHIPPED, SHIPPED))}
    assert shipped["vae-digits"] == "MNIST digits, 20 dimensions"
    assert shipped["vae-digits-beta0.5"] == "MNIST digits, β = 0.5"
    assert shipped["vae-shapes"] == "Shapes of six known factors, 10 dimensions"
    save_vae(paths, "mine", 0.5)
    assert codes.CHECKPOINTS.choices(paths) == [("MNIST digits, β = 0.5 (mine)", "mine")]


def test_a_model_of_unknown_data_draws_codes_and_reads_nothing(paths: Paths) -> None:
    save_vae(paths, "mine", 1.0, dataset="cats")
    assert codes.about(paths, "mine").kinds == (codes.PRIOR,)
    assert codes.encode_choice(paths, codes.ViewParams(), NO_SOURCES).params.model == "mine"
    with pytest.raises(UserError, match="no data set of this project"):
        codes.encode_choice(paths, codes.ViewParams(picture="Test image"), NO_SOURCES)


def test_losses_are_those_of_the_headers(paths: Paths) -> None:
    """Networks of any name have titles and colours; the page names those whose training is not known."""
    for name, shipped in (("gan-digits-hinge", "gan-digits-hinge"), ("mine", "gan-digits-r3gan")):
        put(paths, shipped, name)
        shutil.copy(SHIPPED / f"{shipped}.history.npz", paths.weights / f"{name}.history.npz")
    put(paths, "gan-digits-conditional", "alone")
    titles = {name: title for title, name in variants.CHECKPOINTS.choices(paths)}
    assert titles == {
        "gan-digits-hinge": "Hinge, spectral norm",
        "alone": "Relativistic, R1 and R2, class-conditional (alone)",
        "mine": "Relativistic, R1 and R2 (mine)",
    }
    assert len({about.colour for about in variants.describe_all(paths).values()}) == 3
    assert loss_comparison.first(paths).losses == "hinge,alone,mine"
    stage_value = loss_comparison.describe(paths, loss_comparison.ViewParams("hinge,alone,mine,minimax"))
    names = [strip["name"] for strip in stage_value["strips"]]
    assert names == ["Hinge, spectral norm", "Relativistic, R1 and R2 (mine)"]
    assert "alone.history.npz is not beside it" in stage_value["notice"]
    assert "“python -m train gan-digits-minimax” makes it" in stage_value["notice"]
    assert (
        ask_discriminator.table(
            paths, ask_discriminator.picture(paths, ask_discriminator.ViewParams(), NO_SOURCES)
        ).count("more real than")
        == 3
    )


def test_a_discriminator_of_other_pictures_is_passed_over_with_a_sentence(paths: Paths) -> None:
    put(paths, "gan-digits-r3gan", "mine")
    checkpoint.save(paths.weights / "small.safetensors", gan.Model(Gan(latent=4, widths=(8,))), {})
    table = ask_discriminator.table(paths, torch.zeros(1, 1, 32, 32))
    assert table.count("more real than") == 1
    assert "Small: its D knows only pictures of 8 x 8 pixels in one channel" in table
    (paths.weights / "mine.safetensors").unlink()
    with pytest.raises(UserError, match="8 x 8 pixels"):
        ask_discriminator.table(paths, torch.zeros(1, 1, 32, 32))
