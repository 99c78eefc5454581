"""Tests of training on the data sets of the registry and on a folder of one's own images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from playground.datasets import fashion_mnist, registry
from playground.datasets.image_folder import MIN_IMAGES
from playground.families import ddpm, vae
from playground.runtime import checkpoint
from playground.runtime.validation import UserError
from train import ddpm as ddpm_recipe
from train import vae as recipe

CONFIG = vae.Config(size=16, channels=3, latent=2, width=8, multipliers=(1,), blocks=1, patch=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Folder of images of two classes."""
    rng = np.random.default_rng(0)
    for i in range(MIN_IMAGES):
        path = tmp_path / "images" / ("cats", "dogs")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)).save(path)
    return tmp_path / "images"


@pytest.fixture
def tiny(tmp_path: Path) -> recipe.Recipe:
    return recipe.Recipe(
        name="vae-tiny",
        steps=2,
        batch_size=4,
        precision="no",
        config=CONFIG,
        runs=tmp_path / "runs",
        out=tmp_path / "out",
    )


def test_a_vae_trains_on_a_folder_of_images(tiny: recipe.Recipe, folder: Path) -> None:
    path = recipe.train(replace(tiny, data_folder=folder, config=replace(CONFIG, n_test=2)))
    assert path is not None
    assert checkpoint.read_header(path).provenance["data"] == "the folder images of 20 images"
    model = checkpoint.load(path, family="vae")
    assert isinstance(model, vae.Model)
    assert model.test_classes.tolist() == [0, 1]


@pytest.mark.parametrize("path", [".", "cats/.."])
def test_a_folder_is_recorded_by_its_own_name(
    tiny: recipe.Recipe, folder: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    trained = recipe.train(replace(tiny, data_folder=Path(path)))
    assert trained is not None
    provenance = checkpoint.read_header(trained).provenance
    assert provenance["data"] == "the folder images of 20 images"
    assert provenance["flags"]["data_folder"] == "images"
    assert registry.dataset_of(provenance) is None, "MNIST is none of it"


def test_a_folder_without_enough_test_images_is_rejected(tiny: recipe.Recipe, folder: Path) -> None:
    with pytest.raises(UserError, match=r"config\.n_test must be at most 2, the number of test images in .*images"):
        recipe.train(replace(tiny, data_folder=folder, config=replace(CONFIG, n_test=3)))


def test_more_classes_than_are_stored_are_rejected(tiny: recipe.Recipe, tmp_path: Path) -> None:
    for k in range(257):
        (tmp_path / "many" / f"{k}").mkdir(parents=True)
        Image.new("L", (16, 16)).save(tmp_path / "many" / f"{k}" / "0.png")
    with pytest.raises(UserError, match=r"config\.n_test must be 0, since 257 classes are more than the 256 that are"):
        recipe.train(replace(tiny, data_folder=tmp_path / "many", config=replace(CONFIG, n_test=1)))


def test_a_folder_of_small_images_is_rejected(tiny: recipe.Recipe, folder: Path) -> None:
    with pytest.raises(UserError, match="smaller than 64 x 64 pixels"):
        recipe.train(replace(tiny, data_folder=folder, config=replace(CONFIG, size=64)))
    assert not tiny.folder.exists()


def test_an_unknown_data_set_is_rejected(tiny: recipe.Recipe) -> None:
    with pytest.raises(UserError, match=r"dataset must be one of .*, not 'minst'"):
        recipe.train(replace(tiny, dataset="minst"))


def test_a_vae_trains_on_fashion_mnist(tiny: recipe.Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(12, 1, 32, 32) * 2 - 1

    def load(root: Path, split: str, download: bool, subset: slice = slice(None)) -> tuple[torch.Tensor, torch.Tensor]:
        return images[subset], torch.arange(12)[subset] % 10

    data = replace(fashion_mnist.DATASET, load=load)
    monkeypatch.setitem(registry.DATASETS, "fashion_mnist", data)
    config = replace(CONFIG, size=28, channels=1, n_test=5)
    path = recipe.train(replace(tiny, dataset="fashion_mnist", config=config))
    assert path is not None
    assert checkpoint.read_header(path).provenance["data"] == "Fashion-MNIST (Xiao 2017), the 60,000 training images"
    assert checkpoint.read_header(path).provenance["flags"]["dataset"] == "fashion_mnist"


def test_a_diffusion_model_trains_on_a_folder_of_images(tmp_path: Path, folder: Path) -> None:
    config = ddpm.Config(size=16, channels=3, classes=2, width=8, multipliers=(1,), blocks=1, emb_dim=16, patch=4)
    options = ddpm_recipe.Recipe(
        name="ddpm-tiny", steps=2, batch_size=4, config=config, runs=tmp_path / "runs", out=tmp_path / "out",
        precision="no", picture_every=10,
    )  # fmt: skip
    path = ddpm_recipe.train(replace(options, data_folder=folder))
    assert path is not None
    provenance = checkpoint.read_header(path).provenance
    assert provenance["data"] == "the folder images of 20 images"
    assert (registry.dataset_of(provenance), registry.class_names_of(provenance, 2)) == (None, ["cats", "dogs"])
    many = replace(options, name="many", data_folder=folder, config=replace(config, classes=10))
    assert checkpoint.read_header(ddpm_recipe.train(many)).config["classes"] == 2, "no class is without images"
    with pytest.raises(UserError, match=r"config\.classes must be 2 or more"):
        ddpm_recipe.train(replace(options, name="other", data_folder=folder, config=replace(config, classes=1)))
