"""What the views of the GAN tab compute, on tiny networks and a history made by hand."""

import json
import math
import re
from dataclasses import asdict, astuple, replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image
from test_gan_history import MOMENTS, make_history
from torch import nn

from playground.families import gan
from playground.families.gan import history
from playground.families.gan import losses as adversarial
from playground.families.gan.history import History
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from playground.tabs.gan import ask_discriminator, diagnostics, loss_comparison, samples, variants
from playground.web import links, neighbours
from playground.web.image_picker import DRAWING, NO_SOURCES
from playground.web.newest import Requests, newest_only
from train.gan import RECIPES

NAMES = list(variants.SHIPPED)
RECIPE = {recipe.name: recipe for recipe in RECIPES}


@pytest.fixture
def seen() -> History:
    return make_history()


@pytest.fixture
def paths(tmp_path: Path, seen: History) -> Paths:
    """A folder with three tiny models to compare, one of them of classes, and their histories."""
    for seed, (name, classes) in enumerate({"minimax": 0, "r3gan": 0, "conditional": 10}.items()):
        torch.manual_seed(seed)
        model = gan.Model(gan.Config(latent=4, widths=(8, 8, 8), classes=classes))
        model.real_logits.copy_(torch.linspace(0, 1, gan.N_LOGITS))
        model.fake_logits.copy_(torch.linspace(-1, 0, gan.N_LOGITS))
        flags = {"objective": asdict(RECIPE[f"gan-digits-{name}"].objective), "batch_size": 128}
        checkpoint.save(tmp_path / f"gan-digits-{name}.safetensors", model, {"flags": flags})
        history.save(tmp_path / f"gan-digits-{name}.history.npz", seen)
    return Paths(tmp_path, tmp_path)


