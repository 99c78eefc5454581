"""Choice of a checkpoint: each tab offers those of its family in the folder of the weights, whatever their names."""

import json
import shlex
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
import torch

import app
from playground.datasets import mnist
from playground.families import ddpm, gan, normalizing_flow, score_matching, vae
from playground.families.gan import Config as Gan
from playground.families.normalizing_flow import Config as Flow
from playground.families.score_matching import Config as Score
from playground.families.vae import Config as Vae
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs import vae as vae_tab
from playground.tabs.ddpm import forward, reverse
from playground.tabs.ddpm import runs as diffusion
from playground.tabs.gan import ask_discriminator, loss_comparison, samples, variants
from playground.tabs.latent_diffusion import compare, draw, grid, latent_space
from playground.tabs.latent_diffusion import runs as text
from playground.tabs.normalizing_flow import digits as flow_digits
from playground.tabs.normalizing_flow import likelihood
from playground.tabs.score_matching import digits as score_digits
from playground.tabs.score_matching import inverse_params, inverse_problems, langevin_2d, langevin_runs, restoration
from playground.tabs.vae import betas, codes, save
from playground.web import linked_run, links
from playground.web.checkpoint_picker import CheckpointPicker
from playground.web.image_picker import NO_SOURCES
from playground.web.view import View

SHIPPED = checkpoint.WEIGHTS
PICKERS: dict[str, CheckpointPicker] = {
    "ddpm": diffusion.CHECKPOINTS,
    "vae": codes.CHECKPOINTS,
    "gan": variants.CHECKPOINTS,
    "score_matching": langevin_runs.CHECKPOINTS,
    "normalizing_flow": likelihood.CHECKPOINTS,
    "latent_diffusion": text.CHECKPOINTS,
}


