"""Choice of a checkpoint: each tab offers those of its family in the folder of the weights, whatever their names."""

import pytest
import torch
from checkpoint_folder import SHIPPED, put

import app
from playground import __main__ as command_line
from playground.api import catalogue
from playground.datasets import mnist
from playground.families import latent_diffusion
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs.ddpm import runs as diffusion
from playground.tabs.gan import variants
from playground.tabs.latent_diffusion import runs as text
from playground.tabs.normalizing_flow import likelihood
from playground.tabs.score_matching import langevin_runs
from playground.tabs.vae import betas, codes
from playground.web.checkpoint_picker import CheckpointPicker

PICKERS: dict[str, CheckpointPicker] = {
    "ddpm": diffusion.CHECKPOINTS,
    "vae": codes.CHECKPOINTS,
    "gan": variants.CHECKPOINTS,
    "score_matching": langevin_runs.CHECKPOINTS,
    "normalizing_flow": likelihood.CHECKPOINTS,
    "latent_diffusion": text.CHECKPOINTS,
}


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


@pytest.mark.parametrize("name", ["../ddpm-digits", "nope", "judge-digits", "n" * 300, "mine\0", None, 7, ["mine"]])
def test_a_model_that_is_not_offered_is_one_sentence(paths: Paths, name: object) -> None:
    put(paths, "ddpm-digits", "mine")
    put(paths, "ddpm-digits", "../ddpm-digits")
    put(paths, "judge-digits", "judge-digits")
    with pytest.raises(UserError, match=r"must be one of mine|of the family judge, not ddpm"):
        diffusion.CHECKPOINTS.load(paths, name)
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
        diffusion.CHECKPOINTS.load(paths, "")
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
    with pytest.raises(UserError, match="does not name the loss"):
        variants.load_training(paths, "gan")
    command_line.list_checkpoints(paths.weights)
    ((_, facts),) = catalogue.list_checkpoints(paths, {})
    assert [entry["data"] for entry in facts["checkpoints"]] == [None] * 3
    for provenance in ({}, {"flags": [1]}, {"flags": None}):
        assert latent_diffusion.read_prompt("an owl", provenance).understood