# --- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_losses_steepness_is_that_of_the_closed_form(name: str) -> None:
    x, loss = torch.linspace(-6, 6, 25), RECIPE[name].objective.loss
    value, steepness = diagnostics.generator_loss(loss, x), diagnostics.steepness(loss, x)
    sigmoid = x.sigmoid()
    closed = {
        "minimax": (torch.log(1 - sigmoid), sigmoid),
        "nonsaturating": (-torch.log(sigmoid), 1 - sigmoid),
        "leastsquares": ((x - 1) ** 2 / 2, (x - 1).abs()),
        "hinge": (-x, torch.ones(25)),
        "wasserstein": (-x, torch.ones(25)),
        "relativistic": (-torch.log(sigmoid), 1 - sigmoid),
    }[loss]
    torch.testing.assert_close(value, closed[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(steepness, closed[1], rtol=1e-3, atol=1e-3)


def test_where_d_is_sure_minimax_pushes_g_less_than_the_nonsaturating_loss(seen: History) -> None:
    pushed = [diagnostics.saturation(name, seen)[0][0] for name in ("minimax", "nonsaturating")]
    minimax, nonsaturating = (float(note.rpartition(" ")[2]) for note in pushed)
    assert minimax < 0.2 < 0.8 < nonsaturating
    assert minimax + nonsaturating == pytest.approx(1, abs=0.01)  # sigmoid(x) and 1 - sigmoid(x)


def test_histograms_count_everything_once(seen: History) -> None:
    values = np.array([[-5.0, 0.0, 0.49, 5.0], [1, 1, 1, 1]])
    counted = diagnostics.count(values, 0, 1, bins=3)
    assert counted.tolist() == [[2, 1, 1], [0, 0, 4]]
    for make in diagnostics.DIAGNOSTICS.values():
        notes, plots = make("relativistic", seen)
        assert len(notes) == MOMENTS
        assert all(counts.values.sum(axis=1).tolist() == [200] * 3 for plot in plots for counts in plot.counts)


def test_every_loss_moves_in_lock_step(paths: Paths, seen: History) -> None:
    made = loss_comparison.describe(paths, loss_comparison.ViewParams("minimax,r3gan"))
    assert made["frames"] == MOMENTS
    assert [strip["name"] for strip in made["strips"]] == ["Minimax", "Relativistic, R1 and R2"]
    followers = json.loads(made["following"])
    assert followers["formula"].startswith("GAN: L<sub>D</sub> = E softplus(−D(x)) + E softplus(D(G(z))) = <b ")
    assert followers["formula"].count("softplus(a) =") == 1
    names = re.findall(r'data-number="(\w+)"', followers["formula"])
    assert names == [*followers["numbers"]] == ["d0", "g0", "d1", "g1"]
    other = seen._replace(steps=np.array([1, 10, 50], np.int32))
    history.save(paths.weights / "gan-digits-r3gan.history.npz", other)
    made = loss_comparison.describe(paths, loss_comparison.ViewParams("minimax,r3gan"))
    assert [strip["name"] for strip in made["strips"]] == ["Minimax"]
    assert "other steps" in made["notice"]


def test_first_come_those_that_are_there(paths: Paths) -> None:
    assert loss_comparison.first(paths).losses == "minimax,r3gan"
    for name in ("minimax", "r3gan"):
        (paths.weights / f"gan-digits-{name}.safetensors").unlink()
    assert loss_comparison.first(paths).losses == "conditional"


def test_a_missing_history_is_said_and_the_others_are_shown(paths: Paths) -> None:
    made = loss_comparison.describe(paths, loss_comparison.ViewParams("minimax,hinge"))
    assert len(made["strips"]) == 1
    assert "python -m train gan-digits-hinge" in made["notice"]
    with pytest.raises(UserError, match="gan-digits-hinge"):
        loss_comparison.describe(paths, loss_comparison.ViewParams("hinge"))


@pytest.mark.parametrize(
    ("losses", "below"), [("", "logits"), (["minimax"], "logits"), ("minimax", "above"), (None, 3)]
)
def test_an_arena_that_cannot_be_is_refused(losses: str, below: str) -> None:
    with pytest.raises(UserError):
        loss_comparison.ViewParams(losses, below)


# --- samples --------------------------------------------------------------------------------------


def test_a_walk_goes_from_the_samples_of_one_seed_to_those_of_another(paths: Paths) -> None:
    params = samples.ViewParams("gan-digits-conditional", seed=3, to=8, label="7")
    model = variants.CHECKPOINTS.load(paths, params.model)
    made = samples.walk(model, params)
    assert made.x.shape == made.gradient.shape == (samples.FRAMES, samples.N_SAMPLES, 1, 32, 32)
    for frame, seed in ((0, 3), (-1, 8)):
        sampled = last_frame(gan.sample(model, gan.Settings(samples.N_SAMPLES, 7, seed=seed)))
        torch.testing.assert_close(made.x[frame], sampled.x, rtol=0, atol=1e-4)


def test_the_gradient_says_how_the_logit_changes(paths: Paths) -> None:
    model = variants.CHECKPOINTS.load(paths, "gan-digits-r3gan")
    made = samples.walk(model, samples.ViewParams())
    step = 1e-3 * torch.randn(made.x[5].shape, generator=make_rng(0))
    change = model.discriminator(made.x[5] + step) - made.logits[5]
    torch.testing.assert_close(change, (made.gradient[5] * step).sum((1, 2, 3)), rtol=0.05, atol=2e-6)


def test_late_neighbours_of_other_samples_are_dropped(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "render_rows", lambda *_, **__: "rows")
    with gr.Blocks():
        view = samples.SamplesView(paths)
    first, second = (astuple(samples.ViewParams("gan-digits-r3gan", seed=seed)) for seed in (0, 1))
    requests, show = Requests(), newest_only(view.show)
    assert view.find_neighbours(requests, 0, *first) == "rows", "a first film that nobody has asked for"
    show(requests, *first)
    assert view.find_neighbours(requests, 0, *first) == "rows"
    show(requests, *second)
    assert view.find_neighbours(requests, 0, *first) == gr.skip()
    assert view.find_neighbours(requests, 0, *second) == "rows"


@pytest.mark.parametrize("wrong", [{"seed": "x"}, {"to": -1}, {"label": "11"},
                                   {"truncation": float("nan")}])  # fmt: skip
def test_samples_that_cannot_be_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        replace(samples.ViewParams(), **wrong)


# --- verdict --------------------------------------------------------------------------------------


def test_d_is_asked_about_the_class_that_it_believes_most(paths: Paths) -> None:
    model = variants.CHECKPOINTS.load(paths, "gan-digits-conditional")
    x = torch.randn(1, 1, 32, 32, generator=make_rng(0))
    each = [float(model.discriminator(x, torch.tensor([y]))) for y in range(10)]
    assert float(gan.discriminator_logits(model, x)) == pytest.approx(max(each), abs=1e-5)
    plain = variants.CHECKPOINTS.load(paths, "gan-digits-r3gan")
    assert float(gan.discriminator_logits(plain, x)) == pytest.approx(float(plain.discriminator(x)), abs=1e-5)


def test_a_verdict_says_where_the_picture_stands(paths: Paths) -> None:
    model = variants.CHECKPOINTS.load(paths, "gan-digits-r3gan")
    x = torch.randn(1, 1, 32, 32, generator=make_rng(0))
    own = float(gan.discriminator_logits(model, x))
    model.real_logits.copy_(own + torch.linspace(-1, 3, gan.N_LOGITS))  # a quarter of them lie below
    model.fake_logits.copy_(own - torch.linspace(0.1, 1, gan.N_LOGITS))
    assert "more real than 25% of test digits and 100% of fakes" in ask_discriminator.row("R3GAN", model, x)


def test_a_fake_is_judged_without_any_data(paths: Paths) -> None:
    x = ask_discriminator.picture(paths, ask_discriminator.ViewParams(), NO_SOURCES)
    assert x.shape == (1, 1, 32, 32)
    assert ask_discriminator.table(paths, x).count("more real than") == 3


@pytest.mark.parametrize("name", NAMES)
def test_the_formulas_are_what_the_recipe_minimises(name: str) -> None:
    """Evaluated for one real and one fake item under a D whose slope is the same everywhere."""
    recipe = RECIPE[name]
    torch.manual_seed(0)
    d = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)).double()
    x, x_fake = torch.randn(2, 1, 2, generator=make_rng(0), dtype=torch.float64)
    slope = d[0].weight.norm().item()
    known = {"r": d(x).item(), "f": d(x_fake).item(), "slope": slope, "max": max, "softplus": softplus}
    made = [loss(d, x, x_fake, recipe.objective, torch.full((1,), 0.5)) for loss in
            (adversarial.discriminator_loss, adversarial.generator_loss)]  # fmt: skip
    for written, loss in zip(variants.formulas(recipe.objective), made, strict=True):
        assert eval(spelt(written), known) == pytest.approx(loss.item())


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
    shown = [RECIPE[name] for name in variants.SHIPPED]
    assert len({(recipe.steps, recipe.seed, recipe.batch_size) for recipe in shown}) == 1
    assert loss_comparison.epochs(shown[0].steps, {shown[0].batch_size}) == " · 20.0 epochs"
    assert loss_comparison.epochs(100, {128, 64}) == loss_comparison.epochs(100, {None}) == ""


