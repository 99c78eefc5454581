"""What the views of the GAN tab compute, on tiny networks and a history made by hand."""

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from playground import adversarial, checkpoint, history, pictures
from playground.history import History
from playground.models import gan
from playground.sampling import generator, last
from playground.tabs import Places
from playground.tabs.gan import arena, contest, gauges, samples, verdict
from playground.validation import UserError
from train.gan import RECIPES

MOMENTS, PICTURES = 3, 4
NAMES = list(contest.MODELS)


def sheet(side: int) -> bytes:
    """Four pictures of so many pixels a side: black, two greys, white."""
    greys = np.array([0, 85, 170, 255], np.uint8).repeat(side * side).reshape(4, side, side, 1)
    pictures.image(pictures.grid(greys, columns=2)).save(file := io.BytesIO(), "WEBP", lossless=True)
    return file.getvalue()


@pytest.fixture
def seen() -> History:
    """Three moments of a training whose pictures grow."""
    noise = np.random.default_rng(0)
    counts = np.array([[200, *[0] * 9], [100, 97, 2, 1, *[0] * 6], [20] * 10], np.uint16)
    return History(
        steps=np.array([1, 10, 100], np.int32),
        pictures=[sheet(side) for side in (4, 8, 8)],
        columns=2,
        real=noise.normal(2, 1, (MOMENTS, 200)).astype(np.float16),
        fake=noise.normal(-2, 1, (MOMENTS, 200)).astype(np.float16),
        slopes=noise.uniform(0.1, 10, (MOMENTS, 200)).astype(np.float16),
        classes=counts,
        frechet=np.array([90.0, 40.0, 5.0], np.float32),
        curve_steps=np.array([20, 40, 60, 80, 100], np.int32),
        curves=np.arange(20, dtype=np.float32).reshape(4, 5),
    )


@pytest.fixture
def places(tmp_path: Path, seen: History) -> Places:
    """A folder with three tiny models of the arena, one of them of classes, and their histories."""
    for seed, (name, classes) in enumerate({"minimax": 0, "r3gan": 0, "conditional": 10}.items()):
        torch.manual_seed(seed)
        model = gan.Model(gan.Config(latent=4, widths=(8, 8, 8), classes=classes))
        model.kept_real.copy_(torch.linspace(0, 1, gan.KEPT))
        model.kept_fake.copy_(torch.linspace(-1, 0, gan.KEPT))
        checkpoint.save(tmp_path / f"gan-digits-{name}.safetensors", model, {})
        history.save(tmp_path / f"gan-digits-{name}.history.npz", seen)
    return Places(tmp_path, tmp_path)


# --- histories ------------------------------------------------------------------------------------


def test_pictures_of_a_growing_network_are_shown_at_one_size(seen: History) -> None:
    shown = history.tiles(seen)
    assert shown.shape == (MOMENTS, PICTURES, 8, 8, 1)
    for moment in shown:
        assert moment.mean(axis=(1, 2, 3)).tolist() == [0, 85, 170, 255]


def test_curves_are_averaged_since_the_moment_before(seen: History) -> None:
    """Nothing is recorded up to step 10, and all five points up to step 100."""
    found = history.since(seen)
    assert tuple(found) == history.CURVES
    assert found["discriminator"].tolist() == [0, 0, 2]
    assert found["generator_gradient"].tolist() == [15, 15, 17]
    late = seen._replace(steps=np.array([20, 60, 100], np.int32))
    assert history.since(late)["discriminator"].tolist() == [0, 1.5, 3.5]


def test_a_class_counts_as_covered_from_one_in_a_hundred_on(seen: History) -> None:
    assert history.covered(seen).tolist() == [1, 3, 10]  # of 200: the third is read twice, the fourth once


def test_a_history_is_read_again_when_its_file_has_changed(places: Places, seen: History) -> None:
    path = places.weights / "gan-digits-minimax.history.npz"
    assert history.load(path) is history.load(path)
    history.save(path, seen._replace(frechet=np.ones(MOMENTS, np.float32)))
    assert history.load(path).frechet.tolist() == [1, 1, 1]


