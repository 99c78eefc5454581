"""Tests that the page takes test images, classes and training images from the data set that a model learned from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from playground.datasets import registry
from playground.datasets.fashion_mnist import DATASET as FASHION
from playground.families import ddpm, vae
from playground.runtime import checkpoint
from playground.runtime.paths import Paths
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError
from playground.tabs.ddpm import reverse
from playground.tabs.vae import betas, codes, latent_map, nearest
from playground.tabs.vae.codes import ViewParams
from playground.web import image_picker, neighbours
from playground.web.image_picker import NO_SOURCES, Sources

FASHION_FLAGS = {"flags": {"dataset": "fashion_mnist", "objective": {"kind": "elbo", "beta": 1.0}}}
FOLDER_FLAGS = {"flags": {"dataset": "digits", "data_folder": "pets"}, "classes": ["cats", "dogs"]}
CONFIG = vae.Config(latent=2, width=8, multipliers=(1,), patch=4, n_test=4)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Return a folder with a model of clothes and one of a user's folder; the clothes are random pixels."""

    def load(root: object, split: str = "train", download: bool = False, subset: slice = slice(None)):
        images = torch.full((12, 1, 32, 32), -1.0)
        images[:, :, 2:-2, 2:-2] = torch.rand(12, 1, 28, 28, generator=make_rng(len(split))) * 2 - 1
        return images[subset], (torch.arange(12) % 10)[subset]

    monkeypatch.setitem(registry.DATASETS, "fashion_mnist", replace(FASHION, load=load))
    torch.manual_seed(0)
    model = vae.Model(CONFIG).requires_grad_(False)
    model.test_classes.copy_(torch.tensor([9, 0, 1, 1]))
    model.test_mu.copy_(torch.randn(4, 2))
    checkpoint.save(tmp_path / "clothes.safetensors", model, FASHION_FLAGS)
    model.test_classes.copy_(torch.tensor([1, 0, 1, 1]))
    checkpoint.save(tmp_path / "pets.safetensors", model, FOLDER_FLAGS)
    return Paths(tmp_path, tmp_path)


def test_a_test_image_is_of_the_models_data(paths: Paths) -> None:
    settings = ViewParams(model="clothes", picture=image_picker.TEST_IMAGE, number=3)
    expected = registry.get_dataset("fashion_mnist").load(paths.data, "test")[0][3:4, :, 2:-2, 2:-2]
    torch.testing.assert_close(codes.encode_choice(paths, settings, NO_SOURCES).x, expected)
    with pytest.raises(UserError, match="no test image 12"):
        codes.encode_choice(paths, replace(settings, number=12), NO_SOURCES)


def test_an_upload_is_fitted_to_the_data(paths: Paths, tmp_path: Path) -> None:
    """Clothes fill 28 of 32 pixels, digits 20."""
    grey = np.full((300, 200), 250, np.uint8)
    grey[50:250, 60:140] = 30
    Image.fromarray(grey).save(tmp_path / "coat.png")
    x = codes.encode_choice(
        paths, ViewParams(model="clothes", picture="Upload"), Sources(upload=str(tmp_path / "coat.png"))
    ).x
    rows = (x[0, 0] > -0.9).any(1)
    assert rows.sum() == 28


def test_the_nearest_images_are_of_the_models_data_and_have_its_names(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = registry.get_dataset("fashion_mnist")
    monkeypatch.setattr(neighbours, "PART", 5)
    assert [len(part) for part in neighbours.load_parts(dataset, paths.data)] == [5, 5, 2], "never all at once"
    x = dataset.load(paths.data)[0][9:10]
    page = neighbours.render_rows(x, dataset, paths.data, n=1)
    assert "ankle boot, 0.00 away" in page
    assert neighbours.render_rows(x[..., 2:-2, 2:-2], dataset, paths.data, n=1).count("ankle boot, 0.00 away") == 1
    assert nearest.find_neighbours(paths, "clothes", torch.zeros(2)).count("away") == nearest.N_NEIGHBOURS
    with pytest.raises(UserError, match="another size"):
        neighbours.render_rows(torch.zeros(1, 3, 32, 32), dataset, paths.data, n=1)


def test_the_map_names_the_classes_of_the_models_data(paths: Paths) -> None:
    names = {model: latent_map.show(paths, codes.encode_choice(paths, ViewParams(model), NO_SOURCES))[0]["names"]
             for model in ("clothes", "pets")}  # fmt: skip
    assert names == {"clothes": list(FASHION.classes), "pets": ["cats", "dogs"]}
    point = latent_map.test_image(paths, codes.CHECKPOINTS.load(paths, "clothes"), {"model": "clothes", "index": 0})
    assert point["caption"] == "test image 0: ankle boot"
    point = latent_map.test_image(paths, codes.CHECKPOINTS.load(paths, "pets"), {"model": "pets", "index": 0})
    assert point["caption"] == "test image 0: dogs, as the model draws it"


def test_a_model_of_a_folder_draws_and_says_what_it_cannot(paths: Paths) -> None:
    assert codes.about(paths, "pets").kinds == (codes.PRIOR,)
    start = codes.encode_choice(paths, ViewParams("pets"), NO_SOURCES)
    sentence = "pets learned from images that are not here"
    with pytest.raises(UserError, match=sentence):
        codes.encode_choice(paths, ViewParams("pets", picture=image_picker.TEST_IMAGE), NO_SOURCES)
    with pytest.raises(UserError, match=sentence):
        nearest.find_neighbours(paths, "pets", start.z)
    with pytest.raises(UserError, match="no models of these data that differ in β"):
        betas.show(paths, start)


def test_a_model_without_test_images_has_no_map(paths: Paths) -> None:
    checkpoint.save(paths.weights / "blind.safetensors", vae.Model(replace(CONFIG, n_test=0)), FASHION_FLAGS)
    with pytest.raises(UserError, match="keeps no test images"):
        latent_map.show(paths, codes.encode_choice(paths, ViewParams("blind"), NO_SOURCES))
    assert [about.name for about in betas.comparable_models(paths, registry.get_dataset("fashion_mnist"))] == [
        "clothes"
    ]


@pytest.mark.parametrize(
    ("provenance", "classes", "names"),
    [(FASHION_FLAGS, 10, list(FASHION.classes)), (FOLDER_FLAGS, 2, ["cats", "dogs"]), ({}, 3, ["class 0", "class 1",
     "class 2"]), ({}, 0, [])],
)  # fmt: skip
def test_the_classes_to_ask_for_are_the_models(paths: Paths, provenance: dict, classes: int, names: list[str]) -> None:
    config = ddpm.Config(size=8, classes=classes, width=8, multipliers=(1,), blocks=1, emb_dim=16)
    checkpoint.save(paths.weights / "mine.safetensors", ddpm.Model(config), provenance)
    control = reverse.class_choices(paths, "mine", 1)
    assert control["choices"] == [("all", reverse.ALL), *((name, k) for k, name in enumerate(names))]
    assert control["value"] == (1 if names else reverse.ALL)
    assert control["visible"] == bool(names)
