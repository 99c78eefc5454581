"""Tests of the registry of data sets, and of the ones that are rendered."""

import shutil
from pathlib import Path

import pytest
import torch

from playground.datasets import emoji, registry, scenes, shapes
from playground.datasets.dataset import TEST_NUMBERS, Dataset
from playground.datasets.registry import DATASETS
from playground.runtime import checkpoint
from playground.runtime.rng import make_rng
from playground.runtime.validation import UserError

no_font = pytest.mark.skipif(not any(path.exists() for path in emoji.SYSTEM_FONTS), reason="the font is not installed")
RENDERED = ["shapes", pytest.param("emoji", marks=no_font)]


def test_every_file_with_a_dataset_is_registered() -> None:
    assert DATASETS.keys() == {"digits", "fashion_mnist", "shapes", "emoji"}
    for name, dataset in DATASETS.items():
        assert registry.get_dataset(name) is dataset
        assert dataset.title
        assert dataset.description
        assert len(set(dataset.classes)) == len(dataset.classes) > 1


def test_every_shipped_checkpoint_of_images_names_its_data_set() -> None:
    names = {"vae", "ddpm", "gan", "normalizing_flow", "judge"}
    headers = {path.stem: checkpoint.read_header(path) for path in checkpoint.find()}
    of_images = {name: header for name, header in headers.items() if header.family in names}
    assert of_images
    for name, header in of_images.items():
        dataset = registry.dataset_of(header.provenance)
        assert dataset, name
        assert dataset.name in name


@pytest.mark.parametrize(
    "provenance",
    [{}, {"flags": None}, {"flags": {"dataset": ["digits"]}}, {"flags": {"dataset": "cats"}}, {"data": 3},
     {"flags": {"dataset": "digits", "data_folder": "digits"}}, {"flags": {"dataset": "digits", "data_folder": ""}}],
)  # fmt: skip
def test_unknown_data_are_no_data_set_and_their_classes_have_numbers(provenance: dict[str, object]) -> None:
    assert registry.dataset_of(provenance) is None
    assert registry.class_names_of(provenance, 2) == ["class 0", "class 1"]
    assert registry.class_names_of({"classes": ["cats"]}, 2) == ["cats", "class 1"]


def test_a_test_image_is_one_of_the_split(tmp_path: Path) -> None:
    image = shapes.DATASET.load_test_image(tmp_path, 39)
    assert torch.equal(image, shapes.DATASET.load(tmp_path, "test", subset=slice(40))[0][39:])
    assert len(shapes.DATASET.load_test_image(tmp_path, TEST_NUMBERS[1])) == 1
    with pytest.raises(UserError, match="no test image 10000"):
        shapes.DATASET.load_test_image(tmp_path, shapes.DATASET.n_test)


def test_an_unknown_name_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"dataset must be one of .*, not 'digit': did you mean digits\?"):
        registry.get_dataset("digit")


def test_a_data_set_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(Path(shapes.__file__).with_name("fashion_mnist.py"), tmp_path / "more_clothes.py")
    source = (tmp_path / "more_clothes.py").read_text().replace('name="fashion_mnist"', 'name="more_clothes"')
    (tmp_path / "more_clothes.py").write_text(source)
    package = registry.playground.datasets
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    assert "more_clothes" in {dataset.name for dataset in registry.find_datasets()}


@pytest.fixture(params=RENDERED)
def rendered(request: pytest.FixtureRequest) -> Dataset:
    return DATASETS[request.param]


@pytest.mark.parametrize("split", ["train", "test"])
def test_rendered_splits_have_the_described_images(rendered: Dataset, split: str, tmp_path: Path) -> None:
    images, labels = rendered.load(tmp_path, split, subset=slice(40))
    assert images.shape == (40, *rendered.shape)
    assert images.min() >= -1
    assert images.max() <= 1
    assert (labels.dtype, labels.shape) == (torch.int64, (40,))
    assert 0 <= labels.min() <= labels.max() < len(rendered.classes)
    assert torch.equal(images, rendered.load(tmp_path, split, subset=slice(40))[0]), "the split is always the same"


def test_rendered_splits_differ(rendered: Dataset, tmp_path: Path) -> None:
    train, test = (rendered.load(tmp_path, split, subset=slice(10))[0] for split in ("train", "test"))
    assert not torch.equal(train, test)


def test_random_training_images_depend_on_the_rng_alone(rendered: Dataset, tmp_path: Path) -> None:
    assert rendered.make_sample is not None
    sample = rendered.make_sample(tmp_path, torch.device("cpu"))
    images = sample(6, make_rng(1))
    assert images.shape == (6, *rendered.shape)
    assert torch.equal(images, sample(6, make_rng(1)))
    assert not torch.equal(images, sample(6, make_rng(2)))


@pytest.mark.slow
@no_font
def test_training_images_of_emoji_leave_out_the_holdout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    glyphs = emoji.load(tmp_path)
    batches = []
    monkeypatch.setattr(scenes, "render", lambda batch, glyphs: batches.append(batch))
    scenes.load(tmp_path, "test", subset=slice(500))
    scenes.load(tmp_path, "train", subset=slice(500))
    scenes.make_sample(tmp_path, torch.device("cpu"))(500, make_rng(0))
    holdout = scenes.holdout_backgrounds(glyphs.names)
    shares = [holdout[batch.glyph[:, 0], batch.background].float().mean().item() for batch in batches]
    assert shares == [1.0, 0.0, 0.0]
