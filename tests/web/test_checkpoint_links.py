"""The checkpoint that was picked in links, exports and commands."""

import json
import shlex
import shutil
from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest
from checkpoint_folder import SHIPPED, put, request, tiny_ddpm, view

from playground.families import ddpm
from playground.runtime.paths import Paths
from playground.tabs import vae as vae_tab
from playground.tabs.ddpm import forward, reverse
from playground.tabs.ddpm import runs as diffusion
from playground.tabs.gan import loss_comparison, samples, variants
from playground.tabs.latent_diffusion import compare, draw, grid, latent_space
from playground.tabs.latent_diffusion import runs as text
from playground.tabs.normalizing_flow import digits as flow_digits
from playground.tabs.normalizing_flow import likelihood
from playground.tabs.score_matching import digits as score_digits
from playground.tabs.score_matching import inverse_params, langevin_2d, langevin_runs, restoration
from playground.tabs.vae import codes, save
from playground.web import links
from playground.web.checkpoint_picker import CheckpointPicker
from playground.web.view import View

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
    with gr.Blocks():
        digits_view = flow_digits.DigitsView(paths)
    before = digits_view.on_load(request())
    put(paths, "flow-digits", "b")
    after = digits_view.on_load(request())
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
    return [([each if isinstance(each, str) else each[1] for each in u["choices"]], u.get("value")) for u in updates]


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


@pytest.mark.parametrize(
    "view",
    [score_digits.DigitsView, restoration.RestorationView, langevin_2d.LangevinView, compare.CompareView,
     grid.GridView],
)  # fmt: skip
def test_the_address_stays_plain_until_a_view_begins_its_first_run(paths: Paths, view: type[View]) -> None:
    for picker, _ in VIEWS.values():
        put(paths, picker.default, picker.default)
    values = on_load(view.build, paths)
    (address,) = [value["address"] for value in values if isinstance(value, dict) and "address" in value]
    assert address.keys() <= {"view"}


def test_a_first_run_that_takes_long_leaves_what_was_typed_meanwhile(paths: Paths, monkeypatch) -> None:
    """The controls are as they were built, but for the models that there are."""
    tiny_ddpm(paths, "ddpm-digits")
    monkeypatch.setattr(reverse.ReverseView, "load_first_run", lambda *_: None)
    monkeypatch.setattr(reverse.ReverseView, "run_values", lambda *_, **__: ["run"] * 5)
    values = on_load(reverse.ReverseView.build, paths)
    assert values[:5] == ["run"] * 5
    model, label, *others, linked_params = values[5:]
    assert (model["value"], linked_params) == ("ddpm-digits", None)
    assert ("all", "all") in label["choices"]
    assert "value" not in label
    assert others == [gr.skip()] * len(others)
    assert len(others) == len(reverse.NAMES) - 2
    values = on_load(reverse.ReverseView.build, paths, steps="7")
    assert values[5 + reverse.NAMES.index("steps")] == 7, "a link sets them all"


def test_a_loss_that_is_not_there_is_not_ticked(paths: Paths) -> None:
    put(paths, "gan-digits-r3gan", "gan-digits-r3gan")
    shutil.copy(SHIPPED / "gan-digits-r3gan.history.npz", paths.weights)
    values = on_load(loss_comparison.LossView.build, paths, view="losses", losses="hinge,r3gan")
    assert offered(values) == [(["r3gan"], ["r3gan"])]
    assert "“python -m train gan-digits-hinge” makes it" in values[0]["notice"]


def test_a_run_tells_everywhere_of_which_checkpoint_it_is(paths: Paths) -> None:
    tiny_ddpm(paths, "ddpm-digits")
    tiny_ddpm(paths, "mine")
    sample = view(reverse.ReverseView.build, paths, "ddpm")
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