# --- arena ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_losses_steepness_is_that_of_the_closed_form(name: str) -> None:
    x = torch.linspace(-6, 6, 25)
    value, steepness = gauges.course(name, x), gauges.steepness(name, x)
    sigmoid = x.sigmoid()
    closed = {
        "minimax": (torch.log(1 - sigmoid), sigmoid),
        "nonsaturating": (-torch.log(sigmoid), 1 - sigmoid),
        "leastsquares": ((x - 1) ** 2 / 2, (x - 1).abs()),
        "hinge": (-x, torch.ones(25)),
        "wasserstein": (-x, torch.ones(25)),
        "relativistic": (-torch.log(sigmoid), 1 - sigmoid),
    }[contest.MODELS[name].loss]
    torch.testing.assert_close(value, closed[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(steepness, closed[1], rtol=1e-3, atol=1e-3)


def test_where_d_is_sure_minimax_pushes_g_less_than_the_nonsaturating_loss(seen: History) -> None:
    pushed = [gauges.saturation(f"gan-digits-{name}", seen)[0][0] for name in ("minimax", "nonsaturating")]
    minimax, nonsaturating = (float(note.rpartition(" ")[2]) for note in pushed)
    assert minimax < 0.2 < 0.8 < nonsaturating
    assert minimax + nonsaturating == pytest.approx(1, abs=0.01)  # sigmoid(x) and 1 - sigmoid(x)


def test_histograms_count_everything_once(seen: History) -> None:
    values = np.array([[-5.0, 0.0, 0.49, 5.0], [1, 1, 1, 1]])
    counted = gauges.binned(values, 0, 1, bins=3)
    assert counted.tolist() == [[2, 1, 1], [0, 0, 4]]
    for make in gauges.GAUGES.values():
        notes, plots = make("gan-digits-r3gan", seen)
        assert len(notes) == MOMENTS
        assert all(counts.values.sum(axis=1).tolist() == [200] * 3 for plot in plots for counts in plot.counts)


def test_every_loss_moves_in_lock_step(places: Places, seen: History) -> None:
    made = arena.describe(places, arena.Asked("minimax,r3gan"))
    assert made["frames"] == MOMENTS
    assert [strip["name"] for strip in made["strips"]] == [contest.MODELS[NAMES[0]].title, "Relativistic, R1 and R2"]
    other = seen._replace(steps=np.array([1, 10, 50], np.int32))
    history.save(places.weights / "gan-digits-r3gan.history.npz", other)
    made = arena.describe(places, arena.Asked("minimax,r3gan"))
    assert [strip["name"] for strip in made["strips"]] == [contest.MODELS[NAMES[0]].title]
    assert "other moments" in made["notice"]


def test_first_come_those_that_are_there(places: Places) -> None:
    assert arena.first(places).losses == "minimax,r3gan"
    for name in ("minimax", "r3gan"):
        (places.weights / f"gan-digits-{name}.safetensors").unlink()
    assert arena.first(places).losses == "conditional"


def test_a_missing_history_is_said_and_the_others_are_shown(places: Places) -> None:
    made = arena.describe(places, arena.Asked("minimax,hinge"))
    assert len(made["strips"]) == 1
    assert "python -m train gan-digits-hinge" in made["notice"]
    with pytest.raises(UserError, match="gan-digits-hinge"):
        arena.describe(places, arena.Asked("hinge"))


@pytest.mark.parametrize(("losses", "below"), [("", "logits"), ("best", "logits"), ("minimax", "above"), (None, 3)])
def test_an_arena_that_cannot_be_is_refused(losses: str, below: str) -> None:
    with pytest.raises(UserError):
        arena.Asked(losses, below)


# --- samples --------------------------------------------------------------------------------------


def test_a_walk_goes_from_the_samples_of_one_seed_to_those_of_another(places: Places) -> None:
    asked = samples.Asked("gan-digits-conditional", seed=3, to=8, label="7")
    model = contest.load(places, asked.model)
    made = samples.walk(model, asked)
    assert made.x.shape == made.gradient.shape == (samples.FRAMES, samples.SHOWN, 1, 32, 32)
    for frame, seed in ((0, 3), (-1, 8)):
        sampled = last(gan.sample(model, gan.Settings(samples.SHOWN, 7, seed=seed)))
        torch.testing.assert_close(made.x[frame], sampled.x, rtol=0, atol=0.05)  # which may be made in bfloat16


def test_the_gradient_says_how_the_logit_changes(places: Places) -> None:
    model = contest.load(places, "gan-digits-r3gan")
    made = samples.walk(model, samples.Asked())
    step = 1e-3 * torch.randn(made.x[5].shape, generator=generator(0))
    change = model.discriminator(made.x[5] + step) - made.logits[5]
    torch.testing.assert_close(change, (made.gradient[5] * step).sum((1, 2, 3)), rtol=0.05, atol=2e-6)


@pytest.mark.parametrize("wrong", [{"model": "vae-digits"}, {"seed": "x"}, {"to": -1}, {"label": "11"},
                                   {"truncation": float("nan")}])  # fmt: skip
def test_samples_that_cannot_be_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        replace(samples.Asked(), **wrong)


# --- verdict --------------------------------------------------------------------------------------


def test_d_is_asked_about_the_class_that_it_believes_most(places: Places) -> None:
    model = contest.load(places, "gan-digits-conditional")
    x = torch.randn(1, 1, 32, 32, generator=generator(0))
    each = [float(model.discriminator(x, torch.tensor([y]))) for y in range(10)]
    assert float(gan.verdicts(model, x)) == pytest.approx(max(each), abs=1e-5)
    plain = contest.load(places, "gan-digits-r3gan")
    assert float(gan.verdicts(plain, x)) == pytest.approx(float(plain.discriminator(x)), abs=1e-5)


def test_a_verdict_says_where_the_picture_stands(places: Places) -> None:
    model = contest.load(places, "gan-digits-r3gan")
    x = torch.randn(1, 1, 32, 32, generator=generator(0))
    own = float(gan.verdicts(model, x))
    model.kept_real.copy_(own + torch.linspace(-1, 3, gan.KEPT))  # a quarter of them lie below
    model.kept_fake.copy_(own - torch.linspace(0.1, 1, gan.KEPT))
    assert "more real than 25% of test digits and 100% of fakes" in verdict.row("R3GAN", model, x)


def test_a_fake_is_judged_without_any_data(places: Places) -> None:
    x = verdict.picture(places, verdict.Asked(), "", None)
    assert x.shape == (1, 1, 32, 32)
    assert verdict.table(places, x).count("more real than") == 3


@pytest.mark.parametrize("name", NAMES)
def test_the_formulas_are_what_the_recipe_minimises(name: str) -> None:
    """Evaluated for one real and one fake item under a D whose slope is the same everywhere."""
    about = contest.MODELS[name]
    (recipe,) = (recipe for recipe in RECIPES if recipe.name == name)
    torch.manual_seed(0)
    d = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)).double()
    x, x_fake = torch.randn(2, 1, 2, generator=generator(0), dtype=torch.float64)
    slope = d[0].weight.norm().item()
    known = {"r": d(x).item(), "f": d(x_fake).item(), "slope": slope, "max": max, "softplus": softplus}
    made = [loss(d, x, x_fake, recipe.objective, torch.full((1,), 0.5)) for loss in
            (adversarial.discriminator_loss, adversarial.generator_loss)]  # fmt: skip
    for written, loss in zip((about.d, about.g), made, strict=True):
        assert eval(spelt(written), known) == pytest.approx(loss.item())
    assert recipe.objective.loss == about.loss


def softplus(a: float) -> float:
    return math.log1p(math.exp(a))


def spelt(formula: str) -> str:
    """A formula of the page as Python; the expectation of one item is the item."""
    names = {"−": "-", "²": "**2", "½ E ": "0.5 * ", "10 E ": "10 * ", "E ": "", "|∇D(x)|": "slope",
             "|∇D(G(z))|": "slope", "|∇D|": "slope", "D(x)": "r", "D(G(z))": "f"}  # fmt: skip
    for sign, name in names.items():
        formula = formula.replace(sign, name)
    return formula


def test_the_arena_counts_epochs_as_its_recipes_do() -> None:
    shown = [recipe for recipe in RECIPES if recipe.name in contest.MODELS]
    assert {recipe.name for recipe in shown} == set(contest.MODELS)
    assert {recipe.batch_size for recipe in shown} == {arena.BATCH}
    assert len({(recipe.steps, recipe.seed) for recipe in shown}) == 1


def test_every_line_has_a_colour_of_its_own() -> None:
    assert len({about.colour for about in contest.MODELS.values()}) == len(contest.MODELS)