def request(**parameters: str) -> Any:
    """Return the request of a page with parameters in its address."""
    return SimpleNamespace(query_params=parameters)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Make an empty folder of weights, and none of data."""
    (tmp_path / "weights").mkdir()
    return Paths(tmp_path / "weights", tmp_path / "data")


def put(paths: Paths, shipped: str, name: str) -> Path:
    """Copy a shipped checkpoint into the folder under another name."""
    return Path(shutil.copy(SHIPPED / f"{shipped}.safetensors", paths.weights / f"{name}.safetensors"))


# --- what is offered ------------------------------------------------------------------------------


@pytest.mark.parametrize("family", PICKERS)
def test_a_checkpoint_of_any_name_is_offered_and_comes_first_where_it_is_alone(paths: Paths, family: str) -> None:
    picker = PICKERS[family]
    assert picker.names(paths) == [picker.default], "an empty folder: it will say what is missing"
    put(paths, picker.default, "mine")
    put(paths, "judge-digits", "another family")
    assert picker.names(paths) == ["mine"]
    assert picker.first_name(paths) == picker.path(paths, "").stem == "mine"
    assert picker.update(paths)["visible"] is False, "there is nothing to choose"
    put(paths, picker.default, "a")
    put(paths, picker.default, picker.default)
    assert picker.names(paths) == [picker.default, "a", "mine"], "what is shipped comes first"
    assert picker.first_name(paths) == picker.default
    update = picker.update(paths, "mine")
    assert (update["visible"], update["value"]) == (True, "mine")
    assert [name for _, name in update["choices"]] == [picker.default, "a", "mine"]
    assert len({title for title, _ in update["choices"]}) == 3


@pytest.mark.parametrize("family", PICKERS)
def test_what_is_shipped_is_offered_in_its_order(family: str) -> None:
    picker, folders = PICKERS[family], Paths(SHIPPED, SHIPPED)
    shipped = list(picker.shipped) or [picker.default]
    assert picker.names(folders)[: len(shipped)] == shipped
    assert picker.first_name(folders) == picker.default


@pytest.mark.parametrize("name", ["../ddpm-digits", "nope", "judge-digits", None, 7, ["mine"]])
def test_a_model_that_is_not_offered_is_one_sentence(paths: Paths, name: object) -> None:
    put(paths, "ddpm-digits", "mine")
    put(paths, "ddpm-digits", "../ddpm-digits")
    put(paths, "judge-digits", "judge-digits")
    with pytest.raises(UserError, match=r"must be one of mine|of the family judge, not ddpm"):
        diffusion.load_model(paths, name)
    with pytest.raises(UserError, match="model must be one of mine, not"):
        diffusion.CHECKPOINTS.resolve(paths, name)


@pytest.mark.parametrize("family", PICKERS)
def test_a_missing_checkpoint_names_its_recipe(paths: Paths, family: str) -> None:
    picker = PICKERS[family]
    with pytest.raises(UserError, match=f"{picker.default} is missing: `python -m train {picker.default}` makes it"):
        picker.load(paths, "")


def test_a_damaged_file_is_passed_over_with_one_sentence(paths: Paths) -> None:
    whole = put(paths, "ddpm-digits", "ddpm-digits")
    whole.write_bytes(whole.read_bytes()[:100_000])
    with pytest.raises(UserError, match="ddpm-digits"):
        diffusion.load_model(paths, "")
    put(paths, "ddpm-digits", "mine")
    assert diffusion.CHECKPOINTS.names(paths) == ["mine"]
    (error,) = checkpoint.list_checkpoints(paths.weights).unreadable
    assert "ddpm-digits" in str(error)
    message = app.report_unreadable_checkpoints(paths.weights)
    assert message["visible"]
    assert message["value"].startswith("<p>The checkpoint ddpm-digits")
    assert message["value"].endswith("No tab offers it.</p>")
    whole.unlink()
    assert app.report_unreadable_checkpoints(paths.weights)["visible"] is False


def test_a_header_may_hold_any_json(paths: Paths) -> None:
    """A list of checkpoints survives odd provenance and a broken config."""
    from safetensors.torch import save_file

    headers = [("gan", "[]", "3"), ("vae", "{}", '{"flags": [1]}'), ("score_matching", "null", "null")]
    for family, config, provenance in headers:
        metadata = {"family": family, "config": config, "provenance": provenance}
        save_file({"x": torch.zeros(1)}, paths.weights / f"{family}.safetensors", metadata)
    for family in ("gan", "vae", "score_matching"):
        assert PICKERS[family].choices(paths) == [(family, family)]
    assert langevin_runs.learned_densities(paths) == {}
    assert betas.comparable_models(paths, mnist.DATASET) == []
    with pytest.raises(UserError, match="does not tell the loss"):
        variants.load_training(paths, "gan")


# --- links, exports, commands -----------------------------------------------------------------------

VIEWS: dict[str, tuple[CheckpointPicker, Any]] = {
    tab: (picker, params_type)
    for tab, picker, params_type in (
        ("ddpm", diffusion.CHECKPOINTS, diffusion.ViewParams),
        ("ddpm.forward", diffusion.CHECKPOINTS, forward.ViewParams),
        (score_digits.TAB, diffusion.CHECKPOINTS, score_digits.ViewParams),
        (restoration.TAB, diffusion.CHECKPOINTS, inverse_params.ViewParams),
        (langevin_2d.TAB, langevin_runs.CHECKPOINTS, langevin_runs.ViewParams),
        (flow_digits.TAB, likelihood.CHECKPOINTS, flow_digits.ViewParams),
        ("gan.samples", variants.CHECKPOINTS, samples.ViewParams),
        ("vae", codes.CHECKPOINTS, codes.ViewParams),
        (draw.TAB, text.CHECKPOINTS, text.ViewParams),
        (compare.TAB, text.CHECKPOINTS, compare.ViewParams),
        (grid.TAB, text.CHECKPOINTS, grid.ViewParams),
        (latent_space.TAB, text.CHECKPOINTS, latent_space.ViewParams),
    )
}


@pytest.mark.parametrize("tab", VIEWS)
def test_the_model_is_part_of_every_link(paths: Paths, tab: str) -> None:
    picker, params_type = VIEWS[tab]
    put(paths, picker.default, picker.default)
    put(paths, picker.default, "mine")
    params, has_link, error = picker.settings_from_request(paths, params_type, tab, request())
    assert (params.model, has_link, error) == (picker.default, False, "")
    link = links.value(tab, params_type(model="mine", seed=5))["link"]
    assert link["model"] == "mine"
    params, has_link, error = picker.settings_from_request(paths, params_type, tab, request(**link))
    assert (params.model, params.seed, has_link, error) == ("mine", 5, True, "")
    old = {name: value for name, value in link.items() if name != "model"}
    params, has_link, error = picker.settings_from_request(paths, params_type, tab, request(**old))
    assert (params.model, params.seed, has_link) == (picker.default, 5, True), "a link from before there was a choice"
    wrong = link | {"model": "../mine"}
    params, has_link, error = picker.settings_from_request(paths, params_type, tab, request(**wrong))
    assert (params.model, has_link) == (picker.default, False)
    assert error.startswith("Model must be one of")


def test_a_page_opened_anew_offers_what_was_put_there(paths: Paths) -> None:
    put(paths, "flow-digits", "a")
    before = linked_run.on_load(likelihood.CHECKPOINTS, paths, flow_digits.ViewParams, flow_digits.TAB, request())
    put(paths, "flow-digits", "b")
    after = linked_run.on_load(likelihood.CHECKPOINTS, paths, flow_digits.ViewParams, flow_digits.TAB, request())
    assert [len(values[2]["choices"]) for values in (before, after)] == [1, 2]


def on_load(build: Callable[[gr.Blocks, Paths], Any], paths: Paths, **parameters: str) -> list[Any]:
    """Return what a view puts on the page when that is opened."""
    with gr.Blocks() as page:
        build(page, paths)
    loads = [each for each in page.fns.values() if any(event == "load" for _, event in each.targets)]
    values = [each.fn(*(state.value for state in each.inputs), request(**parameters)) for each in loads]
    return [value for outputs in values for value in outputs]


def offered(values: list[Any]) -> list[tuple[list[str], Any]]:
    """Return the choices and the value of each update of a control."""
    updates = [value for value in values if isinstance(value, dict) and "choices" in value]
    return [([each if isinstance(each, str) else each[1] for each in u["choices"]], u["value"]) for u in updates]


@pytest.mark.parametrize(
    "view",
    [reverse.ReverseView, forward.ForwardView, score_digits.DigitsView, restoration.RestorationView,
     langevin_2d.LangevinView, flow_digits.DigitsView, loss_comparison.LossView, samples.SamplesView, vae_tab.VAETab,
     draw.DrawView, compare.CompareView, grid.GridView, latent_space.LatentSpaceView],
)  # fmt: skip
def test_the_value_of_a_picker_is_a_choice_even_in_an_empty_folder(paths: Paths, view: type[View]) -> None:
    """From the first update of a control on, Gradio refuses any other value with no sentence of ours."""
    updates = offered(on_load(view.build, paths))
    assert updates
    for choices, value in updates:
        assert value is None or {*(value if isinstance(value, list) else [value])} <= {*choices}


def test_a_loss_that_is_not_there_is_not_ticked(paths: Paths) -> None:
    put(paths, "gan-digits-r3gan", "gan-digits-r3gan")
    shutil.copy(SHIPPED / "gan-digits-r3gan.history.npz", paths.weights)
    values = on_load(loss_comparison.LossView.build, paths, view="losses", losses="hinge,r3gan")
    assert offered(values) == [(["r3gan"], ["r3gan"])]
    assert "“python -m train gan-digits-hinge” makes it" in values[0]["notice"]


def tiny_ddpm(paths: Paths, name: str, **config: Any) -> None:
    torch.manual_seed(0)
    model = ddpm.Model(ddpm.Config(width=8, multipliers=(1,), blocks=1, emb_dim=8, **config))
    checkpoint.save(paths.weights / f"{name}.safetensors", model, {"recipe": name})


def view(build: Callable[[gr.Blocks, Paths], Any], paths: Paths, api_name: str) -> Callable[..., Any]:
    """Return the function behind an endpoint of a view, with the states of a visitor."""
    with gr.Blocks() as page:
        build(page, paths)
    event = next(event for event in page.fns.values() if event.api_name == api_name)
    return partial(event.fn, *(block.value for block in event.inputs if isinstance(block, gr.State)))


def test_a_run_tells_everywhere_of_which_checkpoint_it_is(paths: Paths) -> None:
    tiny_ddpm(paths, "ddpm-digits")
    tiny_ddpm(paths, "mine")
    sample = view(reverse.ReverseView.build, paths, "ddpm_sample")
    values = reverse.ReverseView.values_of(diffusion.ViewParams(n=1, steps=2, model="mine"))
    *_, (_, run_state, command, _, link) = sample(*values)
    assert link["link"]["model"] == "mine"
    assert run_state.stem == "mine-seed0"
    assert run_state.about["checkpoint"] == "mine"
    assert json.loads(run_state.about["provenance"]) == {"recipe": "mine"}
    words = shlex.split(command)
    assert words[4] == "mine"
    assert words[words.index("--weights") + 1] == str(paths.weights)
    ddpm.Settings(**json.loads(run_state.about["settings"]))
    with pytest.raises(gr.Error, match="Model must be one of ddpm-digits, mine"):
        list(sample("nope", *values[1:]))


def test_the_command_of_a_code_from_the_prior_names_the_model_and_the_folder(paths: Paths) -> None:
    put(paths, "vae-digits", "mine")
    words = shlex.split(save.build_command(paths, "traverse", codes.ViewParams()))
    assert words[4] == "mine"
    assert words[words.index("--weights") + 1] == str(paths.weights)
    assert "--weights" not in save.build_command(Paths(SHIPPED, paths.data), "traverse", codes.ViewParams())


# --- views that need more than any checkpoint -------------------------------------------------------


def test_a_model_without_classes_or_of_other_pictures_draws_by_its_score_and_mends_nothing(paths: Paths) -> None:
    tiny_ddpm(paths, "mine", classes=0, size=8, channels=3)
    model = diffusion.load_model(paths, "")
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
    show = view(flow_digits.DigitsView.build, paths, "flow_digits")
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
    assert "alone.history.npz does not lie beside it" in stage_value["notice"]
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
    assert "Small: its D knows pictures of 8 x 8 pixels" in table
    (paths.weights / "mine.safetensors").unlink()
    with pytest.raises(UserError, match="8 x 8 pixels"):
        ask_discriminator.table(paths, torch.zeros(1, 1, 32, 32))