def test_every_line_has_a_colour_of_its_own() -> None:
    assert len(set(variants.COLOURS.values())) == len(variants.SHIPPED)


# --- what is on show is what is saved, linked and said ---------------------------------------------


def test_the_saved_losses_are_those_on_show(paths: Paths) -> None:
    with gr.Blocks():
        view = loss_comparison.LossView(paths)
    _, link, shown = view.on_choice(["minimax", "r3gan"], "saturation")
    stage, no_link, unchanged = view.on_choice([], "saturation")
    assert stage["outdated"], "what stays beside the error is of other losses"
    assert (no_link["copied"], unchanged) == (links.NOTHING, gr.skip())
    with Image.open(view.save(shown)["file"]["path"]) as picture:
        about = json.loads(picture.info["comment"])
    assert json.loads(about["settings"]) == {"losses": "minimax,r3gan", "below": "saturation"}
    assert about["link"] == links.record(loss_comparison.TAB, shown)["link"]
    assert link["link"]["below"] == "saturation"


@pytest.fixture
def samples_view(paths: Paths) -> samples.SamplesView:
    with gr.Blocks():
        return samples.SamplesView(paths)


def test_a_file_of_any_frame_has_no_command_of_the_first(samples_view: samples.SamplesView) -> None:
    _, _, run, command, _ = samples_view.show("gan-digits-r3gan", 3, 4, samples.ANY, 2.0)
    assert "--seed 3" in command
    assert "command" not in run.about
    assert json.loads(run.about["settings"])["to"] == 4
    assert "seed=3&to=4" in run.about["link"]


def test_samples_beside_an_error_are_marked_as_outdated(samples_view: samples.SamplesView) -> None:
    stage, link, *unchanged = samples_view.show("gan-digits-r3gan", -1, 4, samples.ANY, 2.0)
    assert stage["outdated"]
    assert (link["copied"], unchanged) == (links.NOTHING, [gr.skip()] * 3)


def test_a_bad_link_shows_first_samples_that_can_be_saved(samples_view: samples.SamplesView) -> None:
    request = gr.Request(headers={}, query_params={"view": "samples", "seed": "x"})
    wrong, link, model, *values = samples_view.on_load(request)
    assert wrong == "The link's seed must be a whole number, not 'x'."
    assert link["link"]["seed"] == "0", "so that the samples are drawn"
    stage, _, run, *_ = samples_view.show_first(wrong, model["value"], *values)
    assert stage["notice"] == wrong
    assert run is not None
    assert samples_view.show(model["value"], *values)[0]["notice"] == ""


def test_an_error_leaves_no_link_to_the_picture_before(paths: Paths) -> None:
    with gr.Blocks():
        view = ask_discriminator.AskView(paths)
    assert view.ask(ask_discriminator.FAKE, 0, *NO_SOURCES, 5)[1]["link"]["seed"] == "5"
    for kind, number in ((DRAWING, 0), ("nothing", 0), (ask_discriminator.FAKE, -1)):
        _, link = view.ask(kind, number, *NO_SOURCES, 5)
        assert (link["link"], link["copied"]) == (None, links.NOTHING)
