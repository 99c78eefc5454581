"""The recipe of text to image: latents, encoders, and the parts that a checkpoint finds again."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from test_latent_diffusion import TINY, make_random_model, sampled

from playground.datasets import captions, scenes
from playground.datasets.emoji import Glyphs
from playground.families import autoencoder, clip, latent_diffusion
from playground.families.latent_diffusion import Model, Settings
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError
from train import latent_diffusion as recipe


@pytest.fixture
def model() -> Model:
    return make_random_model()


def test_a_part_that_changed_is_noticed_when_it_is_next_asked_for(tiny: recipe.Recipe, tmp_path: Path) -> None:
    config, parts = recipe.load_components(tiny)
    checkpoint.save(path := tmp_path / "text-to-image-tiny.safetensors", Model(config), {})
    loaded = cast(Model, checkpoint.load(path))
    assert loaded.components().autoencoder.config == parts.autoencoder.config
    elsewhere = copy.deepcopy(loaded).to("meta")
    assert elsewhere.components() == elsewhere.components(), "what is copied to a device is copied once"
    assert {next(part.parameters()).device.type for part in cast(Any, elsewhere.components())} == {"meta"}
    checkpoint.save(tmp_path / "autoencoder-emoji.safetensors", autoencoder.Model(parts.autoencoder.config), {})
    with pytest.raises(UserError, match="trained with another autoencoder-emoji"):
        loaded.components()


# --- the training ---------------------------------------------------------------------------------

GLYPHS = Glyphs(["pizza", "owl", "rocket", "anchor"], torch.rand(4, 4, 64, 64, generator=make_rng(0)), "")


@pytest.fixture
def tiny(tmp_path: Path) -> recipe.Recipe:
    """A recipe whose parts are there."""
    torch.manual_seed(2)
    tokens = clip.vocabulary_of(list(captions.vocabulary_texts(captions.list_synonyms(GLYPHS.names))))
    encoder = clip.Model(clip.Config(len(tokens), 24, 16, 8, 16, 32, 1, 32, 1))
    encoder.tokens.copy_(tokens)
    checkpoint.save(tmp_path / "clip-emoji.safetensors", encoder, {})
    tiny_autoencoder = autoencoder.Model(autoencoder.Config(width=8, blocks=1))
    checkpoint.save(tmp_path / "autoencoder-emoji.safetensors", tiny_autoencoder, {})
    return recipe.Recipe(name="text-to-image-tiny", steps=4, batch_size=4, precision="no", log_every=1, save_every=2,
                         picture_every=2, config=replace(TINY, size=16), scenes=30, parts=tmp_path, out=tmp_path,
                         runs=tmp_path / "runs")  # fmt: skip


def test_a_training_leaves_a_model_that_finds_its_parts(tiny: recipe.Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "PROMPTS", ("an owl", "a pizza"))
    path = recipe.train(tiny, GLYPHS)
    assert path is not None
    assert checkpoint.read_header(path).provenance["data"] == "images given by the caller"
    model = cast(Model, checkpoint.load(path, family="latent_diffusion"))
    x = sampled(model, Settings(n=2, prompt="an owl on blue", steps=2))
    assert x.shape == (2, 3, 64, 64)
    assert (tiny.folder / "picture-0000004.png").exists()


def test_a_training_goes_on_with_an_encoder_that_was_trained_on(tiny: recipe.Recipe, tmp_path: Path) -> None:
    before = recipe.train(replace(tiny, picture_every=100), GLYPHS)
    path = tmp_path / "clip-emoji.safetensors"
    checkpoint.save(path, checkpoint.load(path), {"steps": 2})
    after = recipe.train(replace(tiny, name="text-to-image-on", steps=6, start=before, picture_every=100), GLYPHS)
    assert after is not None
    about = checkpoint.read_header(after)
    assert about.provenance["steps"] == 6
    assert about.config["encoder_digest"] == checkpoint.digest(path)


def test_latents_are_those_of_the_scenes_and_computed_once(tiny: recipe.Recipe) -> None:
    config, parts = recipe.load_components(tiny)
    made = replace(tiny, config=config)
    drawn = scenes.sample_mixed(tiny.scenes, make_rng(0), scenes.training_combinations(GLYPHS.names))
    latents = recipe.encode_scenes(made, parts, GLYPHS, drawn, batch=7)
    some = scenes.Scenes(*(part[20:22] for part in drawn))
    with torch.no_grad():
        expected = parts.autoencoder.encode(scenes.render(some, GLYPHS))
    stored = torch.from_numpy(latents[20:22].copy()).float()  # half precision has 11 bits
    torch.testing.assert_close(stored, expected, rtol=1e-3, atol=1e-3)
    before = next(made.folder.glob("latents-*.npy")).stat().st_mtime_ns
    recipe.encode_scenes(made, parts, GLYPHS, drawn)
    assert next(made.folder.glob("latents-*.npy")).stat().st_mtime_ns == before


def test_the_dropout_of_the_recipe_reaches_the_loss(tiny: recipe.Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, dropouts = latent_diffusion.loss, list[float]()
    monkeypatch.setattr(latent_diffusion, "loss", lambda *args: dropouts.append(args[-1]) or loss(*args))
    recipe.train(replace(tiny, dropout=0.37, steps=1), GLYPHS)
    assert dropouts == [0.37]


def test_a_caption_goes_with_the_latents_of_its_scene(tiny: recipe.Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    write, loss, drawn, learned = captions.write_captions, latent_diffusion.loss, list[scenes.Scenes](), list[Any]()
    monkeypatch.setattr(captions, "write_captions", lambda batch, *rest: drawn.append(batch) or write(batch, *rest))
    monkeypatch.setattr(latent_diffusion, "loss", lambda *args: learned.append(args[1]) or loss(*args))
    recipe.train(replace(tiny, steps=1, batch_size=8), GLYPHS)
    _, parts = recipe.load_components(tiny)
    with torch.no_grad():
        expected = parts.autoencoder.encode(scenes.render(drawn[0], GLYPHS))
    torch.testing.assert_close(learned[0], expected, rtol=1e-3, atol=1e-3)


def test_a_pretrained_encoder_takes_the_place_of_ours(tiny: recipe.Recipe, tmp_path: Path) -> None:
    path = tmp_path / "whole.safetensors"
    save_file(open_clip.create_model("ViT-S-32-alt").state_dict(), path)
    asked = replace(tiny, name="text-to-image-vit", steps=1, clip="ViT-S-32-alt", clip_weights=str(path))
    made = recipe.train(asked, GLYPHS)
    assert made is not None
    config = checkpoint.load(made).config
    assert (config.encoder, config.context_dim) == (f"ViT-S-32-alt/{path}", 256)
    assert sampled(cast(Model, checkpoint.load(made)), Settings(n=1, steps=1)).shape == (1, 3, 64, 64)
